//! Whether two Services may have one address: the rule alone, without who holds what.

use super::ServiceKey;
use crate::config::{Labels, Sharing};
use std::fmt;

/// What a Service with a sharing key brings to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Only Services with the same one share.
    pub key: String,
    /// Its ports.
    pub ports: Vec<Port>,
    /// With `externalTrafficPolicy: Local`: by which labels it selects its pods. None: `Cluster`.
    pub local: Option<Labels>,
}

/// A port of a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// Its protocol.
    pub protocol: Protocol,
    /// Its number.
    pub number: u16,
}

/// The protocol of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
            Protocol::Sctp => "SCTP",
        };
        write!(f, "{}/{protocol}", self.number)
    }
}

/// What keeps two Services from sharing an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clash {
    /// They do not have the same sharing key, or none.
    Keys,
    /// Both have this port.
    Port(Port),
    /// One has the traffic policy Local and the other Cluster: a node could not tell which of them lets it announce.
    Policies,
    /// Both have Local, and not the same pods: a node may have pods of one and none of the other.
    Pods,
    /// The pool lets only Services of one namespace share.
    Namespaces,
    /// The pool lets nobody share.
    Forbidden,
}

/// What it takes to share all the same.
impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys => f.write_str("the two need one landfall.dev/sharing-key"),
            Self::Port(port) => write!(f, "both have the port {port}: change one of them"),
            Self::Policies => f.write_str("one has externalTrafficPolicy Local and the other Cluster: make them equal"),
            Self::Pods => f.write_str(
                "with externalTrafficPolicy Local both must be in one namespace and have one selector, and not an empty \
                 one: make them equal, or use Cluster",
            ),
            Self::Namespaces => f.write_str(
                "the pool lets only Services of one namespace share: ask for another pool, or set its sharing to all",
            ),
            Self::Forbidden => f.write_str("the pool lets nobody share: ask for another pool, or change its sharing"),
        }
    }
}

impl Share {
    /// What keeps two different Services from one address, whatever its pool says.
    pub fn clash(one: (&ServiceKey, Option<&Self>), other: (&ServiceKey, Option<&Self>)) -> Option<Clash> {
        let ((one, Some(share)), (other, Some(with))) = (one, other) else { return Some(Clash::Keys) };
        if share.key != with.key {
            return Some(Clash::Keys);
        }
        if let Some(port) = share.ports.iter().find(|port| with.ports.contains(port)) {
            return Some(Clash::Port(*port));
        }
        match (&share.local, &with.local) {
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => Some(Clash::Policies),
            (Some(pods), Some(others)) => {
                let is_same = one.namespace() == other.namespace() && pods == others && !pods.is_empty();
                (!is_same).then_some(Clash::Pods)
            }
        }
    }

    /// What the pool has against a newcomer at another Service's address.
    pub fn forbidden(by: Sharing, one: &ServiceKey, other: &ServiceKey) -> Option<Clash> {
        match by {
            Sharing::All => None,
            Sharing::Namespace => (one.namespace() != other.namespace()).then_some(Clash::Namespaces),
            Sharing::None => Some(Clash::Forbidden),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(protocol: Protocol, number: u16) -> Port {
        Port { protocol, number }
    }

    fn share(key: &str, ports: &[u16]) -> Share {
        let ports = ports.iter().map(|number| port(Protocol::Tcp, *number)).collect();
        Share { key: key.into(), ports, local: None }
    }

    fn local(pods: Labels) -> Share {
        Share { local: Some(pods), ..share("k", &[443]) }
    }

    #[test]
    fn two_services_share_with_equal_keys_disjoint_ports_and_fitting_policies() {
        let web = share("k", &[80]);
        let udp = Share { ports: vec![port(Protocol::Udp, 80)], ..web.clone() };
        let pods = || Labels::from([("app", "web")]);
        let web_locally = Share { local: Some(pods()), ..web.clone() };
        for (one, other, other_namespace, expected) in [
            (&web, Some(share("k", &[443])), "a", None),
            (&web, Some(share("k", &[443])), "b", None),
            (&web, Some(udp), "a", None),
            (&web, None, "a", Some(Clash::Keys)),
            (&web, Some(share("l", &[443])), "a", Some(Clash::Keys)),
            (&web, Some(share("k", &[443, 80])), "a", Some(Clash::Port(port(Protocol::Tcp, 80)))),
            (&web, Some(local(pods())), "a", Some(Clash::Policies)),
            (&web_locally, Some(local(pods())), "a", None),
            (&web_locally, Some(local(pods())), "b", Some(Clash::Pods)),
            (&web_locally, Some(local(Labels::from([("app", "api")]))), "a", Some(Clash::Pods)),
            (
                &Share { local: Some(Labels::default()), ..web.clone() },
                Some(local(Labels::default())),
                "a",
                Some(Clash::Pods),
            ),
        ] {
            let (mine, others) = (ServiceKey::new("a", "x"), ServiceKey::new(other_namespace, "y"));
            assert_eq!(Share::clash((&mine, Some(one)), (&others, other.as_ref())), expected, "{one:?} {other:?}");
            assert_eq!(Share::clash((&others, other.as_ref()), (&mine, Some(one))), expected, "{other:?} {one:?}");
        }
    }

    #[test]
    fn across_namespaces_services_share_only_where_the_pool_says_so() {
        let (one, near, far) = (ServiceKey::new("a", "x"), ServiceKey::new("a", "y"), ServiceKey::new("b", "x"));
        for (by, beside, apart) in [
            (Sharing::Namespace, None, Some(Clash::Namespaces)),
            (Sharing::All, None, None),
            (Sharing::None, Some(Clash::Forbidden), Some(Clash::Forbidden)),
        ] {
            assert_eq!(Share::forbidden(by, &one, &near), beside, "{by:?}");
            assert_eq!(Share::forbidden(by, &one, &far), apart, "{by:?}");
        }
    }
}
