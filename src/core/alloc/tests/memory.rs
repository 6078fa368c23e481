//! Released addresses rest, and are remembered for whose they were.

use super::*;

/// A configuration with these addresses, whose releases rest for a minute and are remembered for an hour.
fn resting(addresses: &str) -> String {
    format!("pools: [{{name: a, addresses: [{addresses}]}}]\nquarantine: 60s\nreuse: 1h\n")
}

/// Takes a Service away whose address is released by the way.
fn remove(world: &mut World, name: &str) -> Vec<String> {
    let mut decided = world.edit(name, |mut service| {
        service.managed = false;
        service
    });
    decided.extend(world.delete(name));
    decided
}

#[test]
fn a_released_address_rests_before_another_service_gets_it() {
    let mut world = World::new(&resting("198.51.100.1"));
    world.put(service("a"));
    assert_eq!(remove(&mut world, "a"), ["a: released 198.51.100.1"]);
    assert_eq!(world.put(service("b")), ["b: refused: PoolExhausted"]);
    assert_eq!(world.pass(59), NONE);
    assert_eq!(world.restart(), NONE);
    assert_eq!(world.allocator.deadline(), Some(world.now + Duration::from_secs(1)));
    assert_eq!(world.pass(1), ["b: 198.51.100.1 of a"]);
    assert_eq!(world.allocator.deadline(), None);
}

#[test]
fn a_request_does_not_break_anothers_rest() {
    let mut world = World::new(&resting("198.51.100.1-198.51.100.9"));
    world.put(service("a"));
    remove(&mut world, "a");
    let asks = |name| service(name).asks(None, &["198.51.100.1"]);
    assert_eq!(world.put(asks("b")), ["b: refused: AddressResting"]);
    assert_eq!(world.put(asks("a")), ["a: 198.51.100.1 of a"]);
    remove(&mut world, "a");
    assert_eq!(world.pass(60), ["b: 198.51.100.1 of a"]);
}

#[test]
fn a_service_that_is_made_again_gets_its_own_address_back() {
    let mut world = World::new(&resting("198.51.100.1-198.51.100.9, '2001:db8::1-2001:db8::9'"));
    world.put(service("first"));
    world.put(of_both(RequireDualStack, "a"));
    remove(&mut world, "first");
    remove(&mut world, "a");
    // The lower one rests for another.
    assert_eq!(world.put(service("other")), ["other: 198.51.100.3 of a"]);
    world.pass(3000);
    assert_eq!(world.restart(), NONE);
    let again = Service { uid: "again".into(), ..of_both(PreferDualStack, "a") };
    assert_eq!(world.put(again), ["a: 198.51.100.2 2001:db8::1 of a"]);
    // One that is made again unseen does too, and at once.
    let unseen = Service { uid: "unseen".into(), ..of_both(PreferDualStack, "a") };
    assert_eq!(world.put(unseen), ["a: 198.51.100.2 2001:db8::1 of a"]);
}

#[test]
fn others_get_what_nobody_remembers_before_what_is_remembered_longest() {
    let mut world = World::new(&resting("198.51.100.1-198.51.100.4"));
    for name in ["a", "b", "c"] {
        world.put(service(name));
    }
    for name in ["b", "a", "c"] {
        remove(&mut world, name);
        world.pass(10);
    }
    world.pass(60);
    for (name, expected) in [("s", "4"), ("t", "2"), ("u", "1"), ("v", "3")] {
        assert_eq!(world.put(service(name)), [format!("{name}: 198.51.100.{expected} of a")]);
    }
    assert_eq!(world.memory(), []);
}

#[test]
fn what_was_remembered_long_enough_is_forgotten() {
    let mut world = World::new(&resting("198.51.100.1-198.51.100.4"));
    world.put(service("a"));
    world.put(service("b"));
    remove(&mut world, "b");
    world.pass(3599);
    assert_eq!(world.memory().len(), 1);
    world.pass(1);
    assert_eq!(world.memory(), []);
    assert_eq!(world.put(service("c")), ["c: 198.51.100.2 of a"]);
}

#[test]
fn of_too_many_the_oldest_are_forgotten_but_nothing_that_still_rests() {
    let text = resting("198.18.0.0/16, 203.0.113.1");
    let mut world = World::new(&text);
    let base = 198 << 24 | 18 << 16;
    let released = |number: u128, now| Rest { address: V4.address(base + number), key: key("gone"), since: now };
    let most: Vec<Rest> = (0..MOST as u128).map(|number| released(number, world.now)).collect();
    world.allocator = Allocator::new();
    for event in [Event::Remembered(most), Event::Configured(configuration(&text)), Event::Synced] {
        assert_eq!(world.apply(event), NONE);
    }
    world.pass(1);
    world.put(service("a").asks(None, &["203.0.113.1"]));
    remove(&mut world, "a");
    assert_eq!(world.memory().len(), MOST + 1, "all of them rest");
    assert_eq!(world.put(service("b")), ["b: 198.18.39.16 of a"], "the lowest that does not rest");
    assert_eq!(world.put(service("c").asks(None, &["198.18.0.0"])), ["c: refused: AddressResting"]);
    assert_eq!(world.restart(), NONE);
    assert_eq!(world.memory().len(), MOST + 1);
    // Then the oldest is forgotten, and no more than that.
    world.delete("c");
    world.pass(59);
    assert_eq!(world.memory().len(), MOST);
    assert_eq!(world.put(service("c")), ["c: 198.18.0.0 of a"]);
    world.delete("b");
    assert_eq!(world.memory().len(), MOST);
}

#[test]
fn an_address_that_a_service_leaves_rests_too() {
    let mut world = World::new(&resting("198.51.100.1-198.51.100.2"));
    world.put(service("a"));
    assert_eq!(world.edit("a", |a| a.asks(None, &["198.51.100.2"])), ["a: 198.51.100.2 of a"]);
    assert_eq!(world.put(service("b")), ["b: refused: PoolExhausted"]);
    assert_eq!(world.edit("a", |a| a.asks(None, &["198.51.100.1"])), ["a: 198.51.100.1 of a"]);
    assert_eq!(world.pass(60), ["b: 198.51.100.2 of a"]);
}

#[test]
fn a_shared_address_rests_when_the_last_one_has_left() {
    let mut world = World::new(&resting("198.51.100.1-198.51.100.2"));
    world.put(service("a").shares("k", &[80]));
    world.put(service("b").shares("k", &[443]));
    remove(&mut world, "a");
    assert_eq!(world.memory(), []);
    assert_eq!(world.put(service("c").shares("k", &[80])), ["c: 198.51.100.1 of a"]);
    remove(&mut world, "c");
    remove(&mut world, "b");
    assert_eq!(world.memory().len(), 1);
    assert_eq!(world.put(service("d")), ["d: 198.51.100.2 of a"]);
}

#[test]
fn what_was_announced_rests_also_where_its_status_was_wiped_while_nobody_led() {
    let mut world = World::new(&resting("198.51.100.1, '2001:db8::1'"));
    world.put(of_both(RequireDualStack, "a"));
    let before = world.objects[&key("a")].clone();
    let shown = ["198.51.100.1", "2001:db8::1"];
    world.objects.insert(key("a"), before.wiped(&shown, false));
    world.objects.insert(key("b"), service("b"));
    let mut decided = world.restart();
    decided.sort();
    assert_eq!(decided, ["a: released 198.51.100.1 2001:db8::1", "b: refused: PoolExhausted"]);
    let of_a = world.memory().into_iter().filter(|rest| rest.key == key("a"));
    assert_eq!(of_a.map(|rest| rest.address).collect::<BTreeSet<_>>(), shown.map(ip).into());
    // Nothing of that begins anew with the next leader.
    world.pass(59);
    assert_eq!(world.restart(), NONE);
    assert_eq!(world.pass(1), ["b: 198.51.100.1 of a"]);
}

#[test]
fn who_is_ours_again_after_its_status_was_wiped_while_nobody_led_gets_its_own_back() {
    let mut world = World::new(&resting("198.51.100.1-198.51.100.3"));
    world.put(service("a"));
    let before = world.objects[&key("a")].clone();
    world.objects.insert(key("a"), before.wiped(&["198.51.100.1"], true));
    world.objects.insert(key("0"), service("0"));
    assert_eq!(world.restart(), ["0: 198.51.100.2 of a", "a: 198.51.100.1 of a"]);
    // What another Service has by now, and what no pool lists, is not to be had back.
    let lapsed = service("c").holds("a", &[]).wiped(&["198.51.100.1"], false);
    world.objects.insert(key("c"), lapsed.clone());
    world.objects.insert(key("d"), lapsed.named("d").wiped(&["203.0.113.1"], false));
    assert_eq!(world.restart(), ["c: released 198.51.100.1", "d: released 203.0.113.1"]);
    assert_eq!(world.memory(), []);
}

#[test]
fn what_is_live_does_not_rest_whatever_was_remembered() {
    let mut world = World::new(&resting("198.51.100.1-198.51.100.2"));
    world.put(service("a"));
    let key = key("gone");
    let rest = Rest { address: ip("198.51.100.1"), key, since: world.now };
    world.allocator = Allocator::new();
    let config = configuration(&resting("198.51.100.1-198.51.100.2"));
    for event in
        [Event::Remembered(vec![rest]), Event::Configured(config), seen(world.objects[&self::key("a")].clone())]
    {
        assert_eq!(world.apply(event), NONE);
    }
    world.apply(Event::Synced);
    assert_eq!(world.memory(), []);
}

#[test]
fn an_edit_of_the_times_is_followed() {
    let mut world = World::new(&resting("198.51.100.1"));
    world.put(service("a"));
    remove(&mut world, "a");
    assert_eq!(world.put(service("b")), ["b: refused: PoolExhausted"]);
    let sooner = resting("198.51.100.1").replace("60s", "10s");
    assert_eq!(world.configure(&sooner), NONE);
    assert_eq!(world.pass(10), ["b: 198.51.100.1 of a"]);
    remove(&mut world, "b");
    assert_eq!(world.put(service("c")), ["c: refused: PoolExhausted"]);
    assert_eq!(
        world.configure("pools: [{name: a, addresses: [198.51.100.1]}]\nquarantine: 0\nreuse: 0\n"),
        ["c: 198.51.100.1 of a"]
    );
}

#[test]
fn nothing_is_decided_before_the_memory_is_read() {
    let mut world = World::default();
    for event in [Event::Configured(configuration(DUAL)), seen(service("a")), Event::Synced] {
        if let Event::Applied(service) = &event {
            world.objects.insert(service.key.clone(), (**service).clone());
        }
        assert_eq!(world.apply(event), NONE);
    }
    assert!(!world.allocator.is_ready());
    assert_eq!(world.apply(Event::Remembered(Vec::new())), ["a: 198.51.100.1 of dual"]);
}
