//! The speaker: what the API server wants, what the network has, and what the other speakers say become announcements and
//! answers.
//!
//! ```text
//!  keys ───────────────────────────────────────────┐
//!  watches, data_path ─► follow (Inputs → Desired) ─► lan (links, segments, elections) ─► frames
//!     ▲                     └► last_known             ├─► record ─► API server
//!     └──────── others have seen newer objects ───────┘
//! ```
//! * [`desired`] and [`eligibility`], both pure, say which VIPs this node may answer for, and why not; `follow` feeds them.
//! * `last_known` is for a start while the API server is away.
//! * [`lan`] owns everything that touches the LAN, on a thread of its own; [`segment`] is one interface's part of it. What is said
//!   to whom is decided in `landfall_core`: its `responder` and `announcer`.

pub mod data_path;
pub mod desired;
mod diagnosis;
pub mod eligibility;
mod follow;
pub mod holdings;
pub mod keys;
pub mod lan;
mod last_known;
pub mod metrics;
mod reasons;
pub mod segment;
mod watches;

use crate::cluster::{
    client, names,
    record::{Record, RecordWriter},
};
use crate::ops::metrics::MetricsArgs;
use anyhow::Context;
use desired::Seen;
use futures::StreamExt;
use landfall_core::wire::{datagram, heartbeat::SpeakerName};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How long a leave may take before the process ends all the same: longer than the election answers on for what nobody takes
/// (`Timing::hand_over_at_most`). Were it no longer, the process would end amid that with many VIPs, or just before it is told.
const LEAVE: Duration = Duration::from_secs(7);
/// The least time between two writes of the record.
const RECORD_GAP: Duration = Duration::from_secs(1);
/// After a write of the record that failed.
const RECORD_RETRY: Duration = Duration::from_secs(5);
/// How long the last write of the record may take.
const LAST_RECORD: Duration = Duration::from_secs(1);

/// What a speaker is told on its command line.
#[derive(Debug, Clone, clap::Args)]
pub struct SpeakerArgs {
    /// This node's name
    #[arg(long, env = "NODE_NAME")]
    pub node_name: String,
    /// The namespace of the controller and of the configuration
    #[arg(long, default_value = names::NAMESPACE)]
    pub namespace: String,
    /// Where kube-proxy on this node tells whether it is healthy; empty: nobody is asked
    #[arg(long, value_name = "URL", default_value = data_path::HEALTHZ)]
    pub kube_proxy_healthz: String,
    /// Where the Secret landfall-heartbeat-keys is mounted
    #[arg(long, value_name = "FOLDER", default_value = keys::FOLDER)]
    pub heartbeat_keys: PathBuf,
    /// The UDP port of heartbeats where the network drops their ethertype; the same on all nodes
    #[arg(long, value_name = "PORT", default_value_t = datagram::PORT)]
    pub heartbeat_port: u16,
    /// Where it keeps what is wanted, for a start while the API server is away; empty: nowhere
    #[arg(long, value_name = "FOLDER", default_value = last_known::FOLDER)]
    pub last_known: OsString,
    /// Where its metrics are to be read
    #[command(flatten)]
    pub metrics: MetricsArgs,
}

/// Runs until `leave`, then hands everything over and ends.
///
/// # Errors
/// Where there is no way to an API server at all, nothing can listen where metrics are to be read, or the machine's network
/// cannot be used. An API server that is away is
/// waited for.
pub async fn run(args: SpeakerArgs, leave: CancellationToken) -> anyhow::Result<()> {
    let speaker = SpeakerName::new(&args.node_name).context("--node-name")?;
    let data_path = data_path::verdicts(&args.kube_proxy_healthz)?;
    let (figures, latest) = watch::channel(Arc::default());
    args.metrics.serve(metrics::Latest(latest)).await?;
    let config = client::find().await?;
    let client = client::connect(&config)?;
    let (wanted, desired) = watch::channel(None);
    let (record, mut reported) = watch::channel(Record::default());

    let (keyring, keys) = watch::channel(keys::Keyring::default());
    let (told, seen) = watch::channel(0);
    let (behind, again) = watch::channel(0);
    let setup = lan::Setup {
        speaker,
        keys,
        port: args.heartbeat_port,
        desired,
        seen,
        behind,
        record,
        figures,
        leave: leave.clone(),
    };
    let (ended, mut lan_ended) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("lan".into()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let result = runtime.context("starting the LAN runtime").and_then(|runtime| runtime.block_on(lan::run(setup)));
        // Nobody listens where the process is ending anyway.
        let _ = ended.send(result);
    })?;

    let mut watches = watches::watches(&config, &client, &args, &again);
    watches.push(data_path.map(|verdict| (0, Seen::DataPath(verdict))).boxed());
    let follow = follow::follow(watches, (wanted, told), last_known::LastKnown::new(Path::new(&args.last_known)));
    let mut writer = RecordWriter::new(client.clone(), &args.node_name);
    let write = write_record(&mut writer, &mut reported);
    tokio::select! {
        ended = &mut lan_ended => return ended.context("the LAN task panicked")?,
        () = follow => anyhow::bail!("the watches have ended"),
        () = keys::follow(args.heartbeat_keys.clone(), keyring) => anyhow::bail!("the keys are not followed any more"),
        () = write => anyhow::bail!("the LAN task has ended"),
        () = leave.cancelled() => {}
    }
    let ended = timeout(LEAVE, lan_ended).await;
    // What is owned no longer is not to be read there for ever; a process that ends waits for no API server, though.
    let last = reported.borrow_and_update().clone();
    let _ = timeout(LAST_RECORD, writer.write(&last)).await;
    match ended {
        Ok(ended) => {
            info!("everything is handed over");
            ended.context("the LAN task panicked")?
        }
        Err(_) => {
            warn!("not everything was handed over within {} s", LEAVE.as_secs());
            Ok(())
        }
    }
}

/// Writes the record when it changes, at most once a second; what changed meanwhile is in the next write.
async fn write_record(writer: &mut RecordWriter, reported: &mut watch::Receiver<Record>) {
    while reported.changed().await.is_ok() {
        loop {
            let record = reported.borrow_and_update().clone();
            let Err(error) = writer.write(&record).await else { break };
            warn!(%error, "the record was not written, trying again");
            sleep(RECORD_RETRY).await;
        }
        sleep(RECORD_GAP).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_core::elect::Timing;

    /// What the DaemonSet says, in seconds.
    fn manifest(key: &str) -> Duration {
        let text = include_str!("../../manifests/speaker.yaml");
        let value = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "));
        Duration::from_secs(value.and_then(|value| value.parse().ok()).expect(key))
    }

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        speaker: SpeakerArgs,
    }

    #[test]
    fn what_may_be_empty_can_be_said_to_be() {
        use clap::Parser;
        let said = ["speaker", "--node-name=n1", "--last-known=", "--kube-proxy-healthz="];
        let SpeakerArgs { last_known, kube_proxy_healthz, .. } = Line::parse_from(said).speaker;
        assert!(last_known.is_empty() && kube_proxy_healthz.is_empty());
    }

    #[test]
    fn a_leave_lasts_longer_than_its_hand_over_and_the_pod_longer_than_the_leave() {
        let margin = Duration::from_secs(2);
        assert!(LEAVE >= Timing::default().hand_over_at_most + margin);
        assert!(manifest("terminationGracePeriodSeconds") >= LEAVE + LAST_RECORD + margin);
    }

    #[test]
    fn in_a_rolling_update_a_new_speaker_has_heard_the_others_out_before_the_next_one_leaves() {
        let Timing { listen_at_most, filling, .. } = Timing::default();
        // And has listed everything before that.
        assert!(manifest("minReadySeconds") >= listen_at_most + filling + Duration::from_secs(2));
    }
}
