use super::*;
use crate::ops::metrics::{page, registry, undocumented};
use landfall_core::addr::Family;
use std::collections::BTreeMap;

/// A page without its build info, whose version differs from release to release.
fn shown(figures: Published) -> String {
    let writes = Writes::default();
    for outcome in [Outcome::Written, Outcome::Written, Outcome::Busy(Duration::ZERO), Outcome::Unneeded] {
        writes.count(outcome);
    }
    let (_sender, figures) = watch::channel(figures);
    let text = page(&registry(Latest { figures, writes: Arc::new(writes), events: Arc::default() }));
    assert_eq!(undocumented(&text), [""; 0]);
    text.lines().filter(|line| !line.contains("landfall_build")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_leaders_page() {
    let usage = |pool: &str, family, used, total| Usage { pool: pool.into(), family, used, resting: 0, total };
    let services = Census {
        allocated: 7,
        kept: BTreeMap::from([("AddressOutsidePools", 1)]),
        refused: BTreeMap::from([("PoolExhausted", 2), ("UnknownPool", 1)]),
    };
    let pools = vec![usage("default", Family::V4, 8, 51), usage("default", Family::V6, 3, u128::from(u64::MAX))];
    insta::assert_snapshot!(shown(Some(Arc::new(Figures { services, pools, in_use: 1, unanswered: 2, waiting: 4 }))), @r#"
    # HELP landfall_controller_leader Whether this replica leads.
    # TYPE landfall_controller_leader gauge
    landfall_controller_leader 1
    # HELP landfall_controller_services Services, by status and reason of their condition landfall.dev/Allocated.
    # TYPE landfall_controller_services gauge
    landfall_controller_services{status="True",reason="Allocated"} 7
    landfall_controller_services{status="True",reason="AddressOutsidePools"} 1
    landfall_controller_services{status="False",reason="PoolExhausted"} 2
    landfall_controller_services{status="False",reason="UnknownPool"} 1
    # HELP landfall_controller_pool_addresses Addresses that a pool hands out, used ones among them.
    # TYPE landfall_controller_pool_addresses gauge
    landfall_controller_pool_addresses{pool="default",family="IPv4"} 51.0
    landfall_controller_pool_addresses{pool="default",family="IPv6"} 18446744073709553000.0
    # HELP landfall_controller_pool_addresses_used Addresses of a pool that Services have.
    # TYPE landfall_controller_pool_addresses_used gauge
    landfall_controller_pool_addresses_used{pool="default",family="IPv4"} 8.0
    landfall_controller_pool_addresses_used{pool="default",family="IPv6"} 3.0
    # HELP landfall_controller_foreign_addresses Addresses that are not handed out because foreign hosts use them.
    # TYPE landfall_controller_foreign_addresses gauge
    landfall_controller_foreign_addresses 1
    # HELP landfall_controller_unanswered_addresses Addresses of Services that no speaker answers for, by the condition landfall.dev/Announced.
    # TYPE landfall_controller_unanswered_addresses gauge
    landfall_controller_unanswered_addresses 2
    # HELP landfall_controller_writes_waiting Services that wait for a write.
    # TYPE landfall_controller_writes_waiting gauge
    landfall_controller_writes_waiting 4
    # HELP landfall_controller_writes Writes of Services, by how they ended.
    # TYPE landfall_controller_writes counter
    landfall_controller_writes_total{outcome="written"} 2
    landfall_controller_writes_total{outcome="conflict"} 0
    landfall_controller_writes_total{outcome="busy"} 1
    landfall_controller_writes_total{outcome="failed"} 0
    landfall_controller_writes_total{outcome="gone"} 1
    # HELP landfall_controller_events Events, by what became of them.
    # TYPE landfall_controller_events counter
    landfall_controller_events_total{outcome="sent"} 0
    landfall_controller_events_total{outcome="failed"} 0
    landfall_controller_events_total{outcome="repeated"} 0
    landfall_controller_events_total{outcome="dropped"} 0
    # EOF
    "#);
}

#[test]
fn one_who_does_not_lead_tells_only_what_it_did_itself() {
    let text = shown(None);
    assert!(text.contains("landfall_controller_leader 0\n"), "{text}");
    assert!(
        !text.contains("pool") && text.contains(r#"landfall_controller_writes_total{outcome="written"} 2"#),
        "{text}"
    );
}

#[test]
fn a_term_is_looked_at_once_a_second_and_only_for_those_who_can_read_it() {
    let (sender, reader) = watch::channel(None);
    let second = Duration::from_secs;
    let mut term = Term::new(&sender);
    assert_eq!(term.publish(second(5), Figures::default), EVERY);
    assert!(reader.borrow().is_some());
    assert_eq!(term.publish(second(5) + EVERY / 4, || unreachable!("it is not due")), EVERY * 3 / 4);
    assert_eq!(term.publish(second(9), Figures::default), EVERY);
    drop(term);
    assert!(reader.borrow().is_none(), "the term's figures go with it");
    drop(reader);
    assert_eq!(Term::new(&sender).publish(second(9), || unreachable!("nobody reads it")), Duration::MAX);
}
