//! Whether the node's own data path works: what kube-proxy's health check answers, second for second, becomes a verdict.
//!
//! A node that answers for an address while kube-proxy has only begun to write its rules draws clients to where nothing
//! delivers. Where kube-proxy has died the rules deliver on and grow stale: such a node yields to one whose kube-proxy is
//! healthy, and is better than none, as where kube-proxy is part of a process that starts anew (k3s) or has been removed. And
//! there are clusters without kube-proxy: one that never said a word must keep no node off.

use std::time::Duration;

/// Between two questions.
pub const EVERY: Duration = Duration::from_secs(1);
/// How long it may fail after it was healthy: a restart is over sooner.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long after a node's boot the first answer is waited for,
const FIRST_ANSWER: Duration = Duration::from_secs(30);
/// where the machine had been up for less than this when the speaker started. Later, kube-proxy is there or there is none.
const JUST_BOOTED: Duration = Duration::from_secs(300);

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It is healthy.
    Healthy,
    /// It says that it is not.
    Unhealthy,
    /// It says nothing, or nothing that kube-proxy would.
    Silent,
}

/// What a data path is worth that delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rules {
    /// They are kept up to date, as far as anybody says.
    Fresh,
    /// kube-proxy was healthy and is not now: they are as it left them.
    Stale,
}

/// Why the data path is not to be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Broken {
    /// The node has just booted.
    #[error("the node has just booted, and kube-proxy is waited for, at most {} s", FIRST_ANSWER.as_secs())]
    NotYet,
    /// It is there.
    #[error(
        "kube-proxy on the node has not been healthy since the speaker started, so its rules may not all be written"
    )]
    Unhealthy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has never said anything.
    Unheard,
    /// It has said something, and was not healthy since.
    Unhealthy,
    Healthy,
    /// Not healthy any more; this counts from then on.
    Failing {
        from: Duration,
    },
}

/// One node's data path. All times are since the machine's boot.
#[derive(Debug)]
pub struct DataPath {
    state: State,
    /// Until when the first answer is waited for.
    wait: Duration,
}

impl DataPath {
    /// Of a speaker that starts now.
    pub fn new(now: Duration) -> Self {
        let wait = if now < JUST_BOOTED { now + FIRST_ANSWER } else { now };
        Self { state: State::Unheard, wait }
    }

    /// Takes the next answer, and says what the data path is worth now.
    ///
    /// # Errors
    /// Why it is not to be relied on.
    pub fn hear(&mut self, answer: Answer, now: Duration) -> Result<Rules, Broken> {
        self.state = match (self.state, answer) {
            (_, Answer::Healthy) => State::Healthy,
            (State::Healthy, _) => State::Failing { from: now + PATIENCE },
            (State::Unheard, Answer::Unhealthy) => State::Unhealthy,
            (state, _) => state,
        };
        match self.state {
            State::Unheard if now < self.wait => Err(Broken::NotYet),
            State::Unhealthy => Err(Broken::Unhealthy),
            State::Failing { from } if from <= now => Ok(Rules::Stale),
            State::Unheard | State::Healthy | State::Failing { .. } => Ok(Rules::Fresh),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer::*, *};

    const HOUR: u64 = 3600;

    /// The verdicts after answers that come so many seconds after the speaker's start, `up` seconds after the boot.
    fn verdicts<const N: usize>(up: u64, answers: [(u64, Answer); N]) -> [Result<Rules, Broken>; N] {
        let mut path = DataPath::new(Duration::from_secs(up));
        answers.map(|(at, answer)| path.hear(answer, Duration::from_secs(up + at)))
    }

    const FINE: Result<Rules, Broken> = Ok(Rules::Fresh);
    const STALE: Result<Rules, Broken> = Ok(Rules::Stale);
    const UNHEALTHY: Result<Rules, Broken> = Err(Broken::Unhealthy);
    const NOT_YET: Result<Rules, Broken> = Err(Broken::NotYet);

    #[test]
    fn where_nothing_ever_answers_it_is_ignored() {
        assert_eq!(verdicts(HOUR, [(0, Silent), (1, Silent), (10 * HOUR, Silent)]), [FINE; 3]);
    }

    #[test]
    fn once_healthy_it_may_fail_for_three_seconds_until_its_rules_count_as_stale() {
        for failure in [Silent, Unhealthy] {
            let answers = [(0, Healthy), (1, failure), (2, failure), (3, failure), (4, failure), (5, Healthy)];
            assert_eq!(verdicts(HOUR, answers), [FINE, FINE, FINE, FINE, STALE, FINE], "{failure:?}");
        }
    }

    #[test]
    fn a_restart_within_three_seconds_changes_nothing() {
        let answers = [(0, Healthy), (1, Silent), (2, Unhealthy), (3, Healthy), (4, Silent), (6, Silent), (7, Silent)];
        assert_eq!(verdicts(HOUR, answers), [FINE, FINE, FINE, FINE, FINE, FINE, STALE]);
    }

    #[test]
    fn one_that_is_there_and_was_never_healthy_gets_no_patience() {
        let answers = [(0, Unhealthy), (1, Silent), (9, Silent), (10, Healthy)];
        assert_eq!(verdicts(HOUR, answers), [UNHEALTHY, UNHEALTHY, UNHEALTHY, FINE]);
    }

    #[test]
    fn after_a_boot_the_first_answer_is_waited_for_but_not_for_ever() {
        for (up, answers, expected) in [
            (20, [(0, Silent), (5, Silent), (6, Healthy)], [NOT_YET, NOT_YET, FINE]),
            (20, [(0, Silent), (29, Silent), (30, Silent)], [NOT_YET, NOT_YET, FINE]),
            (299, [(0, Silent), (29, Silent), (30, Silent)], [NOT_YET, NOT_YET, FINE]),
            (20, [(0, Silent), (5, Unhealthy), (31, Silent)], [NOT_YET, UNHEALTHY, UNHEALTHY]),
        ] {
            assert_eq!(verdicts(up, answers), expected, "up for {up} s: {answers:?}");
        }
    }

    #[test]
    fn a_speaker_that_starts_on_a_running_node_waits_for_nothing() {
        assert_eq!(verdicts(300, [(0, Silent)]), [FINE]);
    }
}
