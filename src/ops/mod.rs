//! What both programs need to be run: a clock, logging, metrics, shutdown.

pub mod clock;
pub mod logging;
pub mod metrics;
pub mod shutdown;
