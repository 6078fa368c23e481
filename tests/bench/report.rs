//! The figures as a page.

use crate::{
    answer, create,
    memory::Memory,
    silence::{self, Fault},
    stats::{Samples, fine_ms, ms, us},
};
use std::fmt::Write;

/// Everything that was measured.
pub struct Figures {
    /// The machine.
    pub machine: Vec<(&'static str, String)>,
    /// How long the cluster took to come up.
    pub up: std::time::Duration,
    /// Allocation.
    pub create: create::Figures,
    /// Answers, by what was asked.
    pub answers: Vec<(String, answer::Figures)>,
    /// Memory by process, at rest with so many VIPs.
    pub memory: (usize, Vec<(String, Memory)>),
    /// Silences by fault.
    pub silences: Vec<(Fault, silence::Figures)>,
}

impl Figures {
    /// Markdown.
    pub fn page(&self) -> String {
        let mut page = String::from(
            "# Benchmarks\n\nWritten by `make bench`; not to be edited. Cluster, Landfall and client share one machine, so \
             what is measured includes\nwaiting for a processor. Percentiles are nearest rank.\n\n",
        );
        table(&mut page, "what | value", self.machine.iter().map(|(what, value)| format!("{what} | {value}")));
        self.allocation(&mut page);
        self.answers(&mut page);
        self.silences(&mut page);
        self.memory(&mut page);
        page
    }

    fn allocation(&self, page: &mut String) {
        section(
            page,
            "From `create` to an answer",
            "Services are created one after another over one connection; a watch sees the address in the status. From then on a \
             client on the LAN asks by ARP every 2 ms, and by a datagram every 2 ms, whose backends are ready. All times are from \
             the sending of the create. The API server's own calls are measured in the same run: the raw limit.",
        );
        let create = &self.create;
        let rows: [(&str, &Samples); 5] = [
            ("API server alone: one create", &create.bare_create),
            ("API server alone: one patch of a status", &create.bare_patch),
            ("create → EXTERNAL-IP in the status", &create.status),
            ("create → first ARP answer", &create.arp),
            ("create → first datagram answered", &create.answer),
        ];
        let rows = rows.iter().map(|(what, samples)| format!("{what} | {}", samples.row(fine_ms)));
        table(page, "from → to | min | p50 | p99 | worst | n", rows);
    }

    fn answers(&self, page: &mut String) {
        section(
            page,
            "Answering ARP and NDP",
            "A client on the LAN asks, waits for the answer and asks again: for a VIP, which the speaker answers, and for the same \
             node's own address, which its kernel answers, in turn. Times include the client's own way through its kernel.",
        );
        let rows = self.answers.iter().flat_map(|(what, figures)| {
            let of = |who: &str, samples: &Samples| format!("{what} | {who} | {}", samples.row(us));
            [of("Landfall", &figures.landfall), of("kernel", &figures.kernel)]
        });
        table(page, "question | answered by | min | p50 | p99 | worst | n", rows);
    }

    fn silences(&self, page: &mut String) {
        section(
            page,
            "Silence when the owner goes",
            "A client sends 1,000 datagrams a second from one port to a Service with `externalTrafficPolicy: Cluster` whose pods are \
             on the two other nodes, and asks for the address by ARP every 10 ms. Shown is the longest silence of each trial.",
        );
        let rows = self.silences.iter().flat_map(|(fault, figures)| {
            let (lost, sent) = figures.lost;
            [
                format!("{} | datagrams ({lost} of {sent} lost) | {}", fault.describe(), figures.datagrams.row(ms)),
                format!("{} | ARP | {}", fault.describe(), figures.arp.row(ms)),
            ]
        });
        table(page, "fault | silent | min | p50 | p99 | worst | n", rows);
    }

    fn memory(&self, page: &mut String) {
        let (vips, processes) = &self.memory;
        section(page, "Memory", &format!("At rest, with {vips} VIPs; kube-proxy of the same node for comparison."));
        let rows = processes.iter().map(|(name, memory)| {
            format!("{name} | {:.1} MiB | {:.1} MiB", memory.rss as f64 / 1024.0, memory.pss as f64 / 1024.0)
        });
        table(page, "process | RSS | PSS", rows);
        let _ = writeln!(page, "\nThe cluster itself was up in {:.1} s.", self.up.as_secs_f64());
    }
}

fn section(page: &mut String, title: &str, how: &str) {
    let _ = write!(page, "\n## {title}\n\n{how}\n\n");
}

fn table(page: &mut String, head: &str, rows: impl Iterator<Item = String>) {
    let rule = vec!["---"; head.split('|').count()].join(" | ");
    let _ = writeln!(page, "| {head} |\n| {rule} |");
    rows.for_each(|row| {
        let _ = writeln!(page, "| {row} |");
    });
}
