//! Example 3: an ingress controller, two hosts and three paths at one external address.

use anyhow::ensure;
use landfall_sandbox::{echo::Reply, wait_for};

use crate::{
    lab::{Lab, PATIENCE},
    objects::addresses,
    sight::host,
};

#[test]
fn an_ingress_controller_is_reached_at_one_external_address() {
    let lab = Lab::up();
    let start = lab.apply_example("3-ingress.yaml");
    let vip = wait_for("an address for the ingress controller", PATIENCE, || {
        let found = addresses(&lab.sandbox.get(&["-n", "traefik", "service", "traefik"])?);
        ensure!(found.len() == 1, "it has {found:?}");
        Ok(host(found[0]))
    })
    .unwrap();

    let ask = |name: &str, scheme: &str, path: &str| {
        let ports = format!("{name}:{}:{vip}", if scheme == "http" { 80 } else { 443 });
        let url = format!("{scheme}://{name}{path}");
        lab.first_answer("ingress", start, &["--resolve", &ports, "--insecure"], &url)
    };
    for scheme in ["http", "https"] {
        for (name, path, pods) in
            [("foo.bar.com", "/foos1", "s1-"), ("foo.bar.com", "/bars2", "s2-"), ("bar.foo.com", "/", "s2-")]
        {
            let answer = ask(name, scheme, path);
            let reply = Reply::parse(&answer).unwrap();
            assert!(
                reply.pod.starts_with(pods),
                "{scheme}://{name}{path} was answered by another than {pods}: {answer}"
            );
            assert_eq!(reply.probe, "/", "{path} was not rewritten: {answer}");
        }
    }

    wait_for("kubectl get ingress to show the external address", PATIENCE, || {
        let table = lab.sandbox.kubectl(&["get", "ingress", "hosts"])?;
        ensure!(table.contains(&vip), "{table}");
        Ok(())
    })
    .unwrap();
}
