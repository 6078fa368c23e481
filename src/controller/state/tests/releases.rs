//! What a Service had goes: in which order that is written and told, also where nobody led meanwhile.

use super::*;

#[test]
fn a_release_is_written_and_serves_who_waits() {
    let mut bench = Bench::settled(&["a", "b", "c"]);
    bench.put("a", |object| object["metadata"]["deletionTimestamp"] = json!("2026-11-24T12:00:00Z"));
    let mut writes = bench.settle();
    writes.sort();
    assert_eq!(writes, ["a: IPReleased", "c: IPAllocated"]);
    assert_eq!(bench.objects["a"]["metadata"]["finalizers"], json!([]));
    assert_eq!(bench.address("c"), Some("198.51.100.100"));
    bench.delete("a");
    assert_eq!(bench.settle(), [""; 0]);
}

#[test]
fn a_type_change_is_a_release_although_the_status_is_wiped() {
    let mut bench = Bench::settled(&["a"]);
    bench.put("a", |object| {
        object["metadata"]["annotations"][names::ANNOUNCED_ADDRESSES] = json!("198.51.100.100");
        object["spec"]["type"] = json!("ClusterIP");
        object["status"].as_object_mut().unwrap().remove("loadBalancer");
    });
    assert_eq!(bench.settle(), ["a: IPReleased"]);
    let metadata = &bench.objects["a"]["metadata"];
    assert_eq!((&metadata["finalizers"], &metadata["annotations"]), (&json!([]), &json!({})));
    assert_eq!(bench.objects["a"]["status"]["conditions"], json!([]));
}

#[test]
fn a_change_that_a_new_leader_missed_is_one_release() {
    let mut bench = Bench::settled(&["a"]);
    let a = bench.objects.get_mut("a").unwrap();
    a["spec"]["type"] = json!("ClusterIP");
    bench.state = begun();
    let a = parse(&bench.objects["a"]);
    bench.state.observe(Change::Applied(a), wall());
    // Nothing is written before all is known: not even the condition that is no longer wanted.
    assert_eq!(bench.settle(), [""; 0]);
    bench.state.observe(Change::Synced, wall());
    assert_eq!(bench.settle(), [""; 0]);
    bench.configure(POOL);
    assert_eq!(bench.settle(), ["a: IPReleased"]);
    assert_eq!(bench.objects["a"]["metadata"]["finalizers"], json!([]));
}

#[test]
fn what_was_announced_is_told_to_be_released_though_a_new_leader_sees_no_status() {
    let mut bench = Bench::settled(&["a"]);
    let a = bench.objects.get_mut("a").unwrap();
    a["metadata"]["annotations"][names::ANNOUNCED_ADDRESSES] = json!("198.51.100.100");
    (a["spec"]["type"], a["status"]["loadBalancer"]) = (json!("ClusterIP"), json!({}));
    bench.restart(POOL);
    assert_eq!(bench.settle(), ["a: IPReleased"]);
    assert_eq!(bench.objects["a"]["metadata"]["annotations"], json!({}));
    bench.restart(POOL);
    assert_eq!(bench.settle(), [""; 0]);
}

#[test]
fn a_release_that_is_decided_during_another_write_is_written_after_it() {
    let mut bench = Bench::settled(&["a"]);
    bench.put("a", |object| object["status"]["conditions"] = json!([]));
    let mending = bench.state.next(now(), wall()).unwrap();
    bench.put("a", |object| object["spec"]["type"] = json!("ClusterIP"));
    bench.state.done(&mending.flight, Outcome::Written, now());
    assert_eq!(bench.settle(), ["a: IPReleased"]);
}

#[test]
fn the_old_objects_last_write_does_not_end_the_new_ones_release() {
    let mut bench = Bench::new();
    bench.restart(POOL);
    bench.put("a", |_| ());
    let old = bench.state.next(now(), wall()).unwrap();
    bench.delete("a");
    bench.put("a", |object| object["metadata"]["uid"] = json!("another"));
    bench.settle();
    bench.put("a", |object| object["spec"]["type"] = json!("ClusterIP"));
    let release = bench.state.next(now(), wall()).unwrap();
    bench.state.done(&old.flight, Outcome::Unneeded, now());
    bench.state.done(&release.flight, Outcome::Failed, now());
    let again = bench.state.next(now() + Duration::from_secs(10), wall()).unwrap();
    assert_eq!(again.plan, release.plan);
}

#[test]
fn nobody_gets_an_address_before_its_release_is_written() {
    let mut bench = Bench::settled(&["a", "b", "c"]);
    bench.put("a", |object| object["metadata"]["deletionTimestamp"] = json!("2026-11-24T12:00:00Z"));
    let release = bench.state.next(now(), wall()).unwrap();
    bench.state.done(&release.flight, Outcome::Failed, now());
    bench.put("c", |object| object["metadata"]["labels"] = json!({"example.com/tier": "front"}));
    assert_eq!(bench.settle(), [""; 0]);
    assert_eq!(bench.address("c"), None);
    bench.delete("a");
    assert_eq!(bench.settle(), ["c: IPAllocated"]);
}

#[test]
fn what_another_implementation_gives_after_a_release_stays() {
    let mut bench = Bench::settled(&["a"]);
    bench.put("a", |object| object["spec"]["type"] = json!("ClusterIP"));
    assert_eq!(bench.settle(), ["a: IPReleased"]);
    bench.put("a", |object| {
        object["spec"] = json!({"type": "LoadBalancer", "loadBalancerClass": "example.com/other"});
        object["metadata"]["finalizers"] = json!([names::FINALIZER]);
        object["status"]["loadBalancer"] = json!({"ingress": [{"ip": "203.0.113.9"}]});
    });
    assert_eq!(bench.settle(), [""; 0]);
    assert_eq!(bench.address("a"), Some("203.0.113.9"));
}
