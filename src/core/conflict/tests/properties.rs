//! Whatever is told and heard, in whatever order.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Claim(u8, u8, bool),
    Tell(u8, u8, bool),
    HandOver(u8),
    Release(u8),
    Hear(u8, u8, u8),
    Beat(u8),
    Keep(u8),
    Pass(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3u8, 0..9u8, any::<bool>()).prop_map(|(vip, rule, announced)| Step::Claim(vip, rule, announced)),
        (0..3u8, 0..9u8, any::<bool>()).prop_map(|(vip, rule, announced)| Step::Tell(vip, rule, announced)),
        (0..3u8).prop_map(Step::HandOver),
        (0..3u8).prop_map(Step::Release),
        (0..3u8, 0..3u8, 0..3u8).prop_map(|(vip, by, what)| Step::Hear(vip, by, what)),
        (0..3u8).prop_map(Step::Beat),
        (0..3u8).prop_map(Step::Keep),
        (0..5_000u16).prop_map(Step::Pass),
        (0..5_000u16).prop_map(Step::Pass),
    ]
}

fn rule(number: u8) -> Conflict {
    let policy = [Policy::Defend, Policy::Yield, Policy::Ignore][usize::from(number / 3)];
    let probe = [Probe::Fast, Probe::Rfc, Probe::Off][usize::from(number % 3)];
    Conflict { policy, probe }
}

/// What the history of a VIP allows.
#[derive(Debug, Default)]
struct History {
    claimed: bool,
    answers: bool,
    /// It may be answered for without a probe.
    free: bool,
    /// It was answered for, and left to a foreign host by the policy.
    yielded: bool,
    probes: u32,
    defended: Option<Duration>,
}

proptest! {
    #[test]
    fn whatever_comes_nothing_is_announced_before_it_is_clear(steps in proptest::collection::vec(step(), 0..80)) {
        let vip = |n: u8| IpAddr::from([198, 51, 100, n]);
        let mac = |n: u8| MacAddr(2, 0, 0, 0, 0, n);
        let mut watch = Watch::new(1);
        let mut histories: [History; 3] = Default::default();
        // Who said that it has which VIP since it was released, and which stations have been speakers'.
        let mut heard = [[false; 3]; 3];
        let mut speakers = [false; 3];
        let mut now = Duration::from_secs(1_000);
        for step in steps {
            let mut out = Vec::new();
            match step {
                Step::Claim(n, how, announced) => {
                    let history = &mut histories[usize::from(n)];
                    history.free = announced || rule(how).probe == Probe::Off;
                    history.probes = 0;
                    history.yielded = false;
                    history.claimed = true;
                    out = watch.claim(vip(n), rule(how), announced, now);
                }
                Step::Tell(n, how, announced) => {
                    let history = &mut histories[usize::from(n)];
                    let takes_back = history.yielded && rule(how).policy != Policy::Yield;
                    history.free |= announced || rule(how).probe == Probe::Off || takes_back;
                    out = watch.tell(vip(n), rule(how), announced);
                }
                Step::HandOver(n) => {
                    watch.hand_over(vip(n));
                    histories[usize::from(n)] = History::default();
                }
                Step::Release(n) => {
                    watch.release(vip(n));
                    heard[usize::from(n)] = [false; 3];
                    histories[usize::from(n)] = History::default();
                }
                Step::Hear(n, by, what) => {
                    let what = [Word::Has, Word::Wants(None), Word::Wants(Some([by; 6]))][usize::from(what)];
                    heard[usize::from(n)][usize::from(by)] |= what == Word::Has;
                    out = watch.hear(Heard { vip: vip(n), by: mac(by), what }, now);
                }
                Step::Beat(by) => {
                    watch.hear_speaker(mac(by), now);
                    speakers[usize::from(by)] = true;
                }
                Step::Keep(n) => watch.keep(|other| other != vip(n)),
                Step::Pass(millis) => {
                    now += Duration::from_millis(millis.into());
                    out = watch.run(now);
                }
            }
            for output in out {
                let history = |vip: IpAddr| usize::from(vip.to_string().bytes().last().unwrap() - b'0');
                match output {
                    Output::Probe(vip, _) => histories[history(vip)].probes += 1,
                    Output::Answer(vip) => {
                        let from_speakers = heard[history(vip)].iter().zip(speakers).any(|(has, speaks)| *has && speaks);
                        let history = &mut histories[history(vip)];
                        prop_assert!(history.claimed && !history.answers);
                        prop_assert!(history.free || from_speakers || history.probes >= 1, "{vip} is announced unprobed");
                        history.answers = true;
                    }
                    Output::Defend(vip) => {
                        let history = &mut histories[history(vip)];
                        prop_assert!(history.claimed && history.answers);
                        prop_assert!(history.defended.is_none_or(|before| before + DEFEND <= now));
                        history.defended = Some(now);
                    }
                    Output::Silence(vip) => {
                        let history = &mut histories[history(vip)];
                        prop_assert!(history.answers);
                        history.answers = false;
                        history.yielded = true;
                        history.free = false;
                        history.probes = 0;
                    }
                    Output::Found(..) | Output::Over(_) => {}
                }
            }
            prop_assert!(watch.agenda.len() <= 6 && watch.vips.len() <= 3);
            prop_assert!(watch.deadline().is_none_or(|due| due + Duration::from_secs(600) > now));
        }
    }
}
