//! The speaker's metrics: what the LAN task says about itself when it reports, as the page has it.

use super::segment;
use crate::{
    cluster::record::Cause,
    ops::metrics::{Labels, Page},
};
use landfall_core::{conflict::Phase, elect, responder, wire::seal::Unsealed};
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};
use std::{collections::BTreeMap, fmt, sync::Arc};
use tokio::sync::watch;

/// What the LAN task says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Whether the node may announce: neither excluded, nor with a data path that is not ready, nor ignorant of what is wanted.
    pub eligible: bool,
    /// Whether it yields to others, since kube-proxy on it is not healthy any more.
    pub stale: bool,
    /// The open interfaces, by name.
    pub interfaces: BTreeMap<String, segment::Figures>,
}

/// The last that it said.
#[derive(Debug)]
pub struct Latest(pub watch::Receiver<Arc<Figures>>);

impl Collector for Latest {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        // Only the pointer is taken while the LAN task could wait for it.
        let figures = Arc::clone(&self.0.borrow());
        figures.write(&mut encoder.into())
    }
}

const CAUSES: [(&str, Cause); 4] =
    [("new", Cause::New), ("handed_over", Cause::HandedOver), ("dead", Cause::Dead), ("restarted", Cause::Restarted)];
const PHASES: [(&str, Phase); 2] = [("probe", Phase::Probe), ("watch", Phase::Watch)];

impl Figures {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let eligible = u64::from(self.eligible);
        page.gauge("landfall_speaker_eligible", "Whether the node may answer for VIPs at all.", [([], eligible)])?;
        page.gauge(
            "landfall_speaker_data_path_stale",
            "Whether kube-proxy on the node was healthy and is not now.",
            [([], u64::from(self.stale))],
        )?;
        self.write_vips(page)?;
        self.write_frames(page)?;
        self.write_heartbeats(page)?;
        self.write_losses(page)
    }

    fn write_vips(&self, page: &mut Page<'_>) -> fmt::Result {
        page.gauge(
            "landfall_speaker_vips",
            "VIPs that are answered for, and that are claimed and silent: they are probed, or a foreign host has them.",
            self.by("state", |it| [("answered", it.answered_for), ("silent", it.silent)]),
        )?;
        page.counter(
            "landfall_speaker_vips_acquired",
            "How often answering for a VIP began, by what became of the owner before.",
            self.by("cause", |it| CAUSES.map(|(word, cause)| (word, count(&it.tally.acquired, &cause)))),
        )?;
        let named = || self.interfaces.iter().map(|(name, it)| ([("interface", name.as_str())], it));
        page.histogram(
            "landfall_speaker_detection_seconds",
            "Of each VIP taken over from a dead owner: from its last sign of life until it was thought dead.",
            named().map(|(labels, it)| (labels, &it.tally.found_dead)),
        )?;
        page.histogram(
            "landfall_speaker_takeover_seconds",
            "Of each VIP taken over from a dead owner: from its last sign of life until the VIP was claimed here.",
            named().map(|(labels, it)| (labels, &it.tally.taken_over)),
        )?;
        page.counter(
            "landfall_speaker_announcements",
            "Announcements of VIPs, of two frames each.",
            self.each(|it| it.tally.announcements),
        )?;
        page.gauge(
            "landfall_speaker_conflicts",
            "VIPs that foreign hosts use now, by when that was found.",
            self.by("phase", |it| PHASES.map(|(word, phase)| (word, count(&it.foreign, &phase)))),
        )?;
        page.counter(
            "landfall_speaker_conflicts_found",
            "How often a foreign host was found to use a VIP, by when.",
            self.by("phase", |it| PHASES.map(|(word, phase)| (word, count(&it.tally.found, &phase)))),
        )
    }

    fn write_frames(&self, page: &mut Page<'_>) -> fmt::Result {
        page.counter(
            "landfall_speaker_questions_answered",
            "ARP requests and neighbour solicitations that were answered.",
            self.each(|it| it.frames.answered),
        )?;
        page.counter(
            "landfall_speaker_frames_unanswered",
            "ARP and NDP frames that were not answered, by why.",
            self.by("reason", |it| {
                responder::Ignored::ALL.iter().map(move |reason| (reason.word(), count(&it.frames.ignored, reason)))
            }),
        )?;
        page.counter(
            "landfall_speaker_frames_claiming",
            "ARP and NDP frames by which another station claimed a VIP that is answered for here.",
            self.each(|it| it.frames.claimed),
        )
    }

    fn write_heartbeats(&self, page: &mut Page<'_>) -> fmt::Result {
        page.gauge("landfall_speaker_peers", "Living speakers on its LAN.", self.each(|it| it.peers))?;
        page.counter(
            "landfall_speaker_heartbeats",
            "Heartbeats that could be read, ignored ones among them.",
            self.each(|it| it.tally.heartbeats),
        )?;
        page.counter(
            "landfall_speaker_heartbeats_ignored",
            "Heartbeats that were not listened to, or claims in them, by why.",
            self.by("reason", |it| {
                let ignored = elect::Ignored::ALL.iter().map(move |reason| (reason.word(), count(&it.ignored, reason)));
                let unsealed = Unsealed::ALL.iter().map(move |why| (why.word(), count(&it.losses.unsealed, why)));
                unsealed.chain(ignored)
            }),
        )
    }

    fn write_losses(&self, page: &mut Page<'_>) -> fmt::Result {
        page.counter(
            "landfall_speaker_frames_unread",
            "Frames that the kernel's queue had no room for, on their way in.",
            self.each(|it| it.losses.unread),
        )?;
        page.counter(
            "landfall_speaker_frames_unsent",
            "Frames that the interface's queue had no room for, on their way out.",
            self.each(|it| it.losses.unsent),
        )?;
        page.counter(
            "landfall_speaker_conflicts_forgotten",
            "Addresses that foreign hosts use and that there was no room to remember once they were released.",
            self.each(|it| it.losses.forgotten),
        )
    }

    /// One number of each interface.
    fn each(&self, number: impl Fn(&segment::Figures) -> u64) -> impl Iterator<Item = (Labels<'_, 1>, u64)> {
        self.interfaces.iter().map(move |(name, it)| ([("interface", name.as_str())], number(it)))
    }

    /// Several of each, told apart by `label`.
    fn by<'a, I: IntoIterator<Item = (&'static str, u64)>>(
        &'a self,
        label: &'static str,
        numbers: impl Fn(&'a segment::Figures) -> I,
    ) -> impl Iterator<Item = (Labels<'a, 2>, u64)> {
        self.interfaces.iter().flat_map(move |(name, it)| {
            let labelled = move |(word, number)| ([("interface", name.as_str()), (label, word)], number);
            numbers(it).into_iter().map(labelled)
        })
    }
}

fn count<K: Ord>(counts: &BTreeMap<K, u64>, key: &K) -> u64 {
    counts.get(key).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
