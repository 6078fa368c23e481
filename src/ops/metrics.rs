//! What can be counted, for Prometheus: `/metrics`, where the user opens an address for it.
//!
//! Whoever owns something that counts publishes an immutable snapshot of it; a scrape takes the last one and writes it down
//! ([`Page`]). So no scrape waits for a task, and no task for a scrape. The text is OpenMetrics', by the Prometheus project's own
//! library; the [`server`] knows nothing of what it says.

pub mod server;

use anyhow::Context;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, NoLabelSet, text},
    metrics::{MetricType, info::Info},
    registry::Registry,
};
use std::{fmt, sync::Arc, time::Duration};
use tracing::info;

/// Where metrics are to be read.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct MetricsArgs {
    /// Tell metrics at http://HOST:PORT/metrics, in plain HTTP and to everybody who gets there; not said: nothing listens
    #[arg(long, env = "METRICS_ADDRESS", value_name = "HOST:PORT")]
    pub metrics_address: Option<String>,
}

impl MetricsArgs {
    /// Serves what `figures` tell, from now on and until the runtime ends; without an address, drops them.
    ///
    /// # Errors
    /// Where nothing can listen at the address.
    pub async fn serve(&self, figures: impl Collector) -> anyhow::Result<()> {
        let Some(address) = self.metrics_address.as_deref().filter(|address| !address.is_empty()) else {
            return Ok(());
        };
        let listener = server::listen(address).await.with_context(|| {
            format!(
                "--metrics-address: nothing can listen at {address:?}: name an address of this host and a port that is free \
                 there, such as 127.0.0.1:9808"
            )
        })?;
        info!(address, "metrics can be read by everybody who reaches this address");
        let registry = Arc::new(registry(figures));
        tokio::spawn(server::serve(listener, move || page(&registry)));
        Ok(())
    }
}

/// What is told of: this program, and what `figures` say.
pub fn registry(figures: impl Collector) -> Registry {
    let mut registry = Registry::default();
    registry.register("landfall_build", "The version that runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    registry.register_collector(Box::new(figures));
    registry
}

/// The whole text of a scrape.
pub fn page(registry: &Registry) -> String {
    let mut text = String::new();
    // A String takes whatever is written to it.
    let _ = text::encode(&mut text, registry);
    text
}

/// The page of one scrape, written family by family.
pub struct Page<'a>(DescriptorEncoder<'a>);

impl<'a> From<DescriptorEncoder<'a>> for Page<'a> {
    fn from(encoder: DescriptorEncoder<'a>) -> Self {
        Self(encoder)
    }
}

/// Times, by how long they were: so many seconds at most, each with those before it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    counts: [u64; BOUNDS.len()],
    sum: f64,
}

/// What a take-over may take, in seconds; the last bound is none.
const BOUNDS: [f64; 11] = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0, 5.0, f64::INFINITY];

impl Eq for Histogram {}

impl Histogram {
    /// One more.
    pub fn observe(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        if let Some(at) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.counts[at] += 1;
            self.sum += seconds;
        }
    }
}

/// A series' labels, by name.
pub type Labels<'a, const N: usize> = [(&'static str, &'a str); N];

impl Page<'_> {
    /// What only grows while the process runs; the text has `_total` after its name.
    ///
    /// # Errors
    /// Those of what is written to.
    pub fn counter<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'a, N>, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        series.into_iter().try_for_each(|(labels, value)| {
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&value, None)
        })
    }

    /// How long things took.
    ///
    /// # Errors
    /// Those of what is written to.
    pub fn histogram<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'a, N>, &'a Histogram)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        series.into_iter().try_for_each(|(labels, Histogram { counts, sum })| {
            let buckets: Vec<(f64, u64)> = BOUNDS.into_iter().zip(counts.iter().copied()).collect();
            family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(*sum, counts.iter().sum(), &buckets, None)
        })
    }

    /// What is so now.
    ///
    /// # Errors
    /// Those of what is written to.
    pub fn gauge<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'a, N>, impl EncodeGaugeValue)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        series.into_iter().try_for_each(|(labels, value)| family.encode_family(&labels)?.encode_gauge(&value))
    }
}

/// The families of a page that `docs/metrics.md` does not have.
#[cfg(test)]
pub fn undocumented(page: &str) -> Vec<&str> {
    let families = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let suffix = |kind| match kind {
        "counter" => "_total",
        "info" => "_info",
        _ => "",
    };
    let docs = include_str!("../../docs/metrics.md");
    families
        .filter(|(name, kind)| !docs.contains(&format!("| `{name}{}` |", suffix(*kind))))
        .map(|(name, _)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Nothing;

    impl Collector for Nothing {
        fn encode(&self, _: DescriptorEncoder) -> fmt::Result {
            Ok(())
        }
    }

    #[tokio::test]
    async fn an_address_that_cannot_be_had_ends_the_program_and_says_what_to_do() {
        let held = server::listen("127.0.0.1:0").await.unwrap();
        let taken = held.local_addr().unwrap().to_string();
        for address in [taken.as_str(), "192.0.2.1:80", "9808", "127.0.0.1"] {
            let args = MetricsArgs { metrics_address: Some(address.into()) };
            let error = format!("{:#}", args.serve(Nothing).await.unwrap_err());
            assert!(
                error.contains("--metrics-address") && error.contains(address) && error.contains("free"),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn without_an_address_nothing_is_kept_for_those_who_would_read() {
        let figures = Arc::new(Nothing);
        for metrics_address in [None, Some(String::new())] {
            MetricsArgs { metrics_address }.serve(figures.clone()).await.unwrap();
            assert_eq!(Arc::strong_count(&figures), 1);
        }
    }
}
