//! Example 1: Services of the other types are none of Landfall's business.

use anyhow::{Result, ensure};
use landfall_sandbox::{Sandbox, wait_for};
use serde_json::{Value, json};

use crate::{
    lab::{Lab, PATIENCE, example},
    objects::assert_untouched,
};

const SERVICES: [&str; 4] = ["nginx-cluster-ip", "nginx-node-port", "nginx-headless", "google"];

/// Every field but the two that any write to the object changes.
fn snapshot(sandbox: &Sandbox) -> Result<Vec<Value>> {
    let read = |name| {
        let mut service = sandbox.get(&["service", name])?;
        let metadata = service["metadata"].as_object_mut();
        metadata.map(|metadata| ["resourceVersion", "managedFields"].map(|key| metadata.remove(key)));
        Ok(service)
    };
    SERVICES.into_iter().map(read).collect()
}

#[test]
fn other_services_stay_exactly_as_they_are_and_work() {
    let mut before = Vec::new();
    let lab = Lab::with(|sandbox| {
        sandbox.apply_file(&example("1-left-alone.yaml"))?;
        before = snapshot(sandbox)?;
        sandbox.apply_file(&example("config.yaml")).map(drop)
    });
    // Once Landfall has served a later Service, it has seen these.
    lab.apply_example("2-loadbalancer.yaml");
    lab.addresses("web");

    let after = snapshot(&lab.sandbox).unwrap();
    for (name, (before, after)) in SERVICES.into_iter().zip(before.iter().zip(&after)) {
        assert_eq!(before, after, "Service {name} has changed");
        assert_untouched(after);
        assert_eq!(lab.events("Service", "default", name), [], "there are Events on Service {name}");
        let managed = lab.get(&["--show-managed-fields", "service", name])["metadata"]["managedFields"].to_string();
        assert!(!managed.contains("landfall"), "Landfall has written to Service {name}: {managed}");
    }

    lab.wait_available("nginx");
    let cluster_ip = after[0]["spec"]["clusterIP"].as_str().unwrap();
    assert!(lab.curl_from_pod("nginx", &format!("http://{cluster_ip}")).contains("nginx"));
    for node in lab.sandbox.nodes() {
        assert!(lab.wait_answer(&[], &format!("http://{}:30000", node.ipv4())).contains("nginx"));
    }
    // The sandbox has no DNS server. What one would answer from is looked at instead: the headless Service's endpoints, and
    // the name that the ExternalName Service stands for.
    let pods = wait_for("both pods behind the headless Service", PATIENCE, || {
        let slices = lab.sandbox.get(&["endpointslices", "-l", "kubernetes.io/service-name=nginx-headless"])?;
        let slices = slices["items"].as_array().into_iter().flatten();
        let endpoints = slices.flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
        let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] == true);
        let pods: Vec<String> =
            ready.filter_map(|endpoint| endpoint["addresses"][0].as_str().map(str::to_owned)).collect();
        ensure!(pods.len() == 2, "it has {pods:?}");
        Ok(pods)
    })
    .unwrap();
    for pod in pods {
        assert!(lab.curl_from_pod("nginx", &format!("http://{pod}")).contains("nginx"));
    }
    let google = &after[3]["spec"];
    assert_eq!((&google["type"], &google["externalName"]), (&json!("ExternalName"), &json!("google.com")));
}
