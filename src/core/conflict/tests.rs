mod properties;

use super::*;

const V4: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 100));
const V6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100));
const FOREIGN: MacAddr = MacAddr(2, 0, 0, 0, 0, 0x66);
const OTHER: MacAddr = MacAddr(2, 0, 0, 0, 0, 0x77);
const SPEAKER: MacAddr = MacAddr(2, 0, 0, 0, 0, 2);
const FAST: Conflict = Conflict { policy: Policy::Defend, probe: Probe::Fast };
const YIELD: Conflict = Conflict { policy: Policy::Yield, probe: Probe::Fast };
const IGNORE: Conflict = Conflict { policy: Policy::Ignore, probe: Probe::Fast };
const OFF: Conflict = Conflict { policy: Policy::Defend, probe: Probe::Off };
const START: u64 = 5_000;

/// A watch and its clock, and what came out, as `millisecond what`.
struct World {
    watch: Watch,
    now: u64,
    said: Vec<String>,
}

impl World {
    fn new() -> Self {
        Self { watch: Watch::new(7), now: START, said: Vec::new() }
    }

    fn claim(&mut self, vip: IpAddr, rule: Conflict, announced: bool) {
        let out = self.watch.claim(vip, rule, announced, ms(self.now));
        self.note(&out);
    }

    fn hear(&mut self, vip: IpAddr, by: MacAddr, what: Word) {
        let out = self.watch.hear(Heard { vip, by, what }, ms(self.now));
        self.note(&out);
    }

    fn has(&mut self, by: MacAddr) {
        self.hear(V4, by, Word::Has);
    }

    fn tell(&mut self, rule: Conflict, announced: bool) {
        let out = self.watch.tell(V4, rule, announced);
        self.note(&out);
    }

    fn beat(&mut self) {
        self.watch.hear_speaker(SPEAKER, ms(self.now));
    }

    /// Runs so many milliseconds on, as a caller does who wakes at each deadline. A foreign host that is there answers probes.
    fn run(&mut self, millis: u64, there: Option<MacAddr>) {
        let end = self.now + millis;
        while let Some(due) = self.watch.deadline().filter(|due| *due <= ms(end)) {
            self.now = self.now.max(due.as_millis() as u64);
            let out = self.watch.run(ms(self.now));
            self.note(&out);
            for output in out {
                if let (Output::Probe(vip, _), Some(there)) = (output, there) {
                    self.hear(vip, there, Word::Has);
                }
            }
        }
        self.now = end;
    }

    fn note(&mut self, out: &[Output]) {
        let at = self.now - START;
        self.said.extend(out.iter().map(|output| match output {
            Output::Probe(..) => format!("{at} probe"),
            Output::Answer(_) => format!("{at} answer"),
            Output::Defend(_) => format!("{at} defend"),
            Output::Silence(_) => format!("{at} silence"),
            Output::Found(_, Foreign { mac, phase }) => format!("{at} {phase:?}: {mac}"),
            Output::Over(_) => format!("{at} over"),
        }));
    }

    fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_new_vip_is_probed_thrice_and_answered_for_when_nobody_objects() {
    for vip in [V4, V6] {
        let mut world = World::new();
        world.claim(vip, FAST, false);
        world.run(600_000, None);
        assert_eq!(world.said(), ["0 probe", "60 probe", "120 probe", "180 answer"]);
    }
}

#[test]
fn with_the_rfcs_times_probing_takes_seconds() {
    for (vip, probes, least, most) in [(V4, 3, 4_000, 7_000), (V6, 1, 1_000, 2_000)] {
        let mut world = World::new();
        world.claim(vip, Conflict { probe: Probe::Rfc, ..FAST }, false);
        world.run(600_000, None);
        let said = world.said();
        assert_eq!(said.iter().filter(|line| line.ends_with("probe")).count(), probes);
        let took: u64 = said.last().and_then(|line| line.strip_suffix(" answer")).unwrap().parse().unwrap();
        assert!((least..=most).contains(&took), "{said:?}");
    }
}

#[test]
fn what_was_announced_before_is_answered_for_at_once() {
    let mut world = World::new();
    world.claim(V4, FAST, true);
    assert_eq!(world.said(), ["0 answer"]);
    // By what was heard of another speaker.
    let mut world = World::new();
    world.beat();
    world.has(SPEAKER);
    world.claim(V4, FAST, false);
    assert_eq!(world.said(), ["0 answer"]);
    // Without probing everything is.
    let mut world = World::new();
    world.claim(V4, OFF, false);
    assert_eq!(world.said(), ["0 answer"]);
}

#[test]
fn a_vip_that_was_released_is_probed_again() {
    let mut world = World::new();
    world.beat();
    world.has(SPEAKER);
    world.watch.release(V4);
    world.claim(V4, FAST, false);
    world.run(1_000, None);
    assert_eq!(world.said().last().unwrap(), "180 answer");
}

#[test]
fn another_speakers_word_is_no_conflict() {
    let mut world = World::new();
    world.beat();
    world.claim(V4, FAST, false);
    world.run(0, None);
    world.hear(V4, SPEAKER, Word::Wants(None));
    world.run(100, None);
    world.has(SPEAKER);
    world.run(600_000, None);
    assert_eq!(world.said(), ["0 probe", "60 probe", "100 answer"]);
}

#[test]
fn a_vip_in_use_is_kept_silent_and_asked_for_once_a_minute() {
    for vip in [V4, V6] {
        let mut world = World::new();
        world.claim(vip, FAST, false);
        world.run(130_000, Some(FOREIGN));
        let found = format!("2000 Probe: {FOREIGN}");
        // Until the station counts as foreign the round goes on. Its answer ends a later one.
        assert_eq!(world.said(), ["0 probe", "60 probe", "120 probe", &found, "62000 probe", "122000 probe"]);
        world.run(120_000, None);
        assert_eq!(world.said(), ["182000 probe", "182060 probe", "182120 probe", "182180 over", "182180 answer"]);
    }
}

#[test]
fn another_host_that_probes_for_the_same_address_is_in_the_way_only_before_it_is_announced() {
    let mut world = World::new();
    world.claim(V4, FAST, false);
    world.hear(V4, FOREIGN, Word::Wants(None));
    world.run(3_000, None);
    assert_eq!(world.said(), ["0 probe", "60 probe", "120 probe", &format!("2000 Probe: {FOREIGN}")]);
    let mut world = World::new();
    world.claim(V4, FAST, true);
    world.hear(V4, FOREIGN, Word::Wants(None));
    world.run(3_000, None);
    assert_eq!(world.said(), ["0 answer"]);
}

#[test]
fn our_own_probe_that_comes_back_is_no_conflict() {
    let mut world = World::new();
    world.claim(V6, FAST, false);
    let nonce = world.watch.run(ms(START)).into_iter().find_map(|output| match output {
        Output::Probe(_, nonce) => Some(nonce),
        _ => None,
    });
    world.hear(V6, FOREIGN, Word::Wants(nonce));
    world.run(3_000, None);
    assert_eq!(world.said().last().unwrap(), "180 answer");
    // Another's, whose nonce differs, is one.
    let mut world = World::new();
    world.claim(V6, FAST, false);
    world.hear(V6, FOREIGN, Word::Wants(Some([0; 6])));
    world.run(3_000, None);
    assert_eq!(world.said().last().unwrap(), &format!("2000 Probe: {FOREIGN}"));
}

#[test]
fn an_unknown_station_that_turns_out_to_be_a_speaker_or_ours_is_no_conflict() {
    let mut world = World::new();
    world.claim(V4, FAST, false);
    world.has(SPEAKER);
    world.run(1_000, None);
    world.beat();
    world.run(600_000, None);
    assert_eq!(world.said(), ["0 probe", "60 probe", "120 probe", "2000 answer"]);
    let mut world = World::new();
    world.watch.set_ours([FOREIGN].into());
    world.claim(V4, FAST, false);
    world.has(FOREIGN);
    world.run(3_000, None);
    assert_eq!(world.said().last().unwrap(), "180 answer");
}

#[test]
fn a_speaker_that_only_asked_before_it_was_known_has_announced_nothing() {
    let mut world = World::new();
    world.claim(V4, Conflict { probe: Probe::Rfc, ..FAST }, false);
    world.hear(V4, SPEAKER, Word::Wants(None));
    world.beat();
    world.run(30_000, None);
    let said = world.said();
    assert!(said.iter().take(3).all(|said| said.ends_with("probe")) && said[3].ends_with("answer"), "{said:?}");
}

#[test]
fn a_foreign_host_is_defended_against_once_in_ten_seconds() {
    let mut world = World::new();
    world.claim(V4, FAST, true);
    for _ in 0..25 {
        world.has(FOREIGN);
        world.run(1_000, None);
    }
    let found = format!("2000 Watch: {FOREIGN}");
    assert_eq!(world.said(), ["0 answer", &found, "2000 defend", "12000 defend", "22000 defend"]);
    assert_eq!(world.watch.found().collect::<Vec<_>>(), [(V4, Foreign { mac: FOREIGN, phase: Phase::Watch })]);
    // It was heard last at 24 s. Quiet, it is asked whether it is still there.
    world.run(120_000, None);
    assert_eq!(world.said(), ["84000 probe", "84060 probe", "84120 probe", "84180 over"]);
    assert_eq!(world.watch.found().count(), 0);
}

#[test]
fn an_ignored_host_is_told_and_nothing_else() {
    let mut world = World::new();
    world.claim(V4, IGNORE, true);
    for _ in 0..20 {
        world.has(FOREIGN);
        world.run(1_000, None);
    }
    assert_eq!(world.said(), ["0 answer", &format!("2000 Watch: {FOREIGN}")]);
}

#[test]
fn a_vip_that_is_yielded_is_answered_for_again_when_the_host_has_gone() {
    let mut world = World::new();
    world.claim(V4, YIELD, true);
    world.has(FOREIGN);
    world.run(70_000, Some(FOREIGN));
    assert_eq!(world.said(), ["0 answer", &format!("2000 Watch: {FOREIGN}"), "2000 silence", "62000 probe"]);
    world.run(60_000, None);
    assert_eq!(world.said(), ["122000 probe", "122060 probe", "122120 probe", "122180 over", "122180 answer"]);
}

/// A host under another address every second.
fn another(second: u64) -> MacAddr {
    MacAddr(2, 0, 0, 1, 0, second as u8)
}

#[test]
fn of_several_foreign_hosts_the_first_is_told_until_it_has_been_silent_for_a_minute() {
    let found = |at: u64, mac: MacAddr| format!("{at} Watch: {mac}");
    type Who = fn(u64) -> MacAddr;
    let cases: [(&str, Who, Vec<String>); 3] = [
        ("two in turns", |second| [FOREIGN, OTHER][second as usize % 2], vec![found(2_000, FOREIGN)]),
        (
            "the first one goes",
            |second| if second < 10 { FOREIGN } else { OTHER },
            vec![found(2_000, FOREIGN), found(70_000, OTHER)],
        ),
        // Each is judged two seconds after it spoke, and one at a time.
        (
            "one whose address changes",
            another,
            vec![found(2_000, another(0)), found(62_000, another(60)), found(122_000, another(120))],
        ),
    ];
    for (what, who, expected) in cases {
        let mut world = World::new();
        world.claim(V4, IGNORE, true);
        for second in 0..150 {
            world.has(who(second));
            world.run(1_000, None);
        }
        assert_eq!(world.said()[1..], expected, "{what}");
    }
}

#[test]
fn a_released_vip_that_is_in_use_rests_until_nobody_uses_it() {
    let mut world = World::new();
    world.claim(V4, FAST, false);
    world.run(3_000, Some(FOREIGN));
    world.watch.release(V4);
    assert_eq!(world.watch.found().count(), 1);
    world.run(120_000, None);
    assert_eq!(world.said().last().unwrap(), "62180 over");
    assert!(!world.watch.knows(V4) && world.watch.deadline().is_none());
}

#[test]
fn so_many_rest_and_more_are_counted() {
    let mut world = World::new();
    let vips: Vec<IpAddr> = (0..MOST_RESTING as u8 + 6).map(|n| IpAddr::from([198, 51, 100, n])).collect();
    vips.iter().for_each(|vip| world.claim(*vip, FAST, false));
    world.run(3_000, Some(FOREIGN));
    assert_eq!(world.watch.found().count(), vips.len());
    vips.iter().for_each(|vip| world.watch.release(*vip));
    assert_eq!((world.watch.found().count(), world.watch.forgotten()), (MOST_RESTING, 6));
}

#[test]
fn a_resting_vip_is_forgotten_when_no_pool_has_it_any_more() {
    let mut world = World::new();
    world.claim(V4, FAST, false);
    world.run(3_000, Some(FOREIGN));
    world.watch.keep(|_| false);
    assert!(world.watch.knows(V4), "it is claimed");
    world.watch.release(V4);
    world.watch.keep(|_| true);
    assert!(world.watch.knows(V4));
    world.watch.keep(|_| false);
    assert!(!world.watch.knows(V4) && world.watch.deadline().is_none());
}

#[test]
fn a_vip_that_is_handed_over_is_nothing_to_look_after() {
    let mut world = World::new();
    world.claim(V4, FAST, false);
    world.has(FOREIGN);
    world.watch.hand_over(V4);
    world.run(600_000, Some(FOREIGN));
    assert_eq!(world.said(), NOTHING);
    assert!(world.watch.deadline().is_none());
}

#[test]
fn what_the_configuration_says_later_counts() {
    let in_use = || {
        let mut world = World::new();
        world.claim(V4, FAST, false);
        world.run(3_000, Some(FOREIGN));
        world.said();
        world
    };
    let mut world = in_use();
    world.tell(FAST, true);
    assert_eq!(world.said(), NOTHING, "a foreign host has it, whoever announced it elsewhere");
    let mut world = in_use();
    world.tell(OFF, false);
    assert_eq!(world.said(), ["3000 answer", &format!("3000 Watch: {FOREIGN}")]);
    let mut world = World::new();
    world.claim(V4, FAST, false);
    world.tell(FAST, true);
    assert_eq!(world.said(), ["0 answer"]);
}

#[test]
fn who_spoke_beside_a_speaker_that_was_not_known_is_asked_again() {
    let mut world = World::new();
    world.claim(V4, FAST, false);
    world.hear(V4, SPEAKER, Word::Wants(None));
    world.run(1_000, Some(FOREIGN));
    world.beat();
    world.run(9_000, Some(FOREIGN));
    let said = world.said();
    assert!(said.iter().any(|line| line.ends_with(&format!("Probe: {FOREIGN}"))), "{said:?}");
    assert!(!said.iter().any(|line| line.ends_with("answer")), "{said:?}");
}

#[test]
fn what_was_yielded_is_taken_back_where_that_is_no_longer_the_policy() {
    let mut world = World::new();
    world.claim(V4, YIELD, true);
    world.has(FOREIGN);
    world.run(3_000, Some(FOREIGN));
    assert_eq!(world.said().last().unwrap(), "2000 silence");
    world.tell(YIELD, true);
    assert_eq!(world.said(), NOTHING);
    world.tell(FAST, true);
    assert_eq!(world.said(), ["3000 answer", &format!("3000 Watch: {FOREIGN}")]);
}

#[test]
fn many_new_vips_are_probed_at_a_pace_and_some_are_through_soon() {
    let mut world = World::new();
    for n in 0..1_000u32 {
        world.claim(IpAddr::V6((u128::from(n) + (0x2001_0db8 << 96)).into()), FAST, false);
    }
    world.run(60_000, None);
    let said = world.said();
    let times = |what: &str| -> Vec<u64> {
        said.iter().filter_map(|line| line.strip_suffix(what)?.trim().parse().ok()).collect()
    };
    let (probes, answers) = (times("probe"), times("answer"));
    assert_eq!((probes.len(), answers.len()), (3_000, 1_000));
    let (first, last) = (answers[0], answers[999]);
    assert!(first < 400 && last < 4_000, "{first} to {last}");
    let most = (0..7_000).step_by(100).map(|from| probes.iter().filter(|at| (from..from + 100).contains(*at)).count());
    assert!(most.max().unwrap() <= 150, "more than 50 at once and 100 in the next 100 ms");
}
