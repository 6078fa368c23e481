//! How long everything takes, in one place, with the figures that simulation settled on.

use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The machine's durations. [`Timing::default`] is what every speaker of a segment uses; only simulations vary it.
#[derive(Debug, Clone)]
pub struct Timing {
    /// Between two beats of a speaker that owns something.
    pub beat: Duration,
    /// Between two beats of one that owns nothing.
    pub idle_beat: Duration,
    /// How many frames a second all speakers of a segment send where nothing happens, at most: beats grow longer instead.
    pub frames: u32,
    /// How many tenths of its announced interval a speaker may be silent before it is suspected.
    pub silence_tenths: u32,
    /// How long the worst lateness of a speaker's own timers counts.
    pub late_for: Duration,
    /// The most by which a suspect's and one's own lateness together prolong the silence that is allowed.
    pub late_at_most: Duration,
    /// Between two questions to a suspect; one more after the last is its end.
    pub ask: Duration,
    /// How many questions.
    pub asks: u8,
    /// The step of the contention: a speaker waits its rank times this.
    pub slot: Duration,
    /// The greatest rank that still waits longer than the one before it.
    pub slots: u32,
    /// After its start a speaker only listens, this long,
    pub listen: Duration,
    /// and up to this long where it does not yet know all claims of those that it hears.
    pub listen_at_most: Duration,
    /// So long after it has listened a speaker with its share leaves VIPs that nobody ever owned to those that still listen.
    pub filling: Duration,
    /// A timer this late means that the speaker was paused,
    pub paused: Duration,
    /// and it listens this long before it claims anything.
    pub listen_after_pause: Duration,
    /// How long all frames go the way round as well after one came by it alone.
    pub around: Duration,
    /// How long a plain answer from a silent speaker's address vouches for it.
    pub vouch: Duration,
    /// How long such answers vouch where nothing else does.
    pub vouch_at_most: Duration,
    /// How long after the network was heard again a provisional claim becomes a firm one,
    pub affirm: Duration,
    /// and how long at most while somebody who is heard is not known yet, or not all that it claims.
    pub affirm_at_most: Duration,
    /// The longest pause between two askings of one who never echoes, which doubles from [`Timing::repeat`].
    pub doubt_at_most: Duration,
    /// How long the challenge of new speakers lasts after one has started anew.
    pub retire: Duration,
    /// One that was dead for this long has to show anew that its frames are its own.
    pub estranged: Duration,
    /// A changed claim is repeated this soon.
    pub repeat: Duration,
    /// How many frames a changed claim is in.
    pub repeats: u8,
    /// How long the digest of a peer may differ before its claims are asked for: claims of several frames are under way.
    pub fetch: Duration,
    /// Between two such questions, or two answers to them.
    pub fetch_again: Duration,
    /// How long a third speaker waits before it repeats the greater of two claims.
    pub relay: Duration,
    /// The longest pause between two repetitions, which doubles from [`Timing::repeat`].
    pub relay_at_most: Duration,
    /// How long a speaker that gives up a VIP answers for it when no other claims it, or another of its VIPs,
    pub hand_over: Duration,
    /// and how long at most.
    pub hand_over_at_most: Duration,
    /// How long a release that others report silences one that has not heard of it from the API server.
    pub silenced: Duration,
    /// How long a word that another holds a VIP lasts where that one is heard and says otherwise.
    pub unclaimed: Duration,
    /// How long others may have seen newer versions of objects than this speaker before it asks for them,
    pub behind: Duration,
    /// and between two such questions: lists are a burden.
    pub behind_again: Duration,
    /// How long what nobody wants or holds is remembered: peers gone, VIPs released.
    pub remember: Duration,
}

/// Who beats on a segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beating {
    /// Speakers that own something,
    pub owners: u32,
    /// and those that own nothing.
    pub idle: u32,
    /// All frames of the speaker's go the way round as well.
    pub doubled: bool,
}

impl Timing {
    /// Between two beats of a speaker that owns nothing, and two frames of any that go the way round where not all do: these
    /// together take up to half of what a segment carries.
    pub(super) fn idle_interval(&self, beating: Beating) -> Duration {
        let frames = beating.owners + 2 * beating.idle;
        self.idle_beat.max(SECOND * 2 * frames / self.frames)
    }

    /// Between two beats of one that owns something: the owners share the rest.
    pub(super) fn interval(&self, beating: Beating) -> Duration {
        let others = f64::from(beating.owners + 2 * beating.idle) / self.idle_interval(beating).as_secs_f64();
        let ways = if beating.doubled { 2 } else { 1 };
        self.beat.max(SECOND.mul_f64(f64::from(beating.owners * ways) / (f64::from(self.frames) - others)))
    }

    /// By how much what passes between two speakers may be late that are late themselves.
    pub(super) fn slack(&self, one: Duration, other: Duration) -> Duration {
        (one + other).min(self.late_at_most)
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            beat: ms(75),
            idle_beat: ms(1_000),
            frames: 1_000,
            silence_tenths: 25,
            late_for: ms(2_000),
            late_at_most: ms(400),
            ask: ms(20),
            asks: 3,
            slot: ms(20),
            slots: 10,
            listen: ms(500),
            listen_at_most: ms(1_500),
            filling: ms(600),
            paused: ms(100),
            listen_after_pause: ms(250),
            around: ms(5_000),
            vouch: ms(800),
            vouch_at_most: ms(10_000),
            affirm: ms(300),
            affirm_at_most: ms(2_000),
            doubt_at_most: ms(10_000),
            retire: ms(2_000),
            estranged: ms(30_000),
            repeat: ms(40),
            repeats: 3,
            fetch: ms(30),
            fetch_again: ms(100),
            relay: ms(60),
            relay_at_most: ms(1_600),
            hand_over: ms(1_000),
            hand_over_at_most: ms(5_000),
            silenced: ms(30_000),
            unclaimed: ms(30_000),
            behind: ms(1_000),
            behind_again: ms(30_000),
            remember: ms(600_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_speakers_together_send_no_more_than_the_segment_is_to_carry() {
        let timing = Timing::default();
        for owners in [1, 3, 90, 100, 200, 500, 1_000] {
            for idle in [0, 2, 100, 1_000] {
                for doubled in [false, true] {
                    let beating = Beating { owners, idle, doubled };
                    let (busy, quiet) = (timing.interval(beating), timing.idle_interval(beating));
                    let per_second = |each: u32, interval: Duration| f64::from(each) / interval.as_secs_f64();
                    let around = if doubled { per_second(owners, busy) } else { per_second(owners, quiet) };
                    let all = per_second(owners, busy) + around + 2.0 * per_second(idle, quiet);
                    assert!(all <= 1_000.001, "{all} frames/s of {beating:?}");
                }
            }
        }
    }

    #[test]
    fn few_speakers_beat_as_often_as_they_like() {
        let timing = Timing::default();
        for (owners, idle) in [(1, 0), (3, 0), (10, 190), (69, 0)] {
            let beating = Beating { owners, idle, doubled: false };
            assert_eq!((timing.interval(beating), timing.idle_interval(beating)), (timing.beat, timing.idle_beat));
        }
    }
}
