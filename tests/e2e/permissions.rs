//! Over a run with everything in it, each right that `manifests/` grants is used, and no request is refused.

use std::{fs, path::Path};

use anyhow::{Result, ensure};
use landfall_sandbox::{Sandbox, wait_for};

use crate::{
    lab::{Lab, PATIENCE},
    objects::{config, service, service_at},
    sight::host,
};

/// A speaker asks for these lists where the server does not stream them, as 1.30's does not, and when it begins its watches anew.
const RARE: [&str; 2] = ["list services everywhere", "list endpointslices.discovery.k8s.io everywhere"];

#[test]
fn granted_rights_are_the_used_ones() {
    let lab = Lab::up();
    lab.apply_example("2-loadbalancer.yaml");
    let vip = lab.address("web");
    lab.wait_answer(&[], &format!("http://{}:30080", host(vip)));
    lab.apply(&[service_at("outside", "203.0.113.9")]);
    lab.wait_refused("outside", "AddressOutsidePools");
    lab.apply(&[config("pools: [{name: default}]")]);
    lab.wait_event("ConfigMap", "landfall-system", "landfall", &["addresses"]);
    let edited = "pools: [{name: default, addresses: [198.51.100.100/30, '2001:db8::100/120']}]";
    lab.apply(&[config(edited)]);
    lab.wait_accepted(edited);
    let owner = lab.owner(vip);
    lab.speaker(&owner).kill();
    lab.wait_owner(vip, |node| *node != owner);
    lab.speaker(&owner).start().unwrap();
    lab.leader().kill();
    lab.apply(&[service("next")]);
    lab.address("next");
    lab.delete(&["service", "next"]);
    wait_for("the released address to be remembered", PATIENCE, || {
        lab.sandbox.get(&["-n", "landfall-system", "configmap", "landfall-memory"]).map(drop)
    })
    .unwrap();

    let streams_lists = lab.sandbox.api().get("/version").unwrap()["minor"] != "30";
    for account in ["landfall-controller", "landfall-speaker"] {
        let rights = lab.sandbox.rights("landfall-system", account).unwrap();
        assert_eq!(rights.refused, [], "{account} lacks rights");
        let unused = rights.unused.iter().map(ToString::to_string);
        let unused: Vec<String> = unused.filter(|right| !(streams_lists && RARE.contains(&&**right))).collect();
        assert_eq!(unused, [] as [&str; 0], "{account} has rights that it does not use");
        assert!(!rights.granted.is_empty());
    }
}

/// Applies `manifests/` under another prefix, as a user's overlay does.
fn apply_prefixed(sandbox: &Sandbox, prefix: &str) -> Result<()> {
    let overlay = tempfile::tempdir()?;
    let base = overlay.path().join("base");
    fs::create_dir(&base)?;
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests"))? {
        let file = file?;
        fs::copy(file.path(), base.join(file.file_name()))?;
    }
    fs::write(overlay.path().join("kustomization.yaml"), format!("resources: [base]\nnamePrefix: {prefix}\n"))?;
    sandbox.apply_kustomize(overlay.path()).map(drop)
}

#[test]
fn an_overlays_prefix_leaves_records_protected() {
    let sandbox = Sandbox::builder().nodes(1).up().unwrap();
    apply_prefixed(&sandbox, "edge-").unwrap();
    let config = sandbox.kubeconfig_for("landfall-system", "edge-landfall-speaker", Some("n1")).unwrap();
    let config = format!("--kubeconfig={}", config.display());
    let create = |name: &str| sandbox.kubectl(&[&config, "create", "configmap", name, "-n", "landfall-speakers"]);

    // A policy takes a moment to be in force.
    let mut attempt = 0;
    wait_for("the policy to refuse another node's record", PATIENCE, || {
        attempt += 1;
        let refused = create(&format!("other-{attempt}"));
        ensure!(refused.is_err(), "it was accepted");
        let why = format!("{:#}", refused.unwrap_err());
        ensure!(why.contains("only the record of its own node, n1"), "{why}");
        Ok(())
    })
    .unwrap();
    create("n1").unwrap();
}
