//! The figures as a page.

use crate::{
    answer, conflict, connections, create, crowd, flood,
    memory::Memory,
    partition::{self, Trouble},
    pure, silence,
    stats::{Samples, fine_ms, ms, us},
};
use std::{collections::BTreeMap, fmt::Write};

/// What a section begins with.
const HEADING: &str = "\n## ";

/// Everything that was measured.
pub struct Figures {
    /// The machine.
    pub machine: Vec<(&'static str, String)>,
    /// How long the cluster took to come up.
    pub up: std::time::Duration,
    /// The allocator alone.
    pub pure: pure::Figures,
    /// Thousands of Services.
    pub crowd: crowd::Figures,
    /// Allocation.
    pub create: create::Figures,
    /// Answers, by what was asked.
    pub answers: Vec<(String, answer::Figures)>,
    /// Memory by process, at rest with so many Services.
    pub memory: Vec<(usize, Vec<(String, Memory)>)>,
    /// A flood of questions.
    pub flood: flood::Figures,
    /// Silences by fault, in words.
    pub silences: Vec<(String, silence::Figures)>,
    /// What was seen of each trouble.
    pub partitions: Vec<(Trouble, partition::Figures)>,
    /// Open connections.
    pub connections: connections::Figures,
    /// Foreign hosts.
    pub conflicts: conflict::Figures,
}

impl Figures {
    /// Markdown.
    pub fn page(&self) -> String {
        let mut page = String::from(
            "# Benchmarks\n\nWritten by `make bench`; not to be edited. Cluster, Landfall and client share one machine, so \
             what is measured includes\nwaiting for a processor. Percentiles are nearest rank.\n[benchmarks-kind.md](benchmarks-kind.md) has \
             real pods on a kind cluster.\n\n",
        );
        table(&mut page, "what | value", self.machine.iter().map(|(what, value)| format!("{what} | {value}")));
        self.pure.section(&mut page);
        self.crowd.section(&mut page);
        self.allocation(&mut page);
        answers(self.answers.iter().chain(&self.crowd.beside.answers), &mut page);
        self.flood.section(&mut page);
        silences(&self.silences, &mut page);
        partition::write(&self.partitions, &mut page);
        self.connections.section(&mut page);
        self.conflicts.section(&mut page);
        self.memory(&mut page);
        page
    }

    fn allocation(&self, page: &mut String) {
        section(
            page,
            "From `create` to an answer",
            "Services are created one after another over open connections; a watch sees the address in the status. From then on \
             a client on the LAN asks by ARP\nevery 2 ms, and by a datagram every 2 ms, whose backend is ready. All times are from \
             the sending of the create. Alone: the same calls in turn for a Service of\ntype NodePort, which Landfall leaves \
             alone, and its first datagram at a node's port. These are the raw limits. kube-proxy writes its rules at most \
             once\na second, and a datagram waits for them either way.",
        );
        let create = &self.create;
        let rows: [(&str, &Samples); 6] = [
            ("API server alone: one create", &create.bare_create),
            ("API server alone: one patch of a status", &create.bare_patch),
            ("create → EXTERNAL-IP in the status", &create.status),
            ("create → first ARP answer", &create.arp),
            ("cluster alone: create → first datagram answered at a node port", &create.bare_answer),
            ("create → first datagram answered at the EXTERNAL-IP", &create.answer),
        ];
        let rows = rows.iter().map(|(what, samples)| format!("{what} | {}", samples.row(fine_ms)));
        table(page, "from → to | min | p50 | p99 | worst | n", rows);
    }

    fn memory(&self, page: &mut String) {
        section(
            page,
            "Memory",
            "RSS counts all pages that a process has in memory, PSS a share of those that several have. kube-proxy beside it, which \
             watches the same objects.",
        );
        let rows = self.memory.iter().flat_map(|(services, processes)| {
            processes
                .iter()
                .map(move |(name, memory)| format!("{services} | {name} | {} | {}", mib(memory.rss), mib(memory.pss)))
        });
        table(page, "Services | process | RSS | PSS", rows);
        let _ = writeln!(page, "\nThe cluster itself was up in {:.1} s.", self.up.as_secs_f64());
    }
}

/// The section about answers, each with what was asked.
pub fn answers<'a>(answers: impl Iterator<Item = &'a (String, answer::Figures)> + Clone, page: &mut String) {
    section(
        page,
        "Answering ARP and NDP",
        "A client on the LAN asks, waits for the answer and asks again, in turn: for a VIP, which the speaker answers; for the \
         same node's own address, which its\nkernel answers; and, by a datagram, a program on that node that does nothing \
         but answer: the least that anything outside the kernel costs. All nodes hear\neach question, and share the \
         processors with the one that answers. A real client asks seldom: its neighbour table remembers. Of many VIPs half are of \
         either family. With\n10,000 there are ten nodes without kube-proxies, of which three own addresses.",
    );
    let rows = answers.clone().flat_map(|(what, figures)| {
        let of = |who: &str, samples: &Samples| format!("{what} | {who} | {}", samples.row(us));
        [
            of("Landfall", &figures.landfall),
            of("the node's kernel", &figures.kernel),
            of("a bare program (a datagram)", &figures.process),
        ]
    });
    table(page, "question | answered by | min | p50 | p99 | worst | n", rows);
    page.push_str("\nLandfall's times by the kernel's:\n\n");
    let rows = answers.map(|(what, figures)| {
        let [p50, p99] = [50, 99].map(|percent| {
            let [landfall, kernel] = [&figures.landfall, &figures.kernel].map(|samples| samples.percentile(percent));
            landfall.as_secs_f64() / kernel.as_secs_f64()
        });
        format!("{what} | {p50:.1} | {p99:.1}")
    });
    table(page, "question | p50 | p99", rows);
}

/// The section about silences, by fault.
pub fn silences(silences: &[(String, silence::Figures)], page: &mut String) {
    section(
        page,
        "Silence when the owner goes",
        "A client sends 1,000 datagrams a second from one port to a Service with `externalTrafficPolicy: Cluster` whose pod is \
         on a node that never owns the address,\nand asks for the address by ARP every 10 ms. Shown is the longest silence \
         of each trial. As long as the node forwards, a client that knows its hardware\naddress misses nothing while no \
         speaker answers ARP: only new clients wait. 0 ms of ARP: every question was answered within 10 ms. In a rolling update each \
         speaker ends,\nthe others notice, and a new one is heard by all before the next one goes; the client asks over all of it.",
    );
    let rows = silences.iter().flat_map(|(fault, figures)| {
        let (lost, sent) = figures.lost;
        [
            format!("{fault} | datagrams ({lost} of {sent} lost) | {}", figures.datagrams.row(ms)),
            format!("{fault} | ARP | {}", figures.arp.row(ms)),
        ]
    });
    table(page, "fault | silent | min | p50 | p99 | worst | n", rows);
}

/// Mebibytes with a decimal.
pub fn mib(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}

/// Begins a section of a page, with how it was measured.
pub fn section(page: &mut String, title: &str, how: &str) {
    let _ = write!(page, "{HEADING}{title}\n\n{how}\n\n");
}

/// The page with its sections that are in `part`, too, as they are there, each with where and when that was measured.
pub fn renew(page: &str, part: &str, machine: &[(&str, String)]) -> String {
    let when: Vec<String> = machine.iter().map(|(what, value)| format!("{what}: {value}")).collect();
    let newer: BTreeMap<&str, &str> = part.split(HEADING).filter_map(|section| section.split_once('\n')).collect();
    let sections = page.split(HEADING).map(|section| match section.split_once('\n') {
        Some((title, _)) if newer.contains_key(title) => {
            format!(
                "{title}\n\nMeasured by itself, apart from the table above ({}).\n{}",
                when.join("; "),
                newer[title]
            )
        }
        _ => section.to_owned(),
    });
    sections.collect::<Vec<_>>().join(HEADING)
}

/// Writes a table with this head and these rows, whose cells ` | ` separates.
pub fn table(page: &mut String, head: &str, rows: impl Iterator<Item = String>) {
    let rule = vec!["---"; head.split('|').count()].join(" | ");
    let _ = writeln!(page, "| {head} |\n| {rule} |");
    rows.for_each(|row| {
        let _ = writeln!(page, "| {row} |");
    });
}
