use super::*;
use crate::cluster::events::Severity;
use landfall_core::{
    alloc::{Refusal, ServiceKey, Stranger},
    config::Barrier,
};

const VIP: &str = "198.51.100.100";

fn now() -> Timestamp {
    "2026-11-24T12:00:00.123456Z".parse().unwrap()
}

/// A LoadBalancer Service that nobody has touched, changed by `change`.
fn service(change: impl FnOnce(&mut Value)) -> Service {
    let mut object = json!({
        "metadata": {"namespace": "shop", "name": "web", "uid": "u1", "resourceVersion": "42"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
        "status": {}
    });
    change(&mut object);
    Service::new(serde_json::from_value(object).unwrap(), None)
}

/// What `service` becomes by an allocation of [`VIP`].
fn allocated(object: &mut Value) {
    object["metadata"]["finalizers"] = json!([names::FINALIZER]);
    object["metadata"]["annotations"] = json!({names::ALLOCATED_FROM: "default"});
    object["status"] = json!({
        "loadBalancer": {"ingress": [{"ip": VIP, "ipMode": "VIP"}]},
        "conditions": [condition("True", "Allocated", "198.51.100.100 from pool default")]
    });
}

fn condition(status: &str, reason: &str, message: &str) -> Value {
    json!({"type": names::ALLOCATED, "status": status, "reason": reason, "message": message,
           "lastTransitionTime": "2026-11-24T12:00:00Z"})
}

fn key() -> ServiceKey {
    ServiceKey::new("shop", "web")
}

fn assign(addresses: &[&str], kept: Option<Refusal>) -> Decision {
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    Decision::Assign { key: key(), uid: "u1".into(), addresses, record: "default".into(), kept, settled: false }
}

fn refuse() -> Decision {
    Decision::Refuse { key: key(), uid: "u1".into(), refusal: Refusal::NoPools }
}

fn release(addresses: &[&str]) -> Decision {
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    Decision::Release { key: key(), uid: "u1".into(), addresses, leaves_status: false }
}

fn telling(severity: Severity, reason: &'static str, note: impl Into<String>) -> Option<Telling> {
    Some(Telling { severity, reason, note: note.into() })
}

fn kept_note() -> String {
    format!("{VIP} is kept, since what the Service asks for is not to be had: {}", Refusal::NoPools)
}

#[test]
fn an_allocation_is_one_write() {
    let plan = plan(&service(|_| ()), Some(&assign(&[VIP, "2001:db8::1"], None)), now()).unwrap();
    let expected = json!({
        "metadata": {
            "uid": "u1", "resourceVersion": "42",
            "finalizers": ["service.kubernetes.io/load-balancer-cleanup"],
            "annotations": {"landfall.dev/allocated-from": "default"}
        },
        "status": {
            "loadBalancer": {"ingress": [{"ip": VIP, "ipMode": "VIP"}, {"ip": "2001:db8::1", "ipMode": "VIP"}]},
            "conditions": [condition("True", "Allocated", "198.51.100.100, 2001:db8::1 from pool default")]
        }
    });
    assert_eq!(plan.patch, expected);
    let note = "198.51.100.100, 2001:db8::1 from pool default";
    assert_eq!(plan.telling, telling(Severity::Normal, "IPAllocated", note));
}

#[test]
fn what_is_as_it_should_be_is_not_written() {
    assert_eq!(plan(&service(allocated), Some(&assign(&[VIP], None)), now()), None);
    let refused = |o: &mut Value| {
        o["status"]["conditions"] = json!([condition("False", "NoPools", &Refusal::NoPools.to_string())]);
    };
    assert_eq!(plan(&service(refused), Some(&refuse()), now()), None);
    assert_eq!(plan(&service(|_| ()), Some(&release(&[])), now()), None);
    assert_eq!(plan(&service(allocated), None, now()), None);
}

#[test]
fn a_release_is_one_write() {
    let plan = plan(&service(allocated), Some(&release(&[VIP])), now()).unwrap();
    let expected = json!({
        "metadata": {
            "uid": "u1", "resourceVersion": "42",
            "$deleteFromPrimitiveList/finalizers": ["service.kubernetes.io/load-balancer-cleanup"],
            "annotations": {"landfall.dev/allocated-from": null}
        },
        "status": {
            "loadBalancer": {"ingress": null},
            "conditions": [{"$patch": "delete", "type": "landfall.dev/Allocated"}]
        }
    });
    assert_eq!(plan.patch, expected);
    assert_eq!(plan.telling, telling(Severity::Normal, "IPReleased", "198.51.100.100 is released"));
}

#[test]
fn a_refusal_changes_the_condition_alone() {
    let plan = plan(&service(|_| ()), Some(&refuse()), now()).unwrap();
    let message = Refusal::NoPools.to_string();
    let expected = json!({
        "metadata": {"uid": "u1", "resourceVersion": "42"},
        "status": {"conditions": [condition("False", "NoPools", &message)]}
    });
    assert_eq!(plan.patch, expected);
    assert_eq!(plan.telling, telling(Severity::Warning, "AllocationFailed", message));
}

#[test]
fn a_refused_service_loses_what_we_had_given_it() {
    let plan = plan(&service(allocated), Some(&refuse()), now()).unwrap();
    assert_eq!(plan.patch["status"]["loadBalancer"], json!({"ingress": null}));
    assert_eq!(plan.patch["metadata"]["annotations"], json!({"landfall.dev/allocated-from": null}));
}

#[test]
fn what_another_class_serves_keeps_its_status() {
    let theirs = service(|o| {
        allocated(o);
        o["spec"]["loadBalancerClass"] = json!("example.com/other");
    });
    let addresses = vec![VIP.parse().unwrap()];
    let decision = Decision::Release { key: key(), uid: "u1".into(), addresses, leaves_status: true };
    let patch = plan(&theirs, Some(&decision), now()).unwrap().patch;
    let conditions = json!({"conditions": [{"$patch": "delete", "type": "landfall.dev/Allocated"}]});
    assert_eq!(patch["status"], conditions);
    assert_eq!(patch["metadata"]["annotations"], json!({"landfall.dev/allocated-from": null}));
    assert_eq!(patch["metadata"]["$deleteFromPrimitiveList/finalizers"], json!([names::FINALIZER]));
}

#[test]
fn a_foreign_status_is_told_beside_it() {
    let foreign = service(|o| o["status"]["loadBalancer"] = json!({"ingress": [{"ip": "203.0.113.9"}]}));
    let stranger = Stranger::Unlisted("203.0.113.9".parse().unwrap());
    let refusal = Refusal::Foreign { shown: "203.0.113.9".into(), stranger };
    let decision = Decision::Refuse { key: key(), uid: "u1".into(), refusal: refusal.clone() };
    let plan = plan(&foreign, Some(&decision), now()).unwrap();
    assert_eq!(plan.patch["metadata"], json!({"uid": "u1", "resourceVersion": "42"}));
    assert_eq!(plan.patch["status"].as_object().unwrap().keys().collect::<Vec<_>>(), ["conditions"]);
    assert_eq!(plan.telling, telling(Severity::Warning, "ForeignStatus", refusal.to_string()));
}

#[test]
fn what_others_gave_stays() {
    let foreign = |o: &mut Value| {
        o["metadata"]["finalizers"] = json!([names::FINALIZER]);
        o["status"]["loadBalancer"] = json!({"ingress": [{"ip": "203.0.113.9"}]});
    };
    for decision in [Some(release(&[])), None] {
        assert_eq!(plan(&service(foreign), decision.as_ref(), now()), None, "{decision:?}");
    }
    let refused = plan(&service(foreign), Some(&refuse()), now()).unwrap().patch;
    assert_eq!(refused["metadata"], json!({"uid": "u1", "resourceVersion": "42"}));
    assert_eq!(refused["status"].as_object().unwrap().keys().collect::<Vec<_>>(), ["conditions"]);
}

#[test]
fn a_kept_address_says_why_and_only_once() {
    let kept = assign(&[VIP], Some(Refusal::NoPools));
    let first = plan(&service(allocated), Some(&kept), now()).unwrap();
    let words = json!({"type": names::ALLOCATED, "status": "True", "reason": "NoPools", "message": kept_note()});
    assert_eq!(first.patch["status"], json!({"conditions": [words]}));
    assert_eq!(first.telling, telling(Severity::Warning, "AddressKept", kept_note()));
    let said = |o: &mut Value| {
        allocated(o);
        o["status"]["conditions"] = json!([condition("True", "NoPools", &kept_note())]);
    };
    assert_eq!(plan(&service(said), Some(&kept), now()), None);
    // When it fits again, the condition says so, without an Event.
    let mended = plan(&service(said), Some(&assign(&[VIP], None)), now()).unwrap();
    assert_eq!(mended.patch["status"]["conditions"][0]["reason"], "Allocated");
    assert_eq!(mended.telling, None);
}

#[test]
fn a_service_that_is_not_ours_loses_our_condition_alone() {
    let was_refused = |o: &mut Value| {
        o["spec"]["type"] = json!("ClusterIP");
        o["status"]["conditions"] = json!([condition("False", "NoPools", "")]);
    };
    let plan = plan(&service(was_refused), None, now()).unwrap();
    let expected = json!({
        "metadata": {"uid": "u1", "resourceVersion": "42"},
        "status": {"conditions": [{"$patch": "delete", "type": "landfall.dev/Allocated"}]}
    });
    assert_eq!((plan.patch, plan.telling), (expected, None));
}

/// What spoils an allocated Service, and the patch that mends it.
type Case = (fn(&mut Value), Value);

#[test]
fn each_field_is_mended_by_itself() {
    let cases: &[Case] = &[
        (
            |o| o["metadata"]["finalizers"] = json!(["example.com/other"]),
            json!({"metadata": {"uid": "u1", "resourceVersion": "42", "finalizers": [names::FINALIZER]}}),
        ),
        (
            |o| o["metadata"]["annotations"] = json!({}),
            json!({"metadata": {"uid": "u1", "resourceVersion": "42",
                                "annotations": {"landfall.dev/allocated-from": "default"}}}),
        ),
        (
            |o| o["status"]["loadBalancer"] = json!({"ingress": [{"ip": VIP, "ipMode": "Proxy"}]}),
            json!({"metadata": {"uid": "u1", "resourceVersion": "42"},
                   "status": {"loadBalancer": {"ingress": [{"ip": VIP, "ipMode": "VIP"}]}}}),
        ),
    ];
    for (spoil, expected) in cases {
        let spoiled = service(|o| {
            allocated(o);
            spoil(o);
        });
        assert_eq!(plan(&spoiled, Some(&assign(&[VIP], None)), now()).unwrap().patch, *expected);
    }
}

/// The Service as [`allocated`] makes it, which says that it is announced.
fn announced(object: &mut Value) {
    allocated(object);
    let mut condition = condition("True", "Announced", &Announcement::announced().message);
    condition["type"] = json!(names::ANNOUNCED);
    object["status"]["conditions"].as_array_mut().unwrap().push(condition);
}

#[test]
fn whether_it_is_announced_is_a_write_of_that_condition_alone() {
    let words = Announcement { holds: false, reason: "NoLocalEndpoint", message: "no node answers".into() };
    let condition = |status: &str, reason: &str, message: &str| {
        json!({"type": "landfall.dev/Announced", "status": status, "reason": reason, "message": message,
               "lastTransitionTime": "2026-11-24T12:00:00Z"})
    };
    let expected =
        |condition| json!({"metadata": {"uid": "u1", "resourceVersion": "42"}, "status": {"conditions": [condition]}});
    let not = || condition("False", "NoLocalEndpoint", "no node answers");
    for before in [allocated as fn(&mut Value), announced] {
        assert_eq!(announce(&service(before), &words, &[], now()), Some(expected(not())));
    }
    let is = condition("True", "Announced", "every address is answered for on the network");
    assert_eq!(announce(&service(allocated), &Announcement::announced(), &[], now()), Some(expected(is)));
    assert_eq!(announce(&service(announced), &Announcement::announced(), &[], now()), None);
    // The same, for another reason: the time of the change stays.
    let failing = |object: &mut Value| {
        announced(object);
        object["status"]["conditions"][1] = not();
    };
    let other = Announcement { message: "no node answers: n1".into(), ..words };
    let patch = announce(&service(failing), &other, &[], now()).unwrap();
    assert!(patch["status"]["conditions"][0]["lastTransitionTime"].is_null(), "{patch:#}");
}

#[test]
fn what_has_no_address_of_ours_does_not_say_whether_it_is_announced() {
    let gone = json!({"$patch": "delete", "type": "landfall.dev/Announced"});
    for decision in [Some(release(&[VIP])), Some(refuse())] {
        let plan = plan(&service(announced), decision.as_ref(), now()).unwrap();
        let conditions = plan.patch["status"]["conditions"].as_array().unwrap();
        assert_eq!(conditions.len(), 2, "{conditions:?}");
        assert_eq!(conditions[1], gone);
    }
    // An allocation that changes leaves it as it is: what is so will be known later.
    let moved = plan(&service(announced), Some(&assign(&["198.51.100.7"], None)), now()).unwrap();
    assert_eq!(moved.patch["status"]["conditions"].as_array().unwrap().len(), 1);
    assert_eq!(plan(&service(announced), Some(&assign(&[VIP], None)), now()), None);
    assert_eq!(plan(&service(announced), None, now()), None);
}

#[test]
fn addresses_that_were_announced_are_known_with_the_same_write_and_forgotten_with_the_release() {
    let vip: IpAddr = VIP.parse().unwrap();
    let words = Announcement::announced();
    let patch = announce(&service(allocated), &words, &[vip], now()).unwrap();
    assert_eq!(patch["metadata"]["annotations"], json!({"landfall.dev/announced-addresses": VIP}));
    assert_eq!(patch["status"]["conditions"][0]["status"], "True");
    let known = |object: &mut Value| {
        announced(object);
        object["metadata"]["annotations"]["landfall.dev/announced-addresses"] = json!(VIP);
    };
    assert_eq!(announce(&service(known), &words, &[vip], now()), None);
    let released = plan(&service(known), Some(&release(&[VIP])), now()).unwrap().patch;
    let both = json!({"landfall.dev/allocated-from": null, "landfall.dev/announced-addresses": null});
    assert_eq!(released["metadata"]["annotations"], both);
}

#[test]
fn what_is_left_to_no_foreign_host_is_said_with_the_same_write_and_forgotten_with_the_release() {
    let Decision::Assign { key, uid, addresses, record, kept, .. } = assign(&[VIP], None) else { unreachable!() };
    let settled = Decision::Assign { key, uid, addresses, record, kept, settled: true };
    let adopted = |object: &mut Value| {
        allocated(object);
        object["metadata"]["annotations"] = json!({});
    };
    let words = json!({"landfall.dev/allocated-from": "default", "landfall.dev/settled-addresses": VIP});
    let patch = plan(&service(adopted), Some(&settled), now()).unwrap().patch;
    assert_eq!(patch["metadata"]["annotations"], words);
    let said = |object: &mut Value| {
        allocated(object);
        object["metadata"]["annotations"] = words.clone();
    };
    assert_eq!(plan(&service(said), Some(&settled), now()), None);
    let released = plan(&service(said), Some(&release(&[VIP])), now()).unwrap().patch;
    let both = json!({"landfall.dev/allocated-from": null, "landfall.dev/settled-addresses": null});
    assert_eq!(released["metadata"]["annotations"], both);
}

#[test]
fn who_keeps_what_no_longer_fits_is_told_how_to_leave_it() {
    let other = "198.51.100.7";
    let outside = |address: &str| Refusal::OutsidePools { address: address.parse().unwrap() };
    let others = |pool: &str| Refusal::NotAdmitted { pool: pool.into(), barrier: Barrier::Namespace };
    let asks = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let nothing = || asks(names::MIGRATE, "false");
    let can = "; or let the Service move, by its annotation landfall.dev/migrate: \"true\"";
    let will = "; the Service moves once there is an address that fits";
    for (refusal, annotation, advice) in [
        (outside(VIP), nothing(), Some(can)),
        (outside(VIP), asks(names::MIGRATE, "true"), Some(will)),
        (others("default"), nothing(), Some(can)),
        // It would not move: it asks for this one.
        (outside(VIP), asks("landfall.dev/addresses", VIP), None),
        (others("default"), asks("landfall.dev/pool", "default"), None),
        // What it asks for is not to be had: it has what it has.
        (outside(other), asks("landfall.dev/addresses", other), None),
        (others("another"), asks("landfall.dev/pool", "another"), None),
    ] {
        let before = service(|object| {
            allocated(object);
            object["metadata"]["annotations"][&annotation.0] = json!(annotation.1);
        });
        let note = plan(&before, Some(&assign(&[VIP], Some(refusal.clone()))), now()).unwrap().telling.unwrap().note;
        let wanted = match advice {
            Some(advice) => format!("{VIP} is kept although {refusal}{advice}"),
            None => format!("{VIP} is kept, since what the Service asks for is not to be had: {refusal}"),
        };
        assert_eq!(note, wanted);
    }
    let both = plan(&service(allocated), Some(&assign(&[VIP, "2001:db8::1"], Some(outside(VIP)))), now()).unwrap();
    let start = format!("{VIP}, 2001:db8::1 are kept although {VIP} is in no pool");
    assert!(both.telling.unwrap().note.starts_with(&start));
}

#[test]
fn who_leaves_an_address_is_told_which() {
    let moved = plan(&service(allocated), Some(&assign(&["198.51.100.7"], None)), now()).unwrap();
    let note = format!("198.51.100.7 from pool default, and no longer {VIP}");
    assert_eq!(moved.telling, telling(Severity::Normal, "IPAllocated", note));
    // The condition says what is, not what was: it would be written again after a restart otherwise.
    let condition = &moved.patch["status"]["conditions"][0];
    assert_eq!(condition["message"], "198.51.100.7 from pool default");
}

#[test]
fn what_was_there_already_is_told_when_it_becomes_ours() {
    let adopted = service(|object| {
        object["status"]["loadBalancer"] = json!({"ingress": [{"ip": VIP, "ipMode": "VIP"}]});
    });
    let plan = plan(&adopted, Some(&assign(&[VIP], None)), now()).unwrap();
    assert_eq!(plan.telling, telling(Severity::Normal, "IPAllocated", format!("{VIP} from pool default")));
    assert!(plan.patch["status"].get("loadBalancer").is_none(), "{}", plan.patch);
}
