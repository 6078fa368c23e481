//! Logs go to standard error, as lines for people or as JSON.

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

/// What is logged unless `RUST_LOG` says otherwise.
const DEFAULT: &str = "info";

/// Starts logging; `RUST_LOG` selects what. A second call is without effect.
pub fn start(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let registry = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_writer(std::io::stderr);
    // It fails only where a test has started it already.
    let _ = if json { registry.with(lines.json()).try_init() } else { registry.with(lines).try_init() };
}
