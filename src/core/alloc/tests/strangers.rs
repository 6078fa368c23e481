//! What the status says when we did not write it: an earlier leader's word, or somebody else's.

use super::*;

#[test]
fn what_others_wipe_is_written_again() {
    let mut world = World::new(DUAL);
    let assigned = world.put(service("a"));
    for wipe in [
        |s: &mut Service| s.status = Box::default(),
        |s: &mut Service| s.status = [ip("203.0.113.1")].into(),
        |s: &mut Service| s.record = None,
        |s: &mut Service| s.finalizer = false,
        |s: &mut Service| s.foreign_status = true,
    ] {
        let mut service = world.objects[&key("a")].clone();
        wipe(&mut service);
        assert_eq!(world.put(service), assigned);
    }
}

#[test]
fn a_finalizer_that_somebody_else_left_does_not_hide_the_refusal() {
    let mut world = World::new("");
    let mut left = service("a");
    left.finalizer = true;
    assert_eq!(world.put(left), ["a: refused: NoPools"]);
}

#[test]
fn a_restart_takes_over_what_services_hold_before_it_gives_anything() {
    let mut world = World::new(DUAL);
    // Older than all, and waiting when the process starts.
    world.objects.insert(key("a"), service("a"));
    world.objects.insert(key("b"), service("b").holds("dual", &["198.51.100.1"]));
    world.objects.insert(key("c"), service("c").holds("dual", &["198.51.100.2"]));
    assert_eq!(world.restart(), ["a: 198.51.100.3 of dual"]);
    assert_eq!(world.restart(), NONE);
}

#[test]
fn a_status_that_we_did_not_write() {
    let with = |change: fn(&mut Service)| {
        let mut service = service("a");
        change(&mut service);
        service
    };
    for (service, expected) in [
        // In a pool and free: it is adopted.
        (service("a").shows(&["198.51.100.3"]), &["a: 198.51.100.3 of dual"][..]),
        // In no pool: somebody else serves it.
        (service("a").shows(&["203.0.113.7"]), &["a: refused: ForeignStatus"]),
        (service("a").shows(&["203.0.113.7"]).asks(Some("dual"), &[]), &["a: refused: ForeignStatus"]),
        (of_both(PreferDualStack, "a").shows(&["198.51.100.3", "2001:db8::7"]), &["a: refused: ForeignStatus"]),
        (with(|service| service.foreign_status = true), &["a: refused: ForeignStatus"]),
        // With our record: ours, whatever the pools have become.
        (service("a").holds("old", &["203.0.113.7"]), &["a: 203.0.113.7 of old, kept: AddressOutsidePools"]),
        // A record without a status counts for nothing.
        (with(|service| service.record = Some("dual".into())), &["a: 198.51.100.1 of dual"]),
    ] {
        let mut world = World::new(DUAL);
        world.objects.insert(key("a"), service.clone());
        assert_eq!(world.restart(), expected, "{service:?}");
        assert_eq!(World::new(DUAL).put(service.clone()), expected, "{service:?}");
    }
}

#[test]
fn what_another_class_serves_loses_what_we_left_on_it_and_keeps_its_status() {
    let leave = |mut service: Service| {
        (service.managed, service.elsewhere) = (false, true);
        service
    };
    let mut world = World::new(&pools(&["a: [198.51.100.1]"]));
    world.put(service("a"));
    world.put(service("b"));
    assert_eq!(world.edit("a", leave), ["a: released 198.51.100.1", "b: 198.51.100.1 of a"]);
    let object = &world.objects[&key("a")];
    assert!(!object.finalizer && object.record.is_none() && *object.status == [ip("198.51.100.1")], "{object:?}");
    assert_eq!(world.edit("a", |a| a), NONE);
    // After a restart the record alone tells.
    let marked = leave(service("c").holds("a", &["198.51.100.2"]));
    world.objects.insert(key("c"), marked);
    assert_eq!(world.restart(), ["c: released 198.51.100.2"]);
    assert_eq!(world.objects[&key("c")].status[..], [ip("198.51.100.2")]);
}

#[test]
fn a_foreign_status_that_goes_away_leaves_a_service_to_serve() {
    let mut world = World::new(DUAL);
    assert_eq!(world.put(service("a").shows(&["203.0.113.7"])), ["a: refused: ForeignStatus"]);
    let object = &world.objects[&key("a")];
    assert!(!object.finalizer && object.record.is_none() && *object.status == [ip("203.0.113.7")], "{object:?}");
    assert_eq!(world.edit("a", |a| a), NONE);
    assert_eq!(world.restart(), NONE);
    assert_eq!(world.edit("a", |a| a.shows(&[])), ["a: 198.51.100.1 of dual"]);
}

#[test]
fn of_two_with_one_address_our_record_wins_then_age_then_uid() {
    let one = "198.51.100.1";
    let moved = "198.51.100.2 of dual";
    let late = |service| Service { uid: "uid-z".into(), ..service };
    for (a, b, loser) in [
        (service("a").shows(&[one]), service("b").holds("dual", &[one]), "a"),
        (service("a").holds("dual", &[one]).created(2), service("b").holds("dual", &[one]).created(1), "a"),
        (service("a").holds("dual", &[one]).created(1), service("b").holds("dual", &[one]).created(1), "b"),
        // Not by name, which is what they are looked at by.
        (late(service("a").holds("dual", &[one]).created(1)), service("b").holds("dual", &[one]).created(1), "a"),
    ] {
        let mut world = World::new(DUAL);
        world.objects = [(key("a"), a), (key("b"), b)].into();
        assert_eq!(world.restart(), [format!("{loser}: lost: AddressInUse"), format!("{loser}: {moved}")]);
    }
}

#[test]
fn the_loser_of_an_address_gives_it_up_though_there_is_no_other() {
    let mut world = World::new(&pools(&["a: [198.51.100.1]"]));
    for name in ["a", "b"] {
        world.objects.insert(key(name), service(name).holds("a", &["198.51.100.1"]));
    }
    let told = ["b: lost: AddressInUse", "b: released 198.51.100.1", "b: refused: PoolExhausted"];
    assert_eq!(world.restart(), told);
    assert_eq!(world.delete("a"), ["b: 198.51.100.1 of a"]);
}

#[test]
fn the_loser_of_one_family_keeps_the_other() {
    let mut world = World::new(DUAL);
    world.objects.insert(key("a"), service("a").holds("dual", &["198.51.100.1"]));
    let both = of_both(RequireDualStack, "b").holds("dual", &["198.51.100.1", "2001:db8::2"]);
    world.objects.insert(key("b"), both);
    assert_eq!(world.restart(), ["b: lost: AddressInUse", "b: 198.51.100.2 2001:db8::2 of dual"]);
}

#[test]
fn a_status_with_a_nodes_own_address_is_somebody_elses() {
    let mut world = World::new(DUAL);
    world.reserve([(ip("198.51.100.2"), Reserve::Node("n1".into()))].into());
    assert_eq!(world.put(service("a").shows(&["198.51.100.2"])), ["a: refused: ForeignStatus"]);
}

/// As another implementation leaves it that writes the nodes' addresses over ours.
#[test]
fn no_record_makes_a_nodes_own_address_ours() {
    let node = ip("203.0.113.7");
    let restarted = |service: Service| {
        let mut world = World::new(DUAL);
        world.reserve([(node, Reserve::Node("n1".into()))].into());
        world.objects.insert(key("a"), service);
        world.restart()
    };
    let overwritten = service("a").holds("dual", &["203.0.113.7"]);
    assert_eq!(restarted(overwritten.clone()), ["a: 198.51.100.1 of dual"]);
    // What was announced was ours first.
    let announced = Service { announced: 1, ..overwritten };
    assert_eq!(restarted(announced), ["a: 203.0.113.7 of dual, kept: AddressOutsidePools"]);
}

#[test]
fn a_foreign_status_is_told_with_what_makes_it_so_and_what_to_do() {
    let node = || Reserve::Node("n1".into());
    for (shown, reserve, why, remedy) in [
        ("203.0.113.7", None, "203.0.113.7 is in no pool: ", ", or add the address to a pool"),
        (
            "198.51.100.2",
            None,
            "pool \"a\" does not hand out 198.51.100.2 (it is excluded, ",
            ", or let the pool hand it out",
        ),
        (
            "198.51.100.1",
            Some(node()),
            "is never handed out (it is an address of the node n1): ",
            "status.loadBalancer",
        ),
        ("203.0.113.8", Some(node()), "203.0.113.8 is never handed out (it is an address of the node n1): ", ""),
        ("198.51.100.1", Some(Reserve::Edge("198.51.100.0/24".into())), "address of the subnet 198.51.100.0/24", ""),
        (
            "198.51.100.1",
            Some(Reserve::InUse("02:66".into())),
            "(a foreign host uses",
            ", or take the address off that host",
        ),
        ("", None, "shows a hostname, not by Landfall's word, and Landfall gives addresses, no hostnames: ", ""),
    ] {
        let mut world = World::new(&pools(&["a: [198.51.100.0/29], exclude: [198.51.100.2]"]));
        world.reserve(reserve.into_iter().map(|reserve| (ip(shown), reserve)).collect());
        let mut object = service("s");
        object.foreign_status = shown.is_empty();
        object.status = shown.parse().into_iter().collect();
        let decided = world.allocator.apply(seen(object), world.now);
        let [Decision::Refuse { refusal, .. }] = &decided[..] else { panic!("{decided:?}") };
        let told = refusal.to_string();
        assert!(told.contains(why) && told.contains(remedy), "{told}");
        assert_eq!(told.contains("add the address to a pool"), shown == "203.0.113.7", "{told}");
    }
}

#[test]
fn a_status_does_not_end_another_services_rest() {
    let mut world = World::new(&format!("{DUAL}quarantine: 60s\n"));
    world.put(service("a"));
    world.delete("a");
    assert_eq!(
        world.put(service("b").shows(&["198.51.100.1"])),
        ["b: lost: AddressResting", "b: 198.51.100.2 of dual"]
    );
}

#[test]
fn what_a_late_write_shows_is_astray_whether_or_not_there_is_another_address() {
    let mut world = World::new(&pools(&["a: [198.51.100.1]"]));
    world.put(service("a"));
    let late = service("b").holds("a", &["198.51.100.1"]);
    let decided: Vec<String> = world.allocator.apply(seen(late), world.now).iter().map(show).collect();
    assert_eq!(decided, ["b: lost: AddressInUse", "b: released 198.51.100.1"]);
    assert!(world.allocator.is_astray(&key("b")) && !world.allocator.is_astray(&key("a")));
}
