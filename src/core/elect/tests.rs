//! The rules, each driven by hand: a few speakers on a perfect wire, time moved from deadline to deadline.

use super::*;
use crate::wire::heartbeat::{Claim, Echo, Frame, Kind, SpeakerName, State};

mod doubt;
mod releases;
mod wishes;
mod words;

const VIP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 10));

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Speakers that hear each other at once, and what each was told to do about VIPs.
struct Segment {
    now: Duration,
    /// There is a gateway, and everybody has its answer at once.
    gateway: bool,
    /// Its switch drops the heartbeats' ethertype.
    blocked: bool,
    /// Plain questions are answered, also those for speakers that are not there.
    answers: bool,
    /// Every frame, by whom.
    said: Vec<(&'static str, Frame)>,
    speakers: BTreeMap<&'static str, Election>,
    done: Vec<(u64, &'static str, Output)>,
}

impl Segment {
    fn new(names: &[&'static str]) -> Self {
        let mut segment = Self {
            now: ms(1_000),
            gateway: true,
            blocked: false,
            answers: false,
            said: Vec::new(),
            speakers: BTreeMap::new(),
            done: Vec::new(),
        };
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
        let input = proven(speaker, input);
        for output in speaker.handle(input, now) {
            match output {
                Output::Send(frame) => {
                    assert!(frame.size() <= crate::wire::heartbeat::LONGEST);
                    let others: Vec<_> = self.speakers.keys().copied().filter(|other| *other != name).collect();
                    for other in others {
                        if !self.blocked {
                            self.tell(other, Input::Frame(frame.clone()));
                        }
                    }
                    self.said.push((name, frame));
                }
                Output::Around(frame) => {
                    let others: Vec<_> = self.speakers.keys().copied().filter(|other| *other != name).collect();
                    for other in others {
                        self.tell(other, Input::Around(frame.clone()));
                    }
                }
                Output::Seek if self.gateway => self.tell(name, Input::Reached),
                Output::Question { suspect, .. } if self.answers => self.tell(name, Input::Vouched(suspect)),
                Output::Seek | Output::Question { .. } => {}
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
        self.all(Input::Want { vip, wish: Wish::default() });
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
    assert_eq!(
        done,
        [(1_500, "a", Output::Acquire { vip: VIP, epoch, why: Acquired::New, from: None, unheard: None })]
    );
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
    let [(at, successor, Output::Acquire { why: Acquired::Dead, from: Some(ref from), unheard: Some(unheard), .. })] =
        done[..]
    else {
        panic!("{done:?}")
    };
    assert_eq!(from.as_str(), owner);
    let beat = Timing::default().beat;
    let found_dead = beat * 5 / 2 + ms(60);
    assert_eq!(unheard.found_dead, found_dead);
    let silence = ms(at - died);
    assert!((silence..=silence + beat).contains(&unheard.claimed), "{unheard:?}");
    assert!(silence <= found_dead + ms(40), "{silence:?}");
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
        matches!(&done[0], (name, Output::Acquire { why: Acquired::HandedOver, from: Some(from), .. })
            if *name == successor && from.as_str() == leaver),
        "{done:?}"
    );
    assert_eq!(done[1], (leaver, Output::Release { vip: VIP, why: Released::HandedOver }));
    assert_eq!(done[2], (leaver, Output::Drained));
}

#[test]
fn two_clusters_on_one_lan_do_not_hear_each_other() {
    let mut segment = Segment::new(&["a"]);
    let now = segment.at();
    let identity = Identity { speaker: SpeakerName::new("b").unwrap(), boot: 1, cluster: 8 };
    segment.speakers.insert("b", Election::new(identity, Timing::default(), now));
    segment.want(VIP);
    segment.run(ms(2_000));
    assert_eq!(segment.owners(VIP), ["a", "b"]);
    let a = &segment.speakers["a"];
    assert_eq!(a.peers().count(), 0);
    assert!(a.ignored()[&Ignored::OtherCluster] > 10);
}

#[test]
fn frames_that_come_twice_or_from_an_earlier_run_are_counted_and_left_out() {
    let mut segment = Segment::new(&["a"]);
    let from = |boot, counter| match frame("b", counter, Kind::Beat, Vec::new()) {
        Input::Frame(frame) => Input::Frame(Frame { boot, ..frame }),
        other => other,
    };
    for (boot, counter) in [(1, 5), (1, 5), (1, 4), (2, 1), (1, 6)] {
        segment.tell("a", from(boot, counter));
    }
    let ignored = segment.speakers["a"].ignored().clone();
    assert_eq!(ignored, BTreeMap::from([(Ignored::OldCounter, 2), (Ignored::EarlierBoot, 1)]));
    assert_eq!(segment.speakers["a"].peers().map(|peer| peer.boot).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_restarted_owner_is_followed_at_once_and_gets_nothing_back() {
    let mut segment = Segment::new(&["a", "b"]);
    segment.want(VIP);
    segment.run(ms(2_000));
    let first = segment.owners(VIP)[0];
    let second = if first == "a" { "b" } else { "a" };
    segment.start(first, 2);
    segment.tell(first, Input::Want { vip: VIP, wish: Wish::default() });
    let done = segment.run(ms(5_000));
    let [(_, successor, Output::Acquire { why: Acquired::Restarted, from: Some(ref from), .. })] = done[..] else {
        panic!("{done:?}")
    };
    assert_eq!((successor, from.as_str()), (second, first));
    assert_eq!(segment.owners(VIP), [second]);
}

#[test]
fn the_greater_of_two_claims_stays() {
    let mut segment = Segment::new(&["a"]);
    segment.want(VIP);
    segment.run(ms(2_000));
    // b claims on its own and then comes onto the segment.
    let mut apart = Segment::new(&["b"]);
    apart.now += ms(1);
    apart.want(VIP);
    apart.run(ms(2_000));
    segment.speakers.insert("b", apart.speakers.remove("b").unwrap());
    let done = whats(&segment.run(ms(200)));
    assert_eq!(done, [("a", Output::Release { vip: VIP, why: Released::Outbid })]);
    assert_eq!(segment.owners(VIP), ["b"]);
}

#[test]
fn unwanted_a_vip_is_handed_over_and_alone_it_is_let_go() {
    let mut segment = Segment::new(&["a", "b"]);
    segment.want(VIP);
    segment.run(ms(2_000));
    let first = segment.owners(VIP)[0];
    let second = if first == "a" { "b" } else { "a" };
    segment.tell(first, Input::Unwant { vip: VIP });
    assert_eq!(segment.owners(VIP), [first], "it answers until another has claimed");
    segment.run(ms(100));
    assert_eq!(segment.owners(VIP), [second]);

    segment.tell(second, Input::Unwant { vip: VIP });
    let done = whats(&segment.run(ms(2_000)));
    assert_eq!(done, [(second, Output::Release { vip: VIP, why: Released::NoSuccessor })]);
}

#[test]
fn who_leaves_many_answers_on_while_they_are_taken_over_but_not_for_ever() {
    let mut segment = Segment::new(&["a", "b"]);
    let vips: Vec<IpAddr> = (10..18).map(|last| IpAddr::from([203, 0, 113, last])).collect();
    vips.iter().for_each(|vip| segment.tell("a", Input::Want { vip: *vip, wish: Wish::default() }));
    segment.run(ms(2_000));
    vips.iter().for_each(|vip| segment.tell("a", Input::Unwant { vip: *vip }));
    let mut done = Vec::new();
    // The other is slow.
    for vip in vips {
        done.extend(segment.run(ms(800)));
        segment.tell("b", Input::Want { vip, wish: Wish::default() });
    }
    let released = |why| {
        whats(&done).iter().filter(|(_, done)| matches!(done, Output::Release { why: by, .. } if *by == why)).count()
    };
    assert_eq!([Released::HandedOver, Released::NoSuccessor].map(released), [6, 2], "{done:?}");
}

#[test]
fn wanted_again_before_another_claims_it_stays() {
    let mut segment = Segment::new(&["a", "b"]);
    segment.tell("a", Input::Want { vip: VIP, wish: Wish::default() });
    segment.run(ms(2_000));
    segment.tell("a", Input::Unwant { vip: VIP });
    segment.run(ms(300));
    segment.tell("a", Input::Want { vip: VIP, wish: Wish::default() });
    assert_eq!(segment.run(ms(3_000)), [], "no word about it to the announcer");
    assert_eq!(segment.owners(VIP), ["a"]);
}

#[test]
fn vips_are_spread_evenly_among_those_that_start_together() {
    let mut segment = Segment::new(&["a", "b", "c"]);
    for last in 0..30 {
        segment.want(IpAddr::from([203, 0, 113, last]));
    }
    segment.run(ms(2_000));
    for (name, speaker) in &segment.speakers {
        assert_eq!(speaker.owned().count(), 10, "{name}");
    }
}

#[test]
fn alone_a_drain_ends_at_once() {
    let mut segment = Segment::new(&["a"]);
    segment.want(VIP);
    segment.run(ms(2_000));
    segment.tell("a", Input::Drain);
    let done = whats(&segment.run(Duration::ZERO));
    assert_eq!(done, [("a", Output::Release { vip: VIP, why: Released::NoSuccessor }), ("a", Output::Drained)]);
}

/// A frame of a speaker that is not there itself.
fn frame(name: &str, counter: u64, kind: Kind, claims: Vec<Claim>) -> Input {
    let speaker = SpeakerName::new(name).unwrap();
    Input::Frame(Frame {
        cluster: 7,
        boot: 1,
        counter,
        interval: ms(10_000),
        challenge: MADE_UP,
        kind,
        claims,
        ..Frame::new(speaker)
    })
}

/// The challenge of a speaker that is not there itself.
const MADE_UP: u32 = 0;

/// A frame of such a speaker, as `to` is to have it: its challenge has been read.
fn proven(to: &Election, input: Input) -> Input {
    match input {
        Input::Frame(mut frame) if frame.challenge == MADE_UP => {
            frame.echoes = vec![Echo { speaker: to.id, challenge: to.proofs.challenge(), wanted: false }];
            Input::Frame(frame)
        }
        other => other,
    }
}

fn id(name: &str) -> SpeakerId {
    hash::speaker_id(&SpeakerName::new(name).unwrap())
}

/// Two speakers that both want the VIP: the owner, then the other.
fn owner_and_other() -> (Segment, &'static str, &'static str) {
    let mut segment = Segment::new(&["a", "b"]);
    segment.want(VIP);
    segment.run(ms(2_000));
    let owner = segment.owners(VIP)[0];
    (segment, owner, if owner == "a" { "b" } else { "a" })
}

#[test]
fn a_suspect_answers_at_once() {
    let mut segment = Segment::new(&["a"]);
    segment.run(ms(2_000));
    let now = segment.at();
    let a = segment.speakers.get_mut("a").unwrap();
    let ask = proven(a, frame("b", 1, Kind::Ask { suspect: id("a") }, Vec::new()));
    let out: Vec<Output> =
        a.handle(ask, now).into_iter().filter(|output| !matches!(output, Output::Around(_))).collect();
    assert!(matches!(&out[..], [Output::Send(Frame { kind: Kind::Beat, .. })]), "{out:?}");
}

#[test]
fn what_its_earlier_run_held_is_told_to_a_speaker_and_is_no_peers() {
    let mut segment = Segment::new(&[]);
    segment.start("a", 2);
    segment.run(ms(2_000));
    let of = Some(Holder { speaker: id("a"), boot: 1 });
    let claim = Claim { vip: VIP, epoch: 5, after: 0, firm: true, state: State::Held, of };
    segment.tell("a", frame("c", 1, Kind::Beat, vec![claim]));
    segment.want(VIP);
    let done = segment.run(ms(100));
    assert!(
        matches!(&done[..], [(_, "a", Output::Acquire { why: Acquired::Restarted, from: Some(from), .. })] if from.as_str() == "a"),
        "{done:?}"
    );
    assert_eq!(segment.speakers["a"].peers().count(), 1, "c alone");
}

#[test]
fn after_a_pause_it_hears_what_others_claimed_before_it_claims() {
    let (mut segment, owner, other) = owner_and_other();
    let new = IpAddr::from([203, 0, 113, 99]);
    segment.want(new);
    // The other stands still before it can claim, and what is said meanwhile is lost.
    let paused = segment.speakers.remove(other).unwrap();
    segment.run(ms(2_000));
    assert_eq!(segment.owners(new), [owner]);
    segment.speakers.insert(other, paused);
    assert_eq!(segment.run(ms(2_000)), []);
    assert_eq!(segment.owners(new), [owner]);
}

#[test]
fn a_live_owner_leaves_by_its_own_word_alone() {
    let (mut segment, owner, other) = owner_and_other();
    let of = Some(Holder { speaker: id(owner), boot: 1 });
    let epoch = segment.speakers[owner].claims.get(VIP).unwrap().epoch;
    let claim = Claim { vip: VIP, epoch, after: 0, firm: true, state: State::Vacant, of };
    segment.tell(other, frame("c", 1, Kind::Beat, vec![claim]));
    assert_eq!(segment.run(ms(2_000)), []);
    assert_eq!(segment.owners(VIP), [owner]);
}

#[test]
fn an_owner_goes_on_above_a_greater_claim_that_nobody_stands_behind() {
    let (mut segment, owner, _) = owner_and_other();
    let epoch = segment.speakers[owner].claims.get(VIP).unwrap().epoch + 60_000;
    let of = Some(Holder { speaker: id("gone"), boot: 1 });
    let claim = Claim { vip: VIP, epoch, after: 0, firm: true, state: State::Vacant, of };
    segment.all(frame("c", 1, Kind::Beat, vec![claim]));
    assert_eq!(segment.run(ms(2_000)), []);
    assert_eq!(segment.owners(VIP), [owner]);
    assert_eq!(segment.speakers[owner].claims.get(VIP).unwrap().epoch, epoch + 1);
}
