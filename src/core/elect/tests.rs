//! The rules, each driven by hand: a few speakers on a perfect wire, time moved from deadline to deadline.

use super::*;

const VIP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 10));

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Speakers that hear each other at once, and what each was told to do about VIPs.
struct Segment {
    now: Duration,
    speakers: BTreeMap<&'static str, Election>,
    done: Vec<(u64, &'static str, Output)>,
}

impl Segment {
    fn new(names: &[&'static str]) -> Self {
        let mut segment = Self { now: ms(1_000), speakers: BTreeMap::new(), done: Vec::new() };
        for name in names {
            segment.start(name, 1);
        }
        segment
    }

    fn at(&self) -> Now {
        Now { mono: self.now, wall: ms(1_700_000_000_000) + self.now }
    }

    fn start(&mut self, name: &'static str, boot: u64) {
        let identity = Identity { speaker: SpeakerName::new(name).unwrap(), boot, cluster: 7 };
        self.speakers.insert(name, Election::new(identity, Timing::default(), self.at()));
    }

    fn tell(&mut self, name: &'static str, input: Input) {
        let now = self.at();
        let Some(speaker) = self.speakers.get_mut(name) else { return };
        for output in speaker.handle(input, now) {
            match output {
                Output::Send(frame) => {
                    assert!(frame.size() <= crate::wire::heartbeat::LONGEST);
                    let others: Vec<_> = self.speakers.keys().copied().filter(|other| *other != name).collect();
                    for other in others {
                        self.tell(other, Input::Frame(frame.clone()));
                    }
                }
                other => self.done.push((self.now.as_millis() as u64, name, other)),
            }
        }
    }

    fn all(&mut self, input: Input) {
        let names: Vec<_> = self.speakers.keys().copied().collect();
        for name in names {
            self.tell(name, input.clone());
        }
    }

    /// Runs for so long; says what was done about VIPs meanwhile.
    fn run(&mut self, duration: Duration) -> Vec<(u64, &'static str, Output)> {
        let end = self.now + duration;
        loop {
            let next = self.speakers.iter().filter_map(|(name, speaker)| Some((speaker.deadline()?, *name))).min();
            let Some((at, name)) = next.filter(|(at, _)| *at <= end) else { break };
            self.now = self.now.max(at);
            self.tell(name, Input::Timer);
        }
        self.now = end;
        std::mem::take(&mut self.done)
    }

    fn owners(&self, vip: IpAddr) -> Vec<&'static str> {
        self.speakers.iter().filter(|(_, speaker)| speaker.owns(vip)).map(|(name, _)| *name).collect()
    }

    fn want(&mut self, vip: IpAddr) {
        self.all(Input::Want { vip, tier: 0 });
    }
}

fn whats(done: &[(u64, &'static str, Output)]) -> Vec<(&'static str, Output)> {
    done.iter().map(|(_, name, output)| (*name, output.clone())).collect()
}

#[test]
fn one_speaker_alone_claims_after_listening() {
    let mut segment = Segment::new(&["a"]);
    segment.want(VIP);
    let done = segment.run(ms(2_000));
    let epoch = 1_700_000_000_000 + 1_500;
    assert_eq!(done, [(1_500, "a", Output::Acquire { vip: VIP, epoch, why: Acquired::New })]);
}

#[test]
fn of_several_one_claims_and_a_dead_one_is_followed() {
    let mut segment = Segment::new(&["a", "b", "c"]);
    segment.want(VIP);
    segment.run(ms(2_000));
    let owner = segment.owners(VIP)[0];
    assert_eq!(segment.owners(VIP), [owner]);

    let died = segment.now.as_millis() as u64;
    segment.speakers.remove(owner);
    let done = segment.run(ms(1_000));
    let [(at, successor, Output::Acquire { why: Acquired::Dead, .. })] = done[..] else { panic!("{done:?}") };
    assert!(at - died <= 250 + 60 + 40, "{} ms", at - died);
    assert_eq!(segment.owners(VIP), [successor]);
}

#[test]
fn drain_hands_over_before_it_ends() {
    let mut segment = Segment::new(&["a", "b"]);
    segment.want(VIP);
    segment.run(ms(2_000));
    let leaver = segment.owners(VIP)[0];
    let successor = if leaver == "a" { "b" } else { "a" };
    segment.tell(leaver, Input::Drain);
    let done = whats(&segment.run(ms(1_000)));
    assert_eq!(done.len(), 3, "{done:?}");
    assert!(
        matches!(done[0], (name, Output::Acquire { why: Acquired::HandedOver, .. }) if name == successor),
        "{done:?}"
    );
    assert_eq!(done[1], (leaver, Output::Release { vip: VIP, why: Released::HandedOver }));
    assert_eq!(done[2], (leaver, Output::Drained));
}
