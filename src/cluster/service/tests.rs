use super::*;
use landfall_core::{addr::Family, alloc::Families, config::Labels};
use serde_json::{Value, json};

fn object(change: impl FnOnce(&mut Value)) -> ServiceObject {
    let mut object = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "namespace": "shop", "name": "web", "uid": "u1", "resourceVersion": "42",
            "creationTimestamp": "2026-11-24T12:00:00Z",
            "finalizers": ["service.kubernetes.io/load-balancer-cleanup"],
            "annotations": {"landfall.dev/allocated-from": "default"},
            "labels": {"tier": "front"},
            "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]
        },
        "spec": {
            "type": "LoadBalancer", "ipFamilies": ["IPv6", "IPv4"], "ipFamilyPolicy": "PreferDualStack",
            "externalTrafficPolicy": "Local", "allocateLoadBalancerNodePorts": false,
            "ports": [{"port": 53, "protocol": "UDP"}, {"port": 80, "protocol": "TCP", "nodePort": 30080}]
        },
        "status": {
            "loadBalancer": {"ingress": [{"ip": "198.51.100.100", "ipMode": "VIP"}, {"ip": "2001:db8::1", "ipMode": "VIP"}]},
            "conditions": [
                {"type": "example.com/Other", "status": "True", "reason": "Yes", "message": ""},
                {"type": "landfall.dev/Allocated", "status": "True", "reason": "Allocated", "message": "ok",
                 "lastTransitionTime": "2026-11-24T12:00:00Z"}
            ]
        }
    });
    change(&mut object);
    serde_json::from_value(object).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_service_is_projected_whole() {
    let service = Service::new(object(|_| ()), None);
    let expected = alloc::Service {
        key: ServiceKey::new("shop", "web"),
        uid: "u1".into(),
        created: 1_795_521_600,
        managed: true,
        elsewhere: false,
        labels: Labels::from([("tier", "front")]),
        families: Families { first: Family::V6, both: true },
        policy: FamilyPolicy::PreferDualStack,
        rare: None,
        share: None,
        record: Some("default".into()),
        status: [ip("198.51.100.100"), ip("2001:db8::1")].into(),
        announced: 0,
        foreign_status: false,
        finalizer: true,
    };
    assert_eq!(*service.alloc, expected);
    assert_eq!(&*service.resource_version, "42");
    assert!(service.vips_alone);
    assert_eq!(service.said, Some(Said::new("True", "Allocated", "ok")));
}

#[test]
fn a_sharing_key_is_projected_and_of_two_that_disagree_the_first_beside_what_is_wrong() {
    let key = |o: &mut Value| o["metadata"]["annotations"]["landfall.dev/sharing-key"] = json!("k");
    let share = Service::new(object(key), None).alloc.share.clone().unwrap();
    assert_eq!((share.key.as_str(), share.ports.len(), share.local.is_some()), ("k", 2, true));
    let two = |o: &mut Value| {
        key(o);
        o["metadata"]["annotations"]["metallb.io/allow-shared-ip"] = json!("l");
    };
    let alloc = Service::new(object(two), None).alloc;
    assert_eq!(alloc.share.as_ref().map(|share| share.key.as_str()), Some("k"));
    assert!(alloc.request().malformed.is_some());
    let slip = |o: &mut Value| o["metadata"]["annotations"]["landfall.dev/sharing_key"] = json!("k");
    assert!(Service::new(object(slip), None).alloc.request().malformed.is_some());
}

#[test]
fn a_service_without_anything_optional_is_projected() {
    let bare = json!({"metadata": {"namespace": "shop", "name": "web"}, "spec": {"type": "ClusterIP"}});
    let service = Service::new(serde_json::from_value(bare).unwrap(), None);
    assert!(!service.alloc.managed && service.alloc.status.is_empty() && service.alloc.record.is_none());
    assert!(service.said.is_none() && service.vips_alone);
}

/// A change of the fixture; the controller's class; whether the Service is then ours to serve.
type Case = (fn(&mut Value), Option<&'static str>, bool);

#[test]
fn ours_to_serve_is_what_has_our_class_and_is_not_being_deleted() {
    let cases: &[Case] = &[
        (|_| (), None, true),
        (|o| o["spec"]["type"] = json!("NodePort"), None, false),
        (|o| o["spec"]["type"] = json!("ClusterIP"), None, false),
        (|o| o["spec"]["type"] = json!("ExternalName"), None, false),
        (|o| o["spec"]["loadBalancerClass"] = json!("example.com/other"), None, false),
        (|o| o["spec"]["loadBalancerClass"] = json!("landfall.dev/l2"), Some("landfall.dev/l2"), true),
        (|_| (), Some("landfall.dev/l2"), false),
        (|o| o["metadata"]["deletionTimestamp"] = json!("2026-11-24T12:00:00Z"), None, false),
    ];
    for (index, (change, class, managed)) in cases.iter().enumerate() {
        assert_eq!(Service::new(object(change), *class).alloc.managed, *managed, "case {index}");
    }
    let other: fn(&mut Value) = |o| o["spec"]["loadBalancerClass"] = json!("example.com/other");
    let deleted: fn(&mut Value) = |o| o["metadata"]["deletionTimestamp"] = json!("2026-11-24T12:00:00Z");
    let cluster_ip: fn(&mut Value) = |o| o["spec"]["type"] = json!("ClusterIP");
    // Being deleted it is still the other one's to serve, with a status of its own.
    let both: fn(&mut Value) = |o| {
        o["spec"]["loadBalancerClass"] = json!("example.com/other");
        o["metadata"]["deletionTimestamp"] = json!("2026-11-24T12:00:00Z");
    };
    let none: fn(&mut Value) = |_| ();
    for (change, elsewhere) in [(other, true), (both, true), (deleted, false), (cluster_ip, false), (none, false)] {
        assert_eq!(Service::new(object(change), None).alloc.elsewhere, elsewhere);
    }
}

#[test]
fn a_hostname_in_the_status_is_foreign() {
    let named = |o: &mut Value| o["status"]["loadBalancer"]["ingress"][0] = json!({"hostname": "lb.example.com"});
    let service = Service::new(object(named), None);
    assert!(service.alloc.foreign_status && !service.vips_alone);
    assert_eq!(*service.alloc.status, [ip("2001:db8::1")]);
    let both = |o: &mut Value| o["status"]["loadBalancer"]["ingress"][0]["hostname"] = json!("lb.example.com");
    let service = Service::new(object(both), None);
    assert!(service.alloc.foreign_status && *service.alloc.status == [ip("2001:db8::1")]);
    let proxy = |o: &mut Value| o["status"]["loadBalancer"]["ingress"][0]["ipMode"] = json!("Proxy");
    assert!(!Service::new(object(proxy), None).vips_alone);
}

#[test]
fn announced_are_recorded_addresses_alone() {
    let announced = Announced::new(object(|_| ()));
    assert_eq!(announced.labels, Labels::from([("tier", "front")]));
    assert_eq!(announced.vips, [ip("198.51.100.100"), ip("2001:db8::1")]);
    assert!(announced.local);
    let foreign = |o: &mut Value| o["metadata"]["annotations"] = json!({});
    assert!(announced.recorded && !Announced::new(object(foreign)).recorded);
    let cluster_ip = |o: &mut Value| o["spec"]["type"] = json!("ClusterIP");
    assert_eq!(Announced::new(object(cluster_ip)).vips, Vec::<IpAddr>::new());
    let deleting = |o: &mut Value| o["metadata"]["deletionTimestamp"] = json!("2026-11-24T12:00:00Z");
    assert_eq!(Announced::new(object(deleting)).vips.len(), 2);
    let cluster = |o: &mut Value| o["spec"]["externalTrafficPolicy"] = json!("Cluster");
    assert!(!Announced::new(object(cluster)).local);
}

#[test]
fn what_was_announced_is_read_by_controller_and_speaker() {
    let known = |o: &mut Value| {
        o["metadata"]["annotations"]["landfall.dev/announced-addresses"] = json!("198.51.100.100,nonsense,2001:db8::1");
    };
    let expected = [ip("198.51.100.100"), ip("2001:db8::1")];
    let service = Service::new(object(known), None).alloc;
    assert!(expected.iter().all(|vip| service.was_announced(*vip)));
    assert!(!service.was_announced(ip("198.51.100.101")));
    let one = |o: &mut Value| {
        o["metadata"]["annotations"]["landfall.dev/announced-addresses"] = json!("2001:db8::1");
    };
    let service = Service::new(object(one), None).alloc;
    assert_eq!(expected.map(|vip| service.was_announced(vip)), [false, true]);
    assert_eq!(Announced::new(object(known)).announced, expected);
}

#[test]
fn what_was_announced_has_lapsed_where_our_record_has_outlived_the_status() {
    let lapsed = |record: bool, wiped: bool| {
        let object = object(|o| {
            let known = json!("2001:db8::1,198.51.100.100,198.51.100.101");
            o["metadata"]["annotations"]["landfall.dev/announced-addresses"] = known;
            if !record {
                o["metadata"]["annotations"].as_object_mut().unwrap().remove("landfall.dev/allocated-from");
            }
            if wiped {
                o["spec"]["type"] = json!("ClusterIP");
                o["status"]["loadBalancer"] = json!({});
            }
        });
        Service::new(object, None).alloc.lapsed().to_vec()
    };
    assert_eq!(lapsed(true, true), [ip("198.51.100.100"), ip("2001:db8::1")]);
    assert_eq!([lapsed(true, false), lapsed(false, true), lapsed(false, false)], [const { Vec::<IpAddr>::new() }; 3]);
}

#[test]
fn what_is_not_left_to_a_foreign_host_counts_together_with_the_status_and_is_probed_all_the_same() {
    let word: fn(&mut Value, &str) =
        |o, text| o["metadata"]["annotations"]["landfall.dev/settled-addresses"] = json!(text);
    let mine = object(|o| word(o, "2001:db8::1"));
    let (controllers, speakers) = (Service::new(mine.clone(), None), Announced::new(mine));
    assert!(controllers.has_settled && controllers.alloc.is_settled() && speakers.announced.is_empty());
    let anothers = Service::new(object(|o| word(o, "198.51.100.101")), None);
    assert!(anothers.has_settled && !anothers.alloc.is_settled());
    assert!(!Service::new(object(|_| ()), None).has_settled);
}
