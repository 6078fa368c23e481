//! What is done about foreign hosts that use an announced address.

use super::fields::{Fields, Findings};

/// `conflict` of an announcement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Conflict {
    /// What is done about a foreign host that claims an address which is announced.
    pub policy: Policy,
    /// How it is asked whether an address is in use, before it is announced for the first time.
    pub probe: Probe,
}

/// What is done about a foreign host. It is told in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Policy {
    /// The address is announced against it, once every 10 s at most (RFC 5227, section 2.4, case (c)).
    #[default]
    Defend,
    /// The address is left to it, until it has gone.
    Yield,
    /// Nothing.
    Ignore,
}

/// How it is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Probe {
    /// Three times within a quarter of a second.
    #[default]
    Fast,
    /// With the times of RFC 5227 and RFC 4862: up to seven seconds.
    Rfc,
    /// Not at all.
    Off,
}

impl Conflict {
    /// None where the announcement does not say.
    pub(super) fn read(fields: &Fields<'_>, findings: &mut Findings) -> Option<Self> {
        let node = fields.node("conflict")?;
        let fields = findings.fields(node, &fields.path("conflict"), CONFLICT);
        let policies = [("defend", Policy::Defend), ("yield", Policy::Yield), ("ignore", Policy::Ignore)];
        let probes = [("fast", Probe::Fast), ("rfc", Probe::Rfc), ("off", Probe::Off)];
        let policy = fields.choice(findings, "policy", &policies);
        let probe = fields.choice(findings, "probe", &probes);
        Some(Self { policy, probe })
    }
}

const CONFLICT: &[&str] = &["policy", "probe"];

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn read(text: &str) -> Option<Conflict> {
        let text = format!("pools: [{{name: a, addresses: [198.51.100.1]}}]\nannouncements: [{text}]");
        parse(&text).unwrap().config.announcements[0].conflict
    }

    #[test]
    fn what_is_not_said_is_defended_and_probed_fast() {
        assert_eq!(read("{}"), None);
        assert_eq!(read("{conflict: {}}"), Some(Conflict { policy: Policy::Defend, probe: Probe::Fast }));
        assert_eq!(read("{conflict: {probe: off}}"), Some(Conflict { policy: Policy::Defend, probe: Probe::Off }));
        assert_eq!(
            read("{conflict: {policy: yield, probe: rfc}}"),
            Some(Conflict { policy: Policy::Yield, probe: Probe::Rfc })
        );
    }

    #[test]
    fn of_several_announcements_for_a_pool_the_first_that_says_something_counts() {
        let text = "pools: [{name: a, addresses: [198.51.100.1]}, {name: b, addresses: [198.51.100.2]}]\n\
                    announcements: [{}, {pools: [b], conflict: {policy: yield}}, {conflict: {policy: ignore}}]";
        let config = parse(text).unwrap().config;
        let policies = ["a", "b"].map(|pool| config.conflict(pool).policy);
        assert_eq!(policies, [Policy::Ignore, Policy::Yield]);
        assert_eq!(parse("").unwrap().config.conflict("a"), Conflict::default());
    }

    #[test]
    fn other_words_are_refused_where_they_stand() {
        let text = "announcements:\n- conflict: {policy: fight, probe: slow, wait: 1s}\n";
        let said = parse(text).unwrap_err().to_string();
        for place in ["line 2, column 22: announcements[0].conflict.policy", "conflict.probe", "conflict.wait"] {
            assert!(said.contains(place), "{said}");
        }
    }
}
