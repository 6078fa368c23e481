//! Services get addresses, keep them, and give them back; all others are left alone.

use crate::harness::{CONFIG, Cluster, SOON, condition};
use anyhow::{Result, ensure};
use landfall::cluster::names::CONTROLLER;
use landfall_sandbox::wait_for;
use serde_json::{Value, json};

#[test]
fn an_allocation_is_whole_from_its_first_sight() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure(CONFIG)?;
    cluster.controller("controller")?;
    cluster.service("web", json!({}), json!({}))?;
    let service = cluster.expect("web", &["198.51.100.100"])?;
    assert_eq!(service["metadata"]["finalizers"], json!(["service.kubernetes.io/load-balancer-cleanup"]));
    assert_eq!(service["metadata"]["annotations"]["landfall.dev/allocated-from"], "default");
    assert_eq!(service["status"]["loadBalancer"], json!({"ingress": [{"ip": "198.51.100.100", "ipMode": "VIP"}]}));
    let condition = condition(&service).unwrap();
    assert_eq!((&condition["status"], &condition["reason"]), (&json!("True"), &json!("Allocated")));
    cluster.expect_event("default", "web", "IPAllocated")?;

    let dual = json!({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv4"]});
    cluster.service("dual", json!({}), dual)?;
    cluster.expect("dual", &["198.51.100.101", "2001:db8::101"])?;
    cluster.service("asked", json!({"landfall.dev/addresses": "198.51.100.103"}), json!({}))?;
    cluster.expect("asked", &["198.51.100.103"])?;

    cluster.service("taken", json!({}), json!({"loadBalancerIP": "198.51.100.100"}))?;
    let (said, told) =
        (wait_for_refusal(&cluster, "taken")?, cluster.expect_event("default", "taken", "AllocationFailed")?);
    assert_eq!(said, told);
    assert!(said.contains("198.51.100.100"), "{said}");
    assert_eq!(cluster.addresses("taken")?, [""; 0]);

    let listing = cluster.sandbox.kubectl(&["get", "service", "web"])?;
    assert!(listing.contains("198.51.100.100"), "{listing}");
    Ok(())
}

fn wait_for_refusal(cluster: &Cluster, name: &str) -> Result<String> {
    wait_for(&format!("{name} to be refused"), SOON, || {
        let service = cluster.get(name)?;
        let condition = condition(&service).cloned().unwrap_or_default();
        ensure!(condition["status"] == "False", "{service:#}");
        Ok(condition["message"].as_str().unwrap_or_default().to_owned())
    })
}

#[test]
fn what_is_deleted_or_changes_its_type_is_released() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure(CONFIG)?;
    cluster.controller("controller")?;
    cluster.service("deleted", json!({}), json!({}))?;
    cluster.expect("deleted", &["198.51.100.100"])?;
    cluster.service("changed", json!({}), json!({}))?;
    cluster.expect("changed", &["198.51.100.101"])?;

    // kubectl waits for the finalizer to go.
    cluster.sandbox.kubectl(&["delete", "service", "deleted", "--timeout=20s"])?;
    cluster.expect_event("default", "deleted", "IPReleased")?;
    cluster.service("changed", json!({}), json!({"type": "ClusterIP"}))?;
    wait_for("every trace to go", SOON, || {
        let service = cluster.get("changed")?;
        let traces =
            [&service["metadata"]["finalizers"], &service["metadata"]["annotations"]["landfall.dev/allocated-from"]];
        ensure!(traces.iter().all(|trace| trace.is_null()) && condition(&service).is_none(), "{service:#}");
        Ok(())
    })?;
    cluster.expect_event("default", "changed", "IPReleased")?;

    // Both addresses are to be had again.
    cluster.service("first", json!({"landfall.dev/addresses": "198.51.100.100"}), json!({}))?;
    cluster.expect("first", &["198.51.100.100"])?;
    cluster.service("second", json!({"landfall.dev/addresses": "198.51.100.101"}), json!({}))?;
    cluster.expect("second", &["198.51.100.101"])?;
    Ok(())
}

#[test]
fn other_services_are_left_alone() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure(CONFIG)?;
    let others = [
        ("plain", json!({"type": "ClusterIP"})),
        ("node-port", json!({"type": "NodePort"})),
        ("headless", json!({"type": "ClusterIP", "clusterIP": "None"})),
        ("external", json!({"type": "ExternalName", "externalName": "google.com"})),
        ("foreign-class", json!({"loadBalancerClass": "example.com/other"})),
    ];
    for (name, spec) in &others {
        cluster.service(name, json!({}), spec.clone())?;
    }
    let foreign = json!({
        "metadata": {"finalizers": ["service.kubernetes.io/load-balancer-cleanup"]},
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}
    });
    let patch = foreign.to_string();
    cluster.sandbox.kubectl(&["patch", "service", "foreign-class", "--subresource=status", "-p", &patch])?;
    let all = || others.iter().map(|(name, _)| cluster.get(name)).collect::<Result<Vec<Value>>>();
    let before = all()?;
    cluster.controller("controller")?;
    // Served after the others were seen.
    cluster.service("web", json!({}), json!({}))?;
    cluster.expect("web", &["198.51.100.100"])?;
    cluster.expect_event("default", "web", "IPAllocated")?;
    assert_eq!(all()?, before);
    let events = cluster.sandbox.get(&["events.events.k8s.io"])?;
    // Kubernetes itself has Events about Services, too.
    let ours = events["items"].as_array().unwrap().iter().filter(|event| event["reportingController"] == CONTROLLER);
    let about = ours.map(|event| &event["regarding"]).filter(|about| about["kind"] == "Service");
    let about: Vec<_> = about.map(|about| &about["name"]).collect();
    assert!(!about.is_empty() && about.iter().all(|name| *name == "web"), "{about:?}");
    Ok(())
}

#[test]
fn what_others_write_beside_ours_stays() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure(CONFIG)?;
    cluster.service("web", json!({}), json!({}))?;
    let theirs = json!({
        "metadata": {"finalizers": ["example.com/theirs"], "annotations": {"example.com/theirs": "yes"}},
        "status": {"conditions": [{"type": "example.com/Theirs", "status": "True", "reason": "Yes", "message": "",
                                   "lastTransitionTime": "2026-11-24T12:00:00Z"}]}
    });
    cluster.sandbox.kubectl(&["patch", "service", "web", "--subresource=status", "-p", &theirs.to_string()])?;
    cluster.controller("controller")?;
    let service = cluster.expect("web", &["198.51.100.100"])?;
    assert_eq!(service["metadata"]["annotations"]["example.com/theirs"], "yes");
    assert!(service["metadata"]["finalizers"].as_array().unwrap().contains(&json!("example.com/theirs")));
    assert_eq!(service["status"]["conditions"].as_array().unwrap().len(), 2);
    // What is wiped of ours comes back.
    let wiped = json!({"status": {"loadBalancer": {"ingress": null}}}).to_string();
    cluster.sandbox.kubectl(&["patch", "service", "web", "--subresource=status", "-p", &wiped])?;
    cluster.expect("web", &["198.51.100.100"])?;
    // And on release only ours goes.
    cluster.service("web", json!({}), json!({"type": "ClusterIP"}))?;
    wait_for("ours to go and theirs to stay", SOON, || {
        let service = cluster.get("web")?;
        let conditions = service["status"]["conditions"].as_array().map_or(0, Vec::len);
        ensure!(service["metadata"]["finalizers"] == json!(["example.com/theirs"]) && conditions == 1, "{service:#}");
        Ok(())
    })?;
    let freed = json!({"metadata": {"finalizers": null}}).to_string();
    cluster.sandbox.kubectl(&["patch", "service", "web", "-p", &freed])?;
    Ok(())
}

#[test]
fn with_a_class_only_that_class_is_served() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure(CONFIG)?;
    cluster.controller_with("controller", &["--lb-class", "landfall.dev/l2"])?;
    cluster.service("without", json!({}), json!({}))?;
    let before = cluster.get("without")?;
    cluster.service("with", json!({}), json!({"loadBalancerClass": "landfall.dev/l2"}))?;
    cluster.expect("with", &["198.51.100.100"])?;
    assert_eq!(cluster.get("without")?, before);
    Ok(())
}
