//! What is released, and until when it is nobody else's.

use super::*;

#[test]
fn what_is_no_longer_ours_is_released_even_without_a_configuration() {
    let mut world = World::default();
    assert_eq!(world.apply(Event::Synced), NONE);
    let mut gone = service("a").holds("dual", &["198.51.100.1"]);
    gone.managed = false;
    assert_eq!(world.put(gone), ["a: released 198.51.100.1"]);
}

#[test]
fn what_a_service_no_longer_wants_is_released() {
    let mut world = World::new(DUAL);
    world.put(service("a"));
    // The API server wipes the status when the type changes: only the allocator knows what was held.
    let unmanage = |mut service: Service| {
        service.managed = false;
        service.shows(&[])
    };
    assert_eq!(world.edit("a", unmanage), ["a: released 198.51.100.1"]);
    assert_eq!(world.edit("a", |service| service), NONE);
    assert_eq!(world.put(service("b")), ["b: 198.51.100.1 of dual"]);
    // What was never ours is not touched.
    let mut plain = service("c").shows(&["198.51.100.2"]);
    plain.managed = false;
    assert_eq!(world.put(plain), NONE);
    // Not by its finalizer either: other implementations use the same name.
    let mut others = service("c").shows(&["198.51.100.2"]);
    (others.managed, others.finalizer) = (false, true);
    assert_eq!(world.put(others), NONE);
    // After a restart the record alone tells.
    let mut marked = service("d").holds("dual", &["198.51.100.3"]);
    marked.managed = false;
    world.objects.insert(key("d"), marked);
    assert_eq!(world.restart(), ["d: released 198.51.100.3"]);
}

/// Applies an event of which nothing is written.
fn unwritten(world: &mut World, event: Event) -> Vec<String> {
    world.allocator.apply(event, world.now).iter().map(show).collect()
}

#[test]
fn a_released_address_is_nobody_elses_until_the_object_shows_the_release() {
    // The API server wipes the status when the type changes.
    for (shown, what) in [(&["198.51.100.1"][..], "deleted"), (&[], "changed its type")] {
        let mut world = World::new(&pools(&["a: [198.51.100.1]"]));
        world.put(service("a"));
        world.put(service("b"));
        let mut left = world.objects[&key("a")].clone().shows(shown);
        left.managed = false;
        assert_eq!(unwritten(&mut world, seen(left.clone())), ["a: released 198.51.100.1"], "{what}");
        // Neither another look at either Service nor a new one nor another configuration changes that.
        assert_eq!(unwritten(&mut world, seen(service("b"))), NONE, "{what}");
        assert_eq!(unwritten(&mut world, seen(left.clone())), ["a: released 198.51.100.1"], "{what}");
        let asks = service("c").asks(None, &["198.51.100.1"]);
        assert_eq!(unwritten(&mut world, seen(asks)), ["c: refused: AddressInUse"], "{what}");
        let same = configuration(&pools(&["a: [198.51.100.1]", "b: [203.0.113.1], autoAssign: false"]));
        let told = unwritten(&mut world, Event::Configured(same));
        assert_eq!(told, ["a: released 198.51.100.1"], "{what}");
        let mut written = left;
        (written.record, written.finalizer) = (None, false);
        let told = unwritten(&mut world, seen(written.shows(&[])));
        assert_eq!(told, ["b: 198.51.100.1 of a"], "{what}");
    }
}

#[test]
fn a_released_address_is_free_when_the_object_is_gone() {
    let mut world = World::new(&pools(&["a: [198.51.100.1]"]));
    world.put(service("a"));
    world.put(service("b"));
    let mut left = world.objects[&key("a")].clone();
    left.managed = false;
    assert_eq!(unwritten(&mut world, seen(left)), ["a: released 198.51.100.1"]);
    assert_eq!(unwritten(&mut world, Event::Deleted(key("a"))), ["b: 198.51.100.1 of a"]);
}

#[test]
fn an_address_that_is_left_for_another_is_nobody_elses_until_the_object_shows_the_other() {
    let mut world = World::new(&pools(&["a: [198.51.100.1]", "b: [203.0.113.1], autoAssign: false"]));
    world.put(service("a"));
    world.put(service("b"));
    let moving = world.objects[&key("a")].clone().asks(Some("b"), &[]);
    assert_eq!(unwritten(&mut world, seen(moving.clone())), ["a: 203.0.113.1 of b"]);
    // A wiped status is no word of ours: the write that says the old address may be on its way.
    assert_eq!(unwritten(&mut world, seen(moving.clone().shows(&[]))), ["a: 203.0.113.1 of b"]);
    let moved = moving.clone().holds("b", &["203.0.113.1"]);
    assert_eq!(unwritten(&mut world, seen(moved)), ["b: 198.51.100.1 of a"]);
}

#[test]
fn who_wants_its_address_back_before_it_is_let_go_has_it() {
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.2]"]));
    world.put(service("other"));
    world.put(service("a"));
    world.delete("other");
    let before = world.objects[&key("a")].clone();
    let mut left = before.clone().shows(&[]);
    left.managed = false;
    assert_eq!(unwritten(&mut world, seen(left)), ["a: released 198.51.100.2"]);
    // The status is wiped, and .1 is free, too.
    assert_eq!(unwritten(&mut world, seen(before.clone().shows(&[]))), ["a: 198.51.100.2 of a"]);
    let asks = |address| seen(before.clone().asks(None, &[address]));
    assert_eq!(unwritten(&mut world, asks("198.51.100.1")), ["a: 198.51.100.1 of a"]);
    assert_eq!(unwritten(&mut world, asks("198.51.100.2")), ["a: 198.51.100.2 of a"]);
}

#[test]
fn of_two_addresses_that_are_leaving_one_of_each_family_is_taken_back_the_shown_one_first() {
    let malformed = |mut service: Service| {
        service.rare = Request { malformed: Some("what is this".into()), ..Request::default() }.boxed();
        service
    };
    let both = |four: &str| of_both(RequireDualStack, "a").asks(None, &[four]);
    // What its object does not show is nobody else's until it shows what the Service has.
    for (status, expected, other, is_free) in [
        (&["198.51.100.2", "2001:db8::1"][..], "198.51.100.2", "198.51.100.1", true),
        (&[], "198.51.100.1", "198.51.100.2", false),
    ] {
        let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.2, '2001:db8::1']"]));
        world.put(both("198.51.100.1"));
        let before = world.objects[&key("a")].clone();
        let moving = before.clone().asks(None, &["198.51.100.2"]);
        assert_eq!(unwritten(&mut world, seen(moving.clone())), ["a: 198.51.100.2 2001:db8::1 of a"]);
        let left = Service { managed: false, ..moving.clone() };
        assert_eq!(unwritten(&mut world, seen(left)), ["a: released 198.51.100.2 2001:db8::1"]);
        let back = malformed(moving).shows(status);
        let kept = format!("a: {expected} 2001:db8::1 of a, kept: MalformedRequest");
        assert_eq!(unwritten(&mut world, seen(back.clone())), [kept]);
        let gets = format!("b: {other} of a");
        let now = if is_free { &gets } else { "b: refused: AddressInUse" };
        assert_eq!(unwritten(&mut world, seen(service("b").asks(None, &[other]))), [now]);
        let shows = back.holds("a", &[expected, "2001:db8::1"]);
        assert_eq!(unwritten(&mut world, seen(shows)).contains(&gets), !is_free);
    }
}

#[test]
fn a_release_that_a_new_leader_has_to_write_comes_before_its_address_is_given() {
    let mut world = World::new(&pools(&["a: [198.51.100.1]"]));
    let mut marked = service("b").holds("a", &["198.51.100.1"]);
    marked.managed = false;
    world.objects = [(key("a"), service("a")), (key("b"), marked)].into();
    let expected = ["b: released 198.51.100.1", "a: refused: PoolExhausted", "a: 198.51.100.1 of a"];
    let mut decided = world.restart();
    decided[..2].sort_by(|one, other| other.cmp(one));
    assert_eq!(decided, expected);
}

#[test]
fn a_service_that_comes_back_before_its_release_is_written_is_assigned_anew() {
    let mut world = World::new(DUAL);
    world.put(service("a"));
    let held = world.objects[&key("a")].clone();
    let mut unmanaged = held.clone();
    unmanaged.managed = false;
    let mut apply =
        |service| -> Vec<String> { world.allocator.apply(seen(service), world.now).iter().map(show).collect() };
    assert_eq!(apply(unmanaged), ["a: released 198.51.100.1"]);
    assert_eq!(apply(held), ["a: 198.51.100.1 of dual"]);
}

#[test]
fn a_new_uid_is_another_service() {
    let mut world = World::new(&pools(&["a: [198.51.100.1]"]));
    world.put(service("a"));
    world.put(service("b"));
    let mut again = service("a");
    again.uid = "another".into();
    assert_eq!(world.put(again), ["b: 198.51.100.1 of a", "a: refused: PoolExhausted"]);
}
