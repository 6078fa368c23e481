//! How soon a Service says that a foreign host has its address: one that was there before, and one that comes later.
//!
//! That host is a station of its own on the client's cable. It takes a VIP with its first frame, and answers for it from then on.

use crate::{
    api::Services,
    lab::{Lab, service},
    lan::{Asker, inside},
    report::{section, table},
    stats::{Samples, fine_ms},
};
use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Service;
use landfall_core::{
    announcer::frames,
    responder::{Answer, answer},
    wire::ethernet::MacAddr,
};
use landfall_sandbox::{Client, Netns};
use serde_json::{Value, json};
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// The foreign host.
const MAC: MacAddr = MacAddr(2, 0, 0, 0, 0, 0x0b);
/// With how the lab's pool of each begins.
const FAMILIES: [(&str, &str, &str); 2] = [("IPv4", "ARP", "198.51.100."), ("IPv6", "NDP", "2001:db8::")];

/// From the first frame of the foreign host to the Service's condition, by what it did.
#[derive(Debug, Default)]
pub struct Figures(Vec<(String, Samples)>);

/// Tries each so many times, ten at most.
///
/// # Errors
/// Where a Service does not say so.
pub fn measure(lab: &Lab, trials: usize) -> Result<Figures> {
    let mut figures = Figures::default();
    for (family, protocol, prefix) in FAMILIES {
        let (mut later, mut before) = (Samples::default(), Samples::default());
        // Each an address of its own: one that a foreign host was found to have is remembered as such.
        for trial in 0..trials.min(10) {
            let vip: IpAddr = format!("{prefix}{}", 150 + trial).parse()?;
            later.push(comes_later(lab, vip, family).with_context(|| format!("{vip}"))?);
            let vip: IpAddr = format!("{prefix}{}", 160 + trial).parse()?;
            before.push(is_there(lab, vip, family).with_context(|| format!("{vip}"))?);
        }
        figures.0.push((format!("{protocol}: it claims an announced address"), later));
        figures.0.push((format!("{protocol}: it has the address before it is announced"), before));
    }
    Ok(figures)
}

/// A Service that asks for this address.
fn object(vip: IpAddr, family: &str) -> (String, Value) {
    let name = format!("conflict-{}", vip.to_string().replace([':', '.'], "-"));
    let mut object = service(&name);
    object["metadata"]["annotations"] = json!({"landfall.dev/addresses": vip.to_string()});
    object["spec"]["ipFamilies"] = json!([family]);
    (name, object)
}

/// The address is announced, then the foreign host claims it.
fn comes_later(lab: &Lab, vip: IpAddr, family: &str) -> Result<Duration> {
    let (name, object) = object(vip, family);
    let client = lab.sandbox.client();
    told(lab, &name, object, |said| match said {
        Some("Announced") => claim(&client, vip).map(Some),
        _ => Ok(None),
    })
}

/// The foreign host answers for the address, then a Service gets it.
fn is_there(lab: &Lab, vip: IpAddr, family: &str) -> Result<Duration> {
    let foreign = Foreign::start(&lab.sandbox.client(), vip)?;
    let (name, object) = object(vip, family);
    let took = told(lab, &name, object, |_| Ok(foreign.first()))?;
    foreign.stop()?;
    Ok(took)
}

/// Creates the Service and waits until its condition says that there is a conflict: how long that was after the foreign host's first
/// frame, which `first` tells once there was one, by what the condition says.
fn told(
    lab: &Lab,
    name: &str,
    object: Value,
    first: impl Fn(Option<&str>) -> Result<Option<Instant>> + Sync,
) -> Result<Duration> {
    inside(&lab.sandbox.control_plane(), async || {
        let services = Services::connect(&lab.sandbox).await?;
        let mut changes = services.watch().await?;
        services.create(object).await?;
        let mut since = None;
        let took = changes
            .until(name, |service| {
                let said = announced(service);
                if since.is_none() {
                    since = first(said)?;
                }
                Ok(since.filter(|_| said == Some("AddressConflict")).map(|since| since.elapsed()))
            })
            .await?;
        services.delete(name).await?;
        Ok(took)
    })
}

/// The reason of the Service's condition.
fn announced(service: &Service) -> Option<&str> {
    let conditions = service.status.as_ref()?.conditions.as_ref()?;
    let condition = conditions.iter().find(|condition| condition.type_ == "landfall.dev/Announced");
    condition.map(|condition| condition.reason.as_str())
}

/// The foreign host says once that it has the address; when that was.
fn claim(client: &Client, vip: IpAddr) -> Result<Instant> {
    inside(client, async || {
        let asker = Asker::open().await?;
        let start = Instant::now();
        for frame in frames(vip, MAC) {
            asker.socket().send(&frame)?;
        }
        Ok(start)
    })
}

/// A foreign host that answers for an address.
struct Foreign {
    first: Arc<Mutex<Option<Instant>>>,
    stop: tokio::sync::oneshot::Sender<()>,
    thread: JoinHandle<Result<Result<()>>>,
}

impl Foreign {
    /// Returns when it answers.
    fn start(at: &Netns, vip: IpAddr) -> Result<Self> {
        let first = Arc::new(Mutex::new(None));
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (ready, started) = mpsc::sync_channel(1);
        let told = first.clone();
        let thread = at.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async move {
                let asker = Asker::open().await?;
                _ = ready.send(());
                tokio::select! {
                    result = answer_for(&asker, vip, &told) => result,
                    _ = stopped => Ok(()),
                }
            })
        });
        started.recv().context("the foreign host does not start")?;
        Ok(Self { first, stop, thread })
    }

    /// When it sent its first frame.
    fn first(&self) -> Option<Instant> {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(self) -> Result<()> {
        _ = self.stop.send(());
        self.thread.join().map_err(|_| anyhow::anyhow!("the foreign host panicked"))??
    }
}

async fn answer_for(asker: &Asker, vip: IpAddr, first: &Mutex<Option<Instant>>) -> Result<()> {
    let mut buffer = [0; 1514];
    loop {
        let received = asker.socket().recv(&mut buffer).await?;
        if let Ok(Answer::Reply(frame)) = answer(&buffer[..received.len], MAC, |address| address == vip) {
            first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
            asker.socket().send(&frame)?;
        }
    }
}

impl Figures {
    /// The section of the page.
    pub fn section(&self, page: &mut String) {
        section(
            page,
            "A foreign host has the address",
            "From the first frame by which a host that is no node claims an address, or answers the speaker that asks for it before it \
             is announced, to the Service's condition\n`landfall.dev/Announced` that says `AddressConflict`, as a watch sees it. \
             A host counts as foreign when no \
             speaker's heartbeat came from its hardware address within two seconds.\nSpeakers write their records once a second at most.",
        );
        let rows = self.0.iter().map(|(what, samples)| format!("{what} | {}", samples.row(fine_ms)));
        table(page, "foreign host | min | p50 | p99 | worst | n", rows);
    }
}
