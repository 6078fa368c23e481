//! With which others a Service would share an address: Landfall's annotation or MetalLB's, its ports and its traffic policy.

use super::{
    Spec,
    request::{given, widest},
};
use crate::cluster::names::SHARING_KEYS;
use landfall_core::alloc::{Port, Protocol, Share};
use serde::Deserialize;

/// An entry of `spec.ports`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ServicePort {
    port: u16,
    protocol: Option<String>,
}

impl ServicePort {
    fn port(&self) -> Port {
        let protocol = match self.protocol.as_deref() {
            Some("UDP") => Protocol::Udp,
            Some("SCTP") => Protocol::Sctp,
            _ => Protocol::Tcp,
        };
        Port { protocol, number: self.port }
    }
}

/// Reads the sharing key, and what else matters where there is one. Where annotations disagree it is the first one's, and what is
/// wrong is said beside it: a Service that shares an address already is not to lose it for a slip of the pen.
pub(super) fn share<'a>(annotation: impl Fn(&str) -> Option<&'a str>, spec: &Spec) -> (Option<Share>, Option<String>) {
    let keys: Vec<_> = given(annotation, &SHARING_KEYS).collect();
    let first = keys.first().map(|(_, key)| *key);
    let (key, malformed) = match widest(keys, |key, other| key == other) {
        Ok(key) => (key, None),
        Err(malformed) => (first, Some(malformed)),
    };
    let local = spec.external_traffic_policy.as_deref() == Some("Local");
    let share = key.map(|key| Share {
        key: key.to_owned(),
        ports: spec.ports.iter().map(ServicePort::port).collect(),
        local: local.then(|| spec.selector.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()),
    });
    (share, malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_core::config::Labels;
    use serde_json::{Value, json};

    fn read(annotations: &[(&str, &'static str)], spec: Value) -> (Option<Share>, Option<String>) {
        let find = |name: &str| annotations.iter().find(|(key, _)| *key == name).map(|(_, text)| *text);
        share(find, &serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn a_sharing_key_is_read_with_ports_and_policy() {
        let spec = json!({
            "ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}, {"port": 9, "protocol": "SCTP"}],
            "selector": {"app": "web"}, "externalTrafficPolicy": "Cluster"
        });
        let port = |protocol, number| Port { protocol, number };
        let ports = vec![port(Protocol::Tcp, 80), port(Protocol::Udp, 53), port(Protocol::Sctp, 9)];
        let expected = Share { key: "k".into(), ports, local: None };
        for name in ["landfall.dev/sharing-key", "metallb.io/allow-shared-ip", "metallb.universe.tf/allow-shared-ip"] {
            assert_eq!(read(&[(name, " k ")], spec.clone()), (Some(expected.clone()), None), "{name}");
            assert_eq!(read(&[(name, "")], spec.clone()), (None, None), "{name}");
        }
        let mut local = spec;
        local["externalTrafficPolicy"] = "Local".into();
        let expected = Share { local: Some(Labels::from([("app", "web")])), ..expected };
        assert_eq!(read(&[("landfall.dev/sharing-key", "k")], local), (Some(expected), None));
    }

    #[test]
    fn of_two_keys_that_disagree_the_first_counts_and_both_are_said() {
        let keys = [("landfall.dev/sharing-key", "a"), ("metallb.io/allow-shared-ip", "b")];
        let expected =
            "landfall.dev/sharing-key and metallb.io/allow-shared-ip ask for different things: keep one of them";
        let (share, malformed) = read(&keys, json!({}));
        assert_eq!((share.map(|share| share.key).as_deref(), malformed.as_deref()), (Some("a"), Some(expected)));
    }
}
