//! The controller uses every right that it has and needs no other; a speaker may write the record of its own node alone.

use crate::harness::{CONFIG, Cluster, SOON};
use anyhow::{Context, Result, ensure};
use kube::config::{KubeConfigOptions, Kubeconfig};
use landfall::cluster::{
    client,
    record::{Assembly, LONGEST, Part, Record, RecordWriter},
};
use landfall_sandbox::wait_for;
use serde_json::json;
use std::path::PathBuf;

#[test]
fn the_controller_has_the_rights_that_it_uses() -> Result<()> {
    let cluster = Cluster::up()?;
    let controller = cluster.controller("controller")?;
    // Something is remembered of the released address.
    cluster.configure(&CONFIG.replace("reuse: 0s", "reuse: 1h"))?;
    cluster.service("web", json!({}), json!({}))?;
    cluster.expect("web", &["198.51.100.100"])?;
    cluster.sandbox.kubectl(&["delete", "service", "web", "--timeout=20s"])?;
    cluster.expect_event("default", "web", "IPReleased")?;
    // The second start finds what the first has created.
    controller.restart(SOON)?;
    cluster.service("web", json!({}), json!({}))?;
    cluster.expect("web", &["198.51.100.100"])?;
    controller.terminate()?;
    controller.wait(SOON)?;
    let rights = cluster.sandbox.rights("landfall-system", "landfall-controller")?;
    assert!(!rights.granted.is_empty());
    assert!(rights.unused.is_empty(), "granted and never used: {:#?}", rights.unused);
    assert!(rights.refused.is_empty(), "needed and refused: {:#?}", rights.refused);
    Ok(())
}

/// Writes records of `name` one after the other, with the token in `config`.
fn write(cluster: &Cluster, config: PathBuf, name: &str, records: &[Record]) -> Result<Vec<bool>> {
    let write = async || {
        let config = Kubeconfig::read_from(&config)?;
        let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
        let mut writer = RecordWriter::new(client::connect(&config)?, name);
        let mut written = Vec::new();
        for record in records {
            written.push(writer.write(record).await?);
        }
        anyhow::Ok(written)
    };
    let run = || tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(write());
    cluster.sandbox.control_plane().enter(run)?
}

#[test]
fn a_speaker_writes_its_own_record_alone() -> Result<()> {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cluster = Cluster::up()?;
    let speaker = |node| cluster.sandbox.kubeconfig_for("landfall-system", "landfall-speaker", node);
    let (bound, unbound) = (speaker(Some("n1"))?, speaker(None)?);
    let record = |version: &str| Record { version: version.into(), ..Record::default() };

    // A policy takes a moment to be in force.
    wait_for("the policy to refuse", SOON, || {
        let refused = write(&cluster, bound.clone(), "n2", &[record("1")]).err().context("it was accepted")?;
        let why = format!("{refused:#}");
        ensure!(why.contains("only the record of its own node, n1"), "{why}");
        Ok(())
    })?;
    let written = write(&cluster, bound.clone(), "n1", &[record("1"), record("1"), record("2")])?;
    assert_eq!(written, [true, false, true]);
    let stored = cluster.sandbox.get(&["configmap", "-n", "landfall-speakers", "n1"])?;
    let stored = Record::decode(stored["data"]["status"].as_str().context("no status")?)?;
    assert_eq!(stored, record("2"));

    // One that is too long for an object is on several; what a shorter one leaves over is emptied.
    let whole = || -> Result<Option<Record>> {
        let maps = cluster.sandbox.get(&["configmaps", "-n", "landfall-speakers"])?;
        let maps = maps["items"].as_array().into_iter().flatten();
        let parts = maps.filter_map(|map| Part::new(serde_json::from_value(map.clone()).ok()?)).collect::<Vec<_>>();
        let mut assembly = Assembly::default();
        let text = parts.into_iter().filter(|part| part.node == "n1").find_map(|part| assembly.put(part));
        Ok(text.map(|(text, _)| Record::decode(&text)).transpose()?)
    };
    let long = record(&"3".repeat(2 * LONGEST + 1));
    write(&cluster, bound.clone(), "n1", &[record("2"), long.clone()])?;
    assert_eq!(whole()?, Some(long.clone()));
    write(&cluster, bound.clone(), "n1", &[long, record("4")])?;
    assert_eq!(whole()?, Some(record("4")));
    let left = cluster.sandbox.get(&["configmap", "-n", "landfall-speakers", "n1.part-2"])?;
    assert_eq!(left["data"]["status"], "");

    let bound_config = format!("--kubeconfig={}", bound.display());
    for name in ["n1.part-0", "n1.part-16", "n1.part-01", "n1.part-x", "n1.1", "n11", "n1.part-1.part-1"] {
        let arguments = [&bound_config, "create", "configmap", name, "-n", "landfall-speakers"];
        let refused = cluster.sandbox.kubectl(&arguments).unwrap_err();
        assert!(format!("{refused:#}").contains("only the record of its own node"), "{name}: {refused:#}");
    }

    let refused = write(&cluster, unbound, "n1", &[record("3")]).unwrap_err();
    assert!(format!("{refused:#}").contains("bound to no node"), "{refused:#}");
    for namespace in ["landfall-system", "default"] {
        let arguments = [&bound_config, "create", "configmap", "n1", "-n", namespace];
        let refused = cluster.sandbox.kubectl(&arguments).unwrap_err();
        assert!(format!("{refused:#}").contains("forbidden"), "{refused:#}");
    }
    Ok(())
}
