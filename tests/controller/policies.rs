//! A cluster's own admission policies, which Landfall's writes meet, too.

use crate::harness::{Cluster, SOON};
use anyhow::{Context, Result, ensure};
use landfall_sandbox::wait_for;
use serde_json::json;

const POLICY: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: team}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [UPDATE], resources: [services/status]}]
  validations:
  - {expression: "has(object.metadata.labels) && 'team' in object.metadata.labels", message: a Service needs a team}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: team}
spec: {policyName: team, validationActions: [Deny]}
"#;

#[test]
fn a_write_that_is_refused_is_told_and_made_once_it_may_be() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure("pools: [{name: lan, addresses: [198.51.100.100]}]")?;
    cluster.sandbox.apply(POLICY)?;
    cluster.service("other", json!({}), json!({"type": "ClusterIP"}))?;
    let mut attempt = 0;
    // A policy takes a moment to be in force.
    wait_for("a write to be refused", SOON, || {
        attempt += 1;
        let conditions = [json!({
            "type": "example.com/Attempt", "status": "True", "reason": format!("Attempt{attempt}"), "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"
        })];
        let patch = json!({"status": {"conditions": conditions}}).to_string();
        let patch = ["patch", "service", "other", "--subresource=status", "--type=merge", "-p", &patch];
        let why = format!("{:#}", cluster.sandbox.kubectl(&patch).err().context("it was accepted")?);
        ensure!(why.contains("a Service needs a team"), "{why}");
        Ok(())
    })?;
    cluster.controller("controller")?;
    cluster.service("web", json!({}), json!({}))?;
    let note = cluster.expect_event("default", "web", "WriteRefused")?;
    ensure!(note.contains("a Service needs a team"), "{note}");
    cluster.sandbox.kubectl(&["label", "service", "web", "team=shop"])?;
    cluster.expect("web", &["198.51.100.100"])?;
    Ok(())
}
