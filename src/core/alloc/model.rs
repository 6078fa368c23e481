//! Random histories: whatever happens, in whatever order, the invariants hold, and a naive allocator that looks at every
//! combination of addresses agrees.

use super::{world::*, *};
use crate::{
    addr::Family::{self, V4, V6},
    config::Pool,
};
use FamilyPolicy::{PreferDualStack, RequireDualStack, SingleStack};
use proptest::prelude::*;
use std::{collections::BTreeMap, net::IpAddr};

/// Small pools that run out, share no address, and come and go.
const CONFIGURATIONS: [&str; 8] = [
    "pools:\n- {name: a, addresses: [198.51.100.1-198.51.100.3, '2001:db8::1-2001:db8::2']}\n",
    "pools:\n- {name: a, addresses: [198.51.100.1-198.51.100.2]}\n- {name: b, addresses: ['2001:db8::1', 198.51.100.3]}\n",
    "pools:\n- {name: b, addresses: [198.51.100.1, '2001:db8::1'], autoAssign: false}\n- {name: a, addresses: [198.51.100.2]}\n",
    "pools:\n- {name: a, addresses: [198.51.100.3, '2001:db8::/125']}\n- {name: c, addresses: [198.51.100.1-198.51.100.2], priority: 1}\n",
    "pools:\n- {name: a, addresses: [198.51.100.0/30], exclude: [198.51.100.2]}\n",
    "pools:\n- {name: a, addresses: [198.51.100.2-198.51.100.3, '2001:db8::1']}\n\
     - {name: b, addresses: [198.51.100.1, '2001:db8::2'], priority: -1, serviceSelectors: [{matchLabels: {tier: front}}]}\n",
    "pools:\n- {name: a, addresses: [198.51.100.2, '2001:db8::1'], namespaceSelectors: [{matchLabels: {tier: front}}]}\n\
     - {name: b, addresses: [198.51.100.1, 198.51.100.3], namespaces: [other]}\n- {name: c, addresses: ['2001:db8::2']}\n",
    "",
];

#[derive(Debug, Clone)]
enum Step {
    /// The user makes the Service, or changes it to this.
    Put {
        name: usize,
        families: (FamilyPolicy, Vec<Family>),
        request: Request,
        tier: &'static str,
    },
    /// The namespace gets this label.
    Label(&'static str),
    Delete(usize),
    /// Deleted and made again, unseen.
    Recreate(usize),
    /// No longer ours, or ours again.
    Toggle(usize),
    /// Somebody else writes this status.
    Meddle {
        name: usize,
        status: Vec<IpAddr>,
        wipe_record: bool,
    },
    Configure(usize),
    Restart,
}

fn addresses() -> impl Strategy<Value = Vec<IpAddr>> {
    let v4 = prop::sample::select(vec!["198.51.100.1", "198.51.100.2", "198.51.100.3", "203.0.113.1"]);
    let v6 = prop::sample::select(vec!["2001:db8::1", "2001:db8::2"]);
    prop_oneof![
        3 => Just(vec![]),
        2 => v4.clone().prop_map(|v4| vec![ip(v4)]),
        1 => v6.clone().prop_map(|v6| vec![ip(v6)]),
        1 => (v4, v6).prop_map(|(v4, v6)| vec![ip(v4), ip(v6)]),
    ]
}

fn tier() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["front", "back"])
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..6usize;
    let families = prop::sample::select(vec![
        (SingleStack, vec![V4]),
        (SingleStack, vec![V6]),
        (PreferDualStack, vec![V4]),
        (PreferDualStack, vec![V4, V6]),
        (PreferDualStack, vec![V6, V4]),
        (RequireDualStack, vec![V4, V6]),
    ]);
    let pool = prop::sample::select(vec![None, None, None, Some("a"), Some("b"), Some("nowhere")]);
    let request = (pool, addresses()).prop_map(|(pool, addresses)| Request {
        pool: pool.map(str::to_owned),
        addresses,
        malformed: None,
    });
    prop_oneof![
        8 => (name.clone(), families, request, tier())
            .prop_map(|(name, families, request, tier)| Step::Put { name, families, request, tier }),
        1 => tier().prop_map(Step::Label),
        3 => name.clone().prop_map(Step::Delete),
        1 => name.clone().prop_map(Step::Recreate),
        1 => name.clone().prop_map(Step::Toggle),
        2 => (name, addresses(), any::<bool>())
            .prop_map(|(name, status, wipe_record)| Step::Meddle { name, status, wipe_record }),
        2 => (0..CONFIGURATIONS.len()).prop_map(Step::Configure),
        1 => Just(Step::Restart),
    ]
}

type Holdings = BTreeMap<String, Vec<IpAddr>>;

/// By UID: what each Service holds.
fn holdings(world: &World) -> Holdings {
    let held = |entry: &Entry| entry.held.iter().map(|held| held.address).collect();
    let services = world.allocator.services.values();
    services.map(|entry| (entry.service.uid.clone(), held(entry))).collect()
}

/// Does a step. Says which Service it was about, and what was decided.
fn take(world: &mut World, step: &Step, count: usize) -> (Option<ServiceKey>, Vec<String>) {
    const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
    let exists = |name: &usize| world.objects.contains_key(&key(NAMES[*name]));
    match step {
        Step::Put { name, families, request, tier } => {
            let name = NAMES[*name];
            let mut service = world.objects.get(&key(name)).cloned().unwrap_or_else(|| Service {
                uid: format!("{name}-{count}"),
                created: count as i64,
                ..service(name)
            });
            (service.policy, service.families) = families.clone();
            service = service.labelled("tier", tier);
            service.request = request.clone();
            (Some(key(name)), world.put(service))
        }
        Step::Delete(name) if exists(name) => (Some(key(NAMES[*name])), world.delete(NAMES[*name])),
        Step::Recreate(name) if exists(name) => {
            let name = NAMES[*name];
            let again = Service { uid: format!("{name}-{count}"), created: count as i64, ..service(name) };
            (Some(key(name)), world.put(again))
        }
        Step::Toggle(name) if exists(name) => {
            let name = NAMES[*name];
            let decided = world.edit(name, |mut service| {
                service.managed = !service.managed;
                service
            });
            (Some(key(name)), decided)
        }
        Step::Meddle { name, status, wipe_record } if exists(name) => {
            let name = NAMES[*name];
            let decided = world.edit(name, |mut service| {
                service.status.clone_from(status);
                if *wipe_record {
                    service.record = None;
                }
                service
            });
            // Not the user's word: it gives nobody a reason to move.
            (None, decided)
        }
        Step::Label(tier) => (None, world.label_namespace("tier", tier)),
        Step::Configure(index) => (None, world.configure(CONFIGURATIONS[*index])),
        Step::Restart => (None, world.restart()),
        _ => (None, Vec::new()),
    }
}

/// The best that a Service without addresses can get, found by looking at every combination of one IPv4 address or none
/// with one IPv6 address or none.
fn best(service: &Service, world: &World, taken: &[IpAddr]) -> Option<Vec<IpAddr>> {
    let pools = world.pools();
    let free = |family: Family| {
        let of_pool = move |(index, pool): (usize, &Pool)| -> Vec<(usize, IpAddr)> {
            let ranges = pool.addresses.family(family).iter();
            let numbers = ranges.flat_map(|(first, last)| first..=last);
            numbers.map(|number| (index, family.address(number))).collect()
        };
        let all = pools.iter().enumerate().flat_map(of_pool).filter(|(_, address)| !taken.contains(address));
        std::iter::once(None).chain(all.map(Some)).collect::<Vec<_>>()
    };
    let first = service.families[0];
    let asked = &service.request.addresses;
    let is_good = |choice: &Vec<(usize, IpAddr)>| {
        let has = |family| choice.iter().any(|(_, address)| Family::of(*address) == family);
        let is_dual = has(V4) && has(V6);
        let families = match service.policy {
            SingleStack => has(first) && !is_dual,
            PreferDualStack if service.families.len() == 1 => has(first) && !is_dual,
            PreferDualStack => has(V4) || has(V6),
            RequireDualStack => is_dual,
        };
        let pool = |(index, _): &(usize, IpAddr)| &pools[*index];
        let is_asked = |address: &IpAddr| asked.contains(address);
        families
            && asked.iter().all(|address| choice.iter().any(|(_, chosen)| chosen == address))
            && service.request.pool.iter().all(|name| choice.iter().all(|chosen| pool(chosen).name == *name))
            // One pool, unless each address was asked for.
            && (choice.iter().all(|(index, _)| *index == choice[0].0) || choice.iter().any(|(_, a)| is_asked(a)))
            && choice.iter().all(|chosen| pool(chosen).admission.judge("test", Some(&world.namespace), &service.labels).is_ok())
            && choice.iter().all(|chosen| {
                let is_beside = choice.iter().any(|other| other.0 == chosen.0 && is_asked(&other.1));
                pool(chosen).auto_assign || service.request.pool.is_some() || is_beside
            })
    };
    let six = free(V6);
    let combinations = free(V4).into_iter().flat_map(|four| six.iter().map(move |six| (four, *six)));
    let choices = combinations.map(|(four, six)| four.into_iter().chain(six).collect::<Vec<_>>());
    let rank = |choice: &Vec<(usize, IpAddr)>| {
        let lacks_first = choice.iter().all(|(_, address)| Family::of(*address) != first);
        let is_split = choice.iter().any(|(index, _)| *index != choice[0].0);
        (2 - choice.len(), lacks_first, is_split, choice.clone())
    };
    let best = choices.filter(is_good).min_by_key(rank)?;
    Some(best.into_iter().map(|(_, address)| address).collect())
}

/// Whether the Service is somebody else's, by its object.
fn is_foreign(service: &Service, pools: &[Pool]) -> bool {
    let in_pools = |address: &IpAddr| pools.iter().any(|pool| pool.addresses.contains(*address));
    service.record.is_none() && !service.status.iter().all(in_pools)
}

/// Whether a Service that held `had` now holds what it asks for: the addresses, and nothing new from another pool.
fn has_its_request(service: &Service, had: &[IpAddr], held: &[IpAddr], pools: &[Pool]) -> bool {
    let Request { pool: name, addresses, .. } = &service.request;
    let is_of_pool =
        |address: &IpAddr| pools.iter().any(|pool| Some(&pool.name) == name.as_ref() && pool.lists(*address));
    (name.is_some() || !addresses.is_empty())
        && addresses.iter().all(|address| held.contains(address))
        && held.iter().all(|address| name.is_none() || had.contains(address) || is_of_pool(address))
}

/// What must hold after every step.
fn check(world: &World, before: &Holdings, about: Option<&ServiceKey>, step: &Step) {
    let ledger = world.allocator.ledger.as_ref().expect("a configuration");
    let pools = world.pools();
    let after = holdings(world);
    let mut taken: Vec<IpAddr> = after.values().flatten().copied().collect();
    taken.sort();
    let count = taken.len();
    taken.dedup();
    let leaving = world.allocator.services.values().filter(|entry| !entry.leaving.is_empty());
    assert_eq!(
        leaving.map(|entry| &entry.service.key).collect::<Vec<_>>(),
        [] as [&ServiceKey; 0],
        "reserved for ever"
    );
    assert_eq!(taken.len(), count, "an address belongs to two: {after:?}");
    for (position, pool) in pools.iter().enumerate() {
        for family in Family::BOTH {
            let used = taken.iter().filter(|a| Family::of(**a) == family && pool.addresses.contains(**a)).count();
            assert_eq!(ledger.usage(position, family).used, used as u128, "the ledger counts wrong");
        }
    }
    for object in world.objects.values() {
        let held = after.get(&object.uid).cloned().unwrap_or_default();
        let had = before.get(&object.uid).cloned().unwrap_or_default();
        if !held.is_empty() {
            assert_eq!(object.status, held, "the object says otherwise");
            assert!(object.finalizer && object.record.is_some() && object.managed, "{object:?}");
        } else if !object.managed {
            assert!(!object.finalizer && object.record.is_none(), "{object:?} is still marked");
        } else if !is_foreign(object, pools) {
            assert_eq!(best(object, world, &taken), None, "{object:?} waits in vain");
            assert!(!object.finalizer && object.status.is_empty(), "{object:?} shows what it does not hold");
        }
        // The user may have changed the families long before the new one is to be had.
        let is_usable = |address: &IpAddr| {
            let is_first = Family::of(*address) == object.families[0];
            is_first || object.policy != SingleStack && object.families.len() > 1
        };
        let moved = had.iter().any(|address| is_usable(address) && !held.contains(address));
        if moved && about != Some(&object.key) {
            assert!(
                has_its_request(object, &had, &held, pools),
                "{object:?} moved from {had:?}, for no reason: {step:?}"
            );
        }
    }
}

/// Runs a history and checks it on the way. Gives all that was decided.
fn run(steps: &[Step]) -> Vec<String> {
    let mut world = World::new(CONFIGURATIONS[0]);
    let mut all = Vec::new();
    for (count, step) in steps.iter().enumerate() {
        let before = holdings(&world);
        let fresh = match step {
            Step::Put { name, .. } => !world.objects.contains_key(&key(["a", "b", "c", "d", "e", "f"][*name])),
            _ => false,
        };
        let (about, decided) = take(&mut world, step, count);
        check(&world, &before, about.as_ref(), step);
        let after = holdings(&world);
        if let (true, Some(about)) = (fresh, &about) {
            let taken: Vec<IpAddr> = before.values().flatten().copied().collect();
            let object = &world.objects[about];
            let expected = best(object, &world, &taken);
            assert_eq!(after[&object.uid], expected.unwrap_or_default(), "{object:?}");
        }
        if matches!(step, Step::Restart) {
            let held =
                |holdings: Holdings| holdings.into_iter().filter(|(_, held)| !held.is_empty()).collect::<Vec<_>>();
            assert_eq!(held(after), held(before), "a restart changes nothing");
        }
        all.extend(decided);
        // An unchanged object is no news. At most it learns who has taken the address that it asks for, once.
        let held = holdings(&world);
        let mut again = || -> Vec<String> {
            let objects: Vec<Service> = world.objects.values().cloned().collect();
            objects.into_iter().flat_map(|object| world.apply(Event::Applied(object))).collect()
        };
        assert_eq!(again().iter().find(|line| !line.ends_with("AddressInUse")), None);
        assert_eq!(again(), [""; 0]);
        assert_eq!(holdings(&world), held);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_history_keeps_the_invariants(steps in prop::collection::vec(step(), 1..40)) {
        let decided = run(&steps);
        prop_assert_eq!(run(&steps), decided, "the same history, another result");
    }
}
