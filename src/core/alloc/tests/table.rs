//! The table of rules for users names every reason, and tests that are there.

use super::*;

const TABLE: &str = include_str!("../../../../docs/allocation.md");

/// The words in the column at this index of the table's rows.
fn column(index: usize) -> impl Iterator<Item = &'static str> {
    let rows = TABLE.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| rule"));
    rows.filter_map(move |row| row.split(" | ").nth(index)).flat_map(|cell| cell.split('`').skip(1).step_by(2))
}

/// One of each variant: the compiler sees to it that none is missing.
macro_rules! each {
    ($of:ident: $($variant:ident $(($($parts:tt)*))? $({$($fields:tt)*})?),+ $(,)?) => {{
        let known = |one: &$of| match one {
            $($of::$variant { .. } => ()),+
        };
        let all = vec![$($of::$variant $(($($parts)*))? $({$($fields)*})?),+];
        all.iter().for_each(known);
        all
    }};
}

#[test]
fn every_reason_is_in_the_table() {
    let key = || key("a");
    let (address, pool, strings) = (ip("198.51.100.1"), || "a".to_owned(), || Few::from_iter([]));
    let port = Port { protocol: Protocol::Tcp, number: 80 };
    let clashes = each![Clash: Keys, Port(port), Policies, Pods, Namespaces, Forbidden];
    let reserves = || each![Reserve: Node(pool()), Edge(pool()), InUse(pool())].into_iter();
    let reserved = reserves().map(|by| Refusal::Reserved { address, by });
    let strangers = each![
        Stranger: Name,
        Unlisted(address),
        Excluded { address, pool: pool() },
        Reserved { address, by: Reserve::Node(pool()) },
    ];
    let strangers = strangers.into_iter().chain(reserves().map(|by| Stranger::Reserved { address, by }));
    let all = each![
        Refusal: NoPools,
        NoAutoAssign { pools: strings() },
        NotAdmitted { pool: pool(), barrier: crate::config::Barrier::Labels },
        NoneAdmits { pools: strings() },
        NoFamily { family: V4, pools: strings() },
        Exhausted { usage: Few::from_iter([]) },
        NotBothFamilies { usage: Few::from_iter([]) },
        Foreign { shown: pool(), stranger: Stranger::Name },
        Malformed(pool()),
        UnknownPool { pool: pool(), known: strings() },
        OutsidePools { address },
        Excluded { address, pool: pool() },
        Reserved { address, by: Reserve::Node(pool()) },
        Resting { address, of: key() },
        Taken { address, by: key() },
        Unshareable { address, by: key(), clash: Clash::Keys },
        Unpaired { address },
        NamespaceLimit { pool: pool(), namespace: pool(), limit: 1 },
        WrongPool { address, pool: pool(), found: pool() },
        WrongFamily { address, families: Few::from_iter([]) },
        TwoOfOneFamily { first: address, second: address },
    ];
    let shared = clashes.into_iter().map(|clash| Refusal::Unshareable { address, by: key(), clash });
    let foreign = strangers.map(|stranger| Refusal::Foreign { shown: pool(), stranger });
    for refusal in all.into_iter().chain(shared).chain(reserved).chain(foreign) {
        let reason = refusal.reason();
        assert!(column(1).any(|word| word == reason), "docs/allocation.md does not name {reason}");
        // What to do is at the end, and fits the note of an Event.
        assert!(refusal.to_string().contains(':') && refusal.to_string().len() < 1024, "{refusal}");
    }
}

#[test]
fn every_test_in_the_table_is_there() {
    let sources = [
        include_str!("mod.rs"),
        include_str!("edits.rs"),
        include_str!("families.rs"),
        include_str!("limits.rs"),
        include_str!("memory.rs"),
        include_str!("release.rs"),
        include_str!("requests.rs"),
        include_str!("reserved.rs"),
        include_str!("restrictions.rs"),
        include_str!("sharing.rs"),
        include_str!("strangers.rs"),
        include_str!("waiting.rs"),
        include_str!("../../../cluster/lease.rs"),
        include_str!("../../../cluster/queue.rs"),
        include_str!("../../../cluster/service/request.rs"),
        include_str!("../../../controller/state/tests.rs"),
        include_str!("../../../controller/state/tests/records.rs"),
        include_str!("../../../../tests/controller/bursts.rs"),
    ];
    let tests = column(2).filter(|word| !word.contains('/'));
    assert!(tests.count() > 40);
    for test in column(2).filter(|word| !word.contains('/')) {
        let function = format!("fn {test}(");
        assert!(sources.iter().any(|source| source.contains(&function)), "there is no test {test}");
    }
}
