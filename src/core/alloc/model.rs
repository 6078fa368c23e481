//! Random histories: whatever happens, in whatever order, the invariants hold, and a naive allocator that looks at every
//! combination of addresses agrees.

use super::{world::*, *};
use crate::{
    addr::Family::{self, V4, V6},
    config::Pool,
};
use FamilyPolicy::{PreferDualStack, RequireDualStack, SingleStack};
use arcstr::ArcStr;
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

/// Small pools that run out, share no address, and come and go.
const CONFIGURATIONS: [&str; 9] = [
    "pools:\n- {name: a, addresses: [198.51.100.1-198.51.100.3, '2001:db8::1-2001:db8::2']}\nquarantine: 30s\nreuse: 100s\n",
    "pools:\n- {name: a, addresses: [198.51.100.1-198.51.100.2]}\n- {name: b, addresses: ['2001:db8::1', 198.51.100.3]}\n",
    "pools:\n- {name: b, addresses: [198.51.100.1, '2001:db8::1'], autoAssign: false}\n- {name: a, addresses: [198.51.100.2]}\n",
    "pools:\n- {name: a, addresses: [198.51.100.3, '2001:db8::/125'], sharing: all}\n- {name: c, addresses: [198.51.100.1-198.51.100.2], priority: 1}\n\
     quarantine: 0\nreuse: 60s\n",
    "pools:\n- {name: a, addresses: [198.51.100.0/30], exclude: [198.51.100.2]}\n",
    "pools:\n- {name: a, addresses: [198.51.100.2-198.51.100.3, '2001:db8::1']}\n\
     - {name: b, addresses: [198.51.100.1, '2001:db8::2'], priority: -1, serviceSelectors: [{matchLabels: {tier: front}}]}\n",
    "pools:\n- {name: a, addresses: [198.51.100.2, '2001:db8::1'], namespaceSelectors: [{matchLabels: {tier: front}}]}\n\
     - {name: b, addresses: [198.51.100.1, 198.51.100.3], namespaces: [other]}\n- {name: c, addresses: ['2001:db8::2']}\n",
    "pools:\n- {name: a, addresses: [198.51.100.1-198.51.100.2, '2001:db8::1-2001:db8::2'], perNamespace: 2, sharing: all}\n\
     - {name: b, addresses: [198.51.100.3], sharing: none}\n",
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
        share: Option<Arc<Share>>,
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
    /// So many seconds pass.
    Pass(u64),
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

/// Mostly none; two keys, few ports.
fn share() -> impl Strategy<Value = Option<Arc<Share>>> {
    let ports = prop::sample::subsequence(vec![80, 443, 8080], 1..=2);
    let keys = prop::sample::select(vec![None, None, Some("k"), Some("k"), Some("l")]);
    let local = prop::sample::select(vec![false, false, true]);
    (keys, ports, local).prop_map(|(key, ports, local)| {
        let service = service("any").shares(key?, &ports);
        if local { service.local("web").share } else { service.share }
    })
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
        ..Request::default()
    });
    prop_oneof![
        8 => (name.clone(), families, request, tier(), share()).prop_map(
            |(name, families, request, tier, share)| Step::Put { name, families, request, tier, share }
        ),
        1 => tier().prop_map(Step::Label),
        3 => name.clone().prop_map(Step::Delete),
        1 => name.clone().prop_map(Step::Recreate),
        1 => name.clone().prop_map(Step::Toggle),
        2 => (name, addresses(), any::<bool>())
            .prop_map(|(name, status, wipe_record)| Step::Meddle { name, status, wipe_record }),
        2 => (0..CONFIGURATIONS.len()).prop_map(Step::Configure),
        3 => (1..60u64).prop_map(Step::Pass),
        1 => Just(Step::Restart),
    ]
}

type Holdings = BTreeMap<ArcStr, Vec<IpAddr>>;

/// By UID: what each Service holds.
fn holdings(world: &World) -> Holdings {
    let held = |entry: &Entry| entry.held().iter().map(|held| held.address).collect();
    let services = world.allocator.services.values();
    services.map(|entry| (entry.service.uid.clone(), held(entry))).collect()
}

/// A new Service: four in the one namespace, two in another, whose labels nobody tells.
fn unserved(number: usize) -> Service {
    let service = service(["a", "b", "c", "d", "e", "f"][number]);
    if number < 4 { service } else { service.of("other") }
}

/// Does a step. Says which Service it was about, and what was decided.
fn take(world: &mut World, step: &Step, count: usize) -> (Option<ServiceKey>, Vec<String>) {
    let exists = |name: &usize| world.objects.contains_key(&unserved(*name).key);
    let again = |name: usize| Service {
        uid: format!("{}-{count}", unserved(name).key.name()).into(),
        created: count as i64,
        ..unserved(name)
    };
    let old = |name: usize| world.objects[&unserved(name).key].clone();
    match step {
        Step::Put { name, families, request, tier, share } => {
            let service = if exists(name) { old(*name) } else { again(*name) };
            let mut service = service.families(families.0, &families.1).labelled("tier", tier);
            service.share.clone_from(share);
            service.rare = request.clone().boxed();
            (Some(service.key.clone()), world.put(service))
        }
        Step::Delete(name) if exists(name) => (Some(unserved(*name).key), world.delete_key(unserved(*name).key)),
        Step::Recreate(name) if exists(name) => (Some(unserved(*name).key), world.put(again(*name))),
        Step::Toggle(name) if exists(name) => {
            let old = old(*name);
            (Some(old.key.clone()), world.put(Service { managed: !old.managed, ..old }))
        }
        Step::Meddle { name, status, wipe_record } if exists(name) => {
            let old = old(*name);
            let record = old.record.clone().filter(|_| !wipe_record);
            // Not the user's word: it gives nobody a reason to move.
            (None, world.put(Service { status: status.clone().into(), record, ..old }))
        }
        Step::Label(tier) => (None, world.label_namespace("tier", tier)),
        Step::Configure(index) => (None, world.configure(CONFIGURATIONS[*index])),
        Step::Pass(seconds) => (None, world.pass(*seconds)),
        Step::Restart => (None, world.restart()),
        _ => (None, Vec::new()),
    }
}

/// Who has which address, but for the Service that is looked at.
type Tenancies = Vec<(IpAddr, Service)>;

fn tenancies(world: &World, holdings: &Holdings) -> Tenancies {
    let of = |service: &Service| {
        let held = holdings.get(&service.uid).cloned().unwrap_or_default();
        held.into_iter().map(|address| (address, service.clone())).collect::<Vec<_>>()
    };
    world.objects.values().flat_map(of).collect()
}

fn clash(one: &Service, other: &Service) -> bool {
    Share::clash((&one.key, one.share.as_deref()), (&other.key, other.share.as_deref())).is_some()
}

/// An address that a Service may get: from the pool at this position, and whether others have it, too.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Offer {
    pool: usize,
    address: IpAddr,
    joined: bool,
}

/// The best that a Service without addresses can get, found by looking at every combination of one IPv4 address or none
/// with one IPv6 address or none.
fn best(service: &Service, world: &World, taken: &Tenancies, rests: &[Rest]) -> Option<Vec<IpAddr>> {
    let pools = world.pools();
    let rests: BTreeMap<IpAddr, Rest> = rests.iter().map(|rest| (rest.address, rest.clone())).collect();
    let (quarantine, namespace) = (world.config().quarantine, service.key.namespace());
    let offer = |pool: usize, address: IpAddr| {
        if rests.get(&address).is_some_and(|rest| rest.key != service.key && rest.since + quarantine > world.now) {
            return None;
        }
        let mut others = taken.iter().filter(|(other, _)| *other == address).map(|(_, other)| other).peekable();
        let joined = others.peek().is_some();
        let forbids = |other: &Service| Share::forbidden(pools[pool].sharing, &service.key, &other.key).is_some();
        let is_shared = others.all(|other| !clash(service, other) && !forbids(other));
        (!joined || is_shared).then_some(Offer { pool, address, joined })
    };
    let of_family = |family: Family| {
        let of_pool = |(index, pool): (usize, &Pool)| -> Vec<Offer> {
            let ranges = pool.addresses.family(family).iter();
            let numbers = ranges.flat_map(|(first, last)| first..=last);
            numbers.filter_map(|number| offer(index, family.address(number))).collect()
        };
        let all = pools.iter().enumerate().flat_map(of_pool);
        std::iter::once(None).chain(all.map(Some)).collect::<Vec<_>>()
    };
    let first = service.families.first;
    let asked = &service.request().addresses;
    let is_asked = |option: &Offer| asked.contains(&option.address);
    let is_good = |choice: &Vec<Offer>| {
        let has = |family| choice.iter().any(|option| Family::of(option.address) == family);
        let is_dual = has(V4) && has(V6);
        let families = match service.policy {
            SingleStack => has(first) && !is_dual,
            PreferDualStack if !service.families.both => has(first) && !is_dual,
            PreferDualStack => has(V4) || has(V6),
            RequireDualStack => is_dual,
        };
        let chosen = || choice.iter().filter(|option| !is_asked(option));
        let is_asked_shared = choice.iter().any(|option| is_asked(option) && option.joined);
        let is_admitted = |option: &Offer| {
            let labels = Some(&world.namespace).filter(|_| namespace == "test");
            pools[option.pool].admission.judge(namespace, labels, &service.labels).is_ok()
        };
        let is_usable = |option: &Offer| {
            let is_beside = choice.iter().any(|other| other.pool == option.pool && is_asked(other));
            pools[option.pool].auto_assign || service.request().pool.is_some() || is_beside
        };
        let has_room = |option: &Offer| {
            let pool = &pools[option.pool];
            let own = taken.iter().filter(|(_, other)| other.key.namespace() == namespace).map(|(address, _)| *address);
            let had: BTreeSet<IpAddr> = own.filter(|address| pool.lists(*address)).collect();
            let is_new = |option: &Offer| !had.contains(&option.address);
            let new = choice.iter().filter(|other| other.pool == option.pool && is_new(other)).count();
            !is_new(option) || pool.per_namespace == 0 || had.len() + new <= pool.per_namespace as usize
        };
        families
            && asked.iter().all(|address| choice.iter().any(|option| option.address == *address))
            && service.request().pool.iter().all(|name| choice.iter().all(|option| pools[option.pool].name == *name))
            && match choice.iter().any(is_asked) {
                true => chosen().all(|option| !option.joined || is_asked_shared),
                // Both are shared or neither, and from one pool.
                false => choice.iter().all(|option| option.joined == choice[0].joined && option.pool == choice[0].pool),
            }
            && choice.iter().all(|option| is_admitted(option) && is_usable(option) && has_room(option))
    };
    let six = of_family(V6);
    let combinations = of_family(V4).into_iter().flat_map(|four| six.iter().map(move |six| (four, *six)));
    let choices = combinations.map(|(four, six)| four.into_iter().chain(six).collect::<Vec<_>>());
    let rank = |choice: &Vec<Offer>| {
        let lacks_first = choice.iter().all(|option| Family::of(option.address) != first);
        let is_new = choice.iter().any(|option| !is_asked(option) && !option.joined);
        let is_split = is_new && choice.iter().any(|option| option.pool != choice[0].pool);
        // Its own, the latest first; then the lowest that nobody remembers; then what is remembered longest.
        let age = |option: &Offer| match rests.get(&option.address) {
            Some(rest) if rest.key == service.key => (0, Duration::MAX - rest.since),
            None => (1, Duration::ZERO),
            Some(rest) => (2, rest.since),
        };
        let place = |option: &Offer| match option.joined {
            true => (0, (0, Duration::ZERO), option.address),
            false => (option.pool, age(option), option.address),
        };
        (2 - choice.len(), lacks_first, is_new, is_split, choice.iter().map(place).collect::<Vec<_>>())
    };
    let best = choices.filter(is_good).min_by_key(rank)?;
    Some(best.into_iter().map(|option| option.address).collect())
}

/// Whether the Service is somebody else's, by its object.
fn is_foreign(service: &Service, pools: &[Pool]) -> bool {
    let in_pools = |address: &IpAddr| pools.iter().any(|pool| pool.addresses.contains(*address));
    service.record.is_none() && !service.status.iter().all(in_pools)
}

/// Whether a Service that held `had` now holds what it asks for: the addresses, and nothing new from another pool.
fn has_its_request(service: &Service, had: &[IpAddr], held: &[IpAddr], pools: &[Pool]) -> bool {
    let Request { pool: name, addresses, .. } = service.request();
    let is_of_pool =
        |address: &IpAddr| pools.iter().any(|pool| Some(pool.name.as_str()) == name.as_deref() && pool.lists(*address));
    (name.is_some() || !addresses.is_empty())
        && addresses.iter().all(|address| held.contains(address))
        && held.iter().all(|address| name.is_none() || had.contains(address) || is_of_pool(address))
}

/// What must hold after every step.
fn check(world: &World, before: &Holdings, about: Option<&ServiceKey>, step: &Step) {
    let ledger = world.allocator.ledger.as_ref().expect("a configuration");
    let pools = world.pools();
    let after = holdings(world);
    let tenancies = tenancies(world, &after);
    let taken: BTreeSet<IpAddr> = tenancies.iter().map(|(address, _)| *address).collect();
    for (address, one) in &tenancies {
        for (_, other) in tenancies.iter().filter(|(same, other)| same == address && other.key != one.key) {
            assert!(!clash(one, other), "{address} belongs to two that do not share: {one:?} {other:?}");
        }
    }
    let leaving = world.allocator.services.values().filter(|entry| !entry.leaving().is_empty());
    assert_eq!(
        leaving.map(|entry| &entry.service.key).collect::<Vec<_>>(),
        [] as [&ServiceKey; 0],
        "reserved for ever"
    );
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
            assert_eq!(*object.status, *held, "the object says otherwise");
            assert!(object.finalizer && object.record.is_some() && object.managed, "{object:?}");
        } else if !object.managed {
            assert!(!object.finalizer && object.record.is_none(), "{object:?} is still marked");
        } else if !is_foreign(object, pools) {
            assert_eq!(best(object, world, &tenancies, &world.memory()), None, "{object:?} waits in vain");
            assert!(!object.finalizer && object.status.is_empty(), "{object:?} shows what it does not hold");
        }
        // The user may have changed the families long before the new one is to be had.
        let is_usable = |address: &IpAddr| {
            let is_first = Family::of(*address) == object.families.first;
            is_first || object.policy != SingleStack && object.families.both
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

/// What was given up rests, as long as the configuration says, and nothing else does.
fn check_memory(world: &World, taken: &Tenancies, rests: &[Rest], shown: &BTreeSet<IpAddr>) {
    let keep = world.config().quarantine.max(world.config().reuse);
    let now = tenancies(world, &holdings(world));
    let mut expected: BTreeMap<IpAddr, Duration> = rests.iter().map(|rest| (rest.address, rest.since)).collect();
    expected.extend(taken.iter().map(|(address, _)| (*address, world.now)));
    expected.retain(|address, _| now.iter().all(|(held, _)| held != address));
    expected.retain(|_, since| *since + keep > world.now);
    // What was adopted and given up in one step is not in `taken`.
    let memory: Vec<Rest> = world
        .memory()
        .into_iter()
        .filter(|rest| expected.contains_key(&rest.address) || !shown.contains(&rest.address))
        .collect();
    let remembered: BTreeMap<IpAddr, Duration> = memory.iter().map(|rest| (rest.address, rest.since)).collect();
    assert_eq!(remembered, expected);
    for rest in memory.iter().filter(|rest| !rests.contains(rest)) {
        let was = taken.iter().any(|(address, of)| (*address, &of.key) == (rest.address, &rest.key));
        assert!(was, "{rest:?} was never so");
    }
}

/// Whoever asks what was decided of a Service is told the same again, as long as it counts.
fn check_conclusions(world: &World) {
    for (key, decision) in &world.decided {
        let counts = world.objects[key].managed && !matches!(decision, Decision::Release { .. });
        assert_eq!(world.allocator.conclusion(key).as_ref(), Some(decision).filter(|_| counts));
    }
}

/// Runs a history and checks it on the way. Gives what it has led to, and all that was decided.
fn run(steps: &[Step]) -> (World, Vec<String>) {
    let mut world = World::new(CONFIGURATIONS[0]);
    let mut all = Vec::new();
    for (count, step) in steps.iter().enumerate() {
        let before = holdings(&world);
        let (taken, rests) = (tenancies(&world, &before), world.memory());
        let shown = world.objects.values().flat_map(|object| object.status.to_vec()).collect();
        let fresh = match step {
            Step::Put { name, .. } => !world.objects.contains_key(&unserved(*name).key),
            _ => false,
        };
        let (about, decided) = take(&mut world, step, count);
        check(&world, &before, about.as_ref(), step);
        check_memory(&world, &taken, &rests, &shown);
        check_conclusions(&world);
        let after = holdings(&world);
        if let (true, Some(about)) = (fresh, &about) {
            let object = &world.objects[about];
            let expected = best(object, &world, &taken, &rests);
            assert_eq!(after[&object.uid], expected.unwrap_or_default(), "{object:?}");
        }
        let held = |holdings: Holdings| holdings.into_iter().filter(|(_, held)| !held.is_empty()).collect::<Vec<_>>();
        if matches!(step, Step::Restart) {
            assert_eq!(held(after.clone()), held(before), "a restart changes nothing");
        }
        let rebuilt = start(world.first_events().into_iter(), world.now).1;
        let rebuilt = rebuilt.into_iter().filter_map(|(key, held)| Some((world.objects.get(&key)?.uid.clone(), held)));
        assert_eq!(held(rebuilt.collect()), held(after), "the statuses say something else: {step:?}");
        all.extend(decided);
        // An unchanged object is no news. At most it learns what else has come into its way meanwhile, once.
        let held = holdings(&world);
        let mut again = || -> Vec<String> {
            let objects: Vec<Service> = world.objects.values().cloned().collect();
            objects.into_iter().flat_map(|object| world.apply(seen(object))).collect()
        };
        assert_eq!(again().iter().find(|line| !line.contains(": refused: ") && !line.contains(", kept: ")), None);
        assert_eq!(again(), [""; 0]);
        assert_eq!(holdings(&world), held);
    }
    (world, all)
}

/// What a new process decides when it hears of all in this order, and what its Services then hold.
fn start(events: impl Iterator<Item = Event>, now: Duration) -> (Vec<String>, BTreeMap<ServiceKey, Vec<IpAddr>>) {
    let mut allocator = Allocator::new();
    for event in events {
        assert_eq!(allocator.apply(event, now), []);
    }
    let decided = allocator.apply(Event::Synced, now).iter().map(show).collect();
    let held = |entry: &Entry| entry.held().iter().map(|held| held.address).collect();
    (decided, allocator.services.iter().map(|(key, entry)| (key.clone(), held(entry))).collect())
}

proptest! {
    #[test]
    fn any_history_keeps_the_invariants(steps in prop::collection::vec(step(), 1..40)) {
        let (_, decided) = run(&steps);
        prop_assert_eq!(run(&steps).1, decided, "the same history, another result");
    }

    #[test]
    fn the_order_of_the_first_lists_does_not_matter(
        steps in prop::collection::vec(step(), 1..20),
        unserved in prop::collection::vec(any::<bool>(), 6),
        order in Just((0..10usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let (mut world, _) = run(&steps);
        for (object, _) in world.objects.values_mut().zip(unserved).filter(|(_, unserved)| *unserved) {
            (object.record, object.finalizer, object.status) = (None, false, Box::default());
        }
        let events = world.first_events();
        let shuffled = order.iter().filter_map(|index| events.get(*index).cloned());
        prop_assert_eq!(start(shuffled, world.now), start(events.iter().cloned(), world.now));
    }
}
