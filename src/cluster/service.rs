//! A Service object becomes what the allocator decides by, and what a patch is planned against.
//!
//! [`ServiceObject`] is the object as the API server sends it, no more of it than is read. [`Service`] is what the
//! controller keeps of it, [`Announced`] what a speaker keeps.

use super::{
    names,
    object::{lean_metadata, parse_addresses, parse_family, stands_for},
};
use arcstr::ArcStr;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use landfall_core::{
    alloc::{self, FamilyPolicy, Rare, ServiceKey},
    config::Labels,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

mod request;
mod said;
mod share;
mod write;

pub use said::Said;
pub use write::patch_status;

/// A Service as it is sent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ServiceObject {
    #[serde(deserialize_with = "lean_metadata")]
    metadata: ObjectMeta,
    spec: Spec,
    status: Status,
}

stands_for!(ServiceObject, k8s_openapi::api::core::v1::Service);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    r#type: String,
    load_balancer_class: Option<String>,
    #[serde(rename = "loadBalancerIP")]
    load_balancer_ip: Option<String>,
    #[serde(rename = "clusterIPs")]
    cluster_ips: Vec<String>,
    ip_families: Vec<String>,
    ip_family_policy: Option<String>,
    external_traffic_policy: Option<String>,
    ports: Vec<share::ServicePort>,
    selector: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    load_balancer: LoadBalancer,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct LoadBalancer {
    ingress: Vec<Ingress>,
}

/// An entry of `status.loadBalancer.ingress`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Ingress {
    ip: Option<String>,
    hostname: Option<String>,
    ip_mode: Option<String>,
}

impl Ingress {
    /// Whether the entry says that its address is answered for by us: kube-proxy may then short-cut it in the cluster
    /// (KEP-1860).
    fn is_vip(&self) -> bool {
        let vip = matches!(self.ip_mode.as_deref(), None | Some("VIP"));
        vip && self.address().is_some()
    }

    /// None where there is a name as well: then it is somebody else's word.
    fn address(&self) -> Option<IpAddr> {
        self.ip.as_ref().filter(|_| self.hostname.is_none())?.parse().ok()
    }
}

/// A condition of the Service's status.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Condition {
    r#type: String,
    status: String,
    reason: String,
    message: String,
}

/// What the controller keeps of a Service. There are thousands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// What the allocator decides by, and keeps, too.
    pub alloc: Arc<alloc::Service>,
    /// The version that a patch names as its precondition.
    pub resource_version: Box<str>,
    /// Whether the status is as we write it: its addresses are VIPs, and it has nothing else.
    pub vips_alone: bool,
    /// Whether it has our word on which addresses have been announced, be it about those that it has now or not.
    pub has_announced: bool,
    /// Whether it has our word on which addresses it does not leave, be it about those that it has now or not.
    pub has_settled: bool,
    /// Our condition [`names::ALLOCATED`].
    pub said: Option<Said>,
    /// Our condition [`names::ANNOUNCED`].
    pub announced: Option<Said>,
    /// Its addresses inside the cluster.
    pub cluster_ips: Box<[IpAddr]>,
}

impl Service {
    /// The addresses that it has from us, and that are to be answered for.
    pub fn vips(&self) -> &[IpAddr] {
        if self.alloc.managed && self.alloc.record.is_some() { &self.alloc.status } else { &[] }
    }

    /// Projects `object`. Ours to serve are the Services of class `class`; where that is `None`, those without a class
    /// (KEP-1959).
    pub fn new(object: ServiceObject, class: Option<&str>) -> Self {
        Self::with_key(key(&object.metadata), object, class)
    }

    /// The same of an object whose key is there already: its text is shared.
    pub fn with_key(key: ServiceKey, object: ServiceObject, class: Option<&str>) -> Self {
        let ServiceObject { metadata, spec, status } = object;
        let annotation = |name: &str| metadata.annotations.as_ref()?.get(name).map(String::as_str);
        let deleting = metadata.deletion_timestamp.is_some();
        let balanced = spec.r#type == LOAD_BALANCER;
        let ours = balanced && spec.load_balancer_class.as_deref() == class;
        let ingress = status.load_balancer.ingress;
        let addresses: Box<[IpAddr]> = ingress.iter().filter_map(Ingress::address).collect();
        let mut request = request::request(annotation, spec.load_balancer_ip.as_deref());
        let (share, malformed) = share::share(annotation, &spec);
        let annotations = metadata.annotations.iter().flatten().map(|(name, _)| name.as_str());
        request.malformed = request.malformed.or(malformed).or_else(|| request::mistyped(annotations));
        let has_announced = annotation(names::ANNOUNCED_ADDRESSES).is_some();
        let settled = annotation(names::SETTLED_ADDRESSES).map(parse_addresses::<Vec<_>>);
        let has_settled = settled.is_some();
        let record = annotation(names::ALLOCATED_FROM).map(ArcStr::from);
        let is_settled = settled.is_some_and(|settled| addresses.iter().any(|address| settled.contains(address)));
        let announced = announced_addresses(&metadata);
        let bits = announced_bits(&addresses, &announced);
        let has_lapsed = record.is_some() && ingress.is_empty();
        let lapsed = if has_lapsed { one_of_each_family(announced) } else { Box::default() };
        let alloc = alloc::Service {
            managed: ours && !deleting,
            elsewhere: balanced && !ours,
            labels: metadata.labels.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
            families: spec.ip_families.iter().filter_map(|family| parse_family(family)).collect(),
            policy: match spec.ip_family_policy.as_deref() {
                Some("RequireDualStack") => FamilyPolicy::RequireDualStack,
                Some("PreferDualStack") => FamilyPolicy::PreferDualStack,
                _ => FamilyPolicy::SingleStack,
            },
            rare: Rare { request, lapsed }.boxed(),
            share: share.map(Arc::new),
            foreign_status: addresses.len() != ingress.len(),
            announced: bits | if is_settled { alloc::Service::SETTLED } else { 0 },
            record,
            status: addresses,
            finalizer: metadata.finalizers.iter().flatten().any(|finalizer| finalizer == names::FINALIZER),
            created: metadata.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second()),
            key,
            uid: metadata.uid.unwrap_or_default().into(),
        };
        let said = |kind: &str| {
            let ours = status.conditions.iter().find(|condition| condition.r#type == kind);
            ours.map(|Condition { status, reason, message, .. }| Said::new(status, reason, message))
        };
        Self {
            alloc: Arc::new(alloc),
            resource_version: metadata.resource_version.unwrap_or_default().into(),
            vips_alone: ingress.iter().all(Ingress::is_vip),
            has_announced,
            has_settled,
            said: said(names::ALLOCATED),
            announced: said(names::ANNOUNCED),
            // A headless one has the word None.
            cluster_ips: spec.cluster_ips.iter().filter_map(|ip| ip.parse().ok()).collect(),
        }
    }
}

/// What a speaker keeps of a Service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// Namespace and name.
    pub key: ServiceKey,
    /// The object's UID.
    pub uid: String,
    /// Its labels, which announcements select by.
    pub labels: Labels,
    /// The addresses in its status; empty where its type is not LoadBalancer.
    pub vips: Vec<IpAddr>,
    /// Those that have been announced before.
    pub announced: Vec<IpAddr>,
    /// The controller's record is on it: the addresses are Landfall's.
    pub recorded: bool,
    /// `externalTrafficPolicy: Local`: only a node with a usable endpoint may announce (KEP-1669).
    pub local: bool,
}

impl Announced {
    /// Projects `object`. A Service that is being deleted stays announced until its release is written.
    pub fn new(object: ServiceObject) -> Self {
        let ServiceObject { metadata, spec, status } = object;
        let recorded = metadata.annotations.as_ref().is_some_and(|all| all.contains_key(names::ALLOCATED_FROM));
        let vips = if spec.r#type == LOAD_BALANCER {
            status.load_balancer.ingress.iter().filter_map(Ingress::address).collect()
        } else {
            Vec::new()
        };
        let local = spec.external_traffic_policy.as_deref() == Some("Local");
        let key = key(&metadata);
        let announced = announced_addresses(&metadata);
        let labels = metadata.labels.into_iter().flatten().collect();
        Self { key, uid: metadata.uid.unwrap_or_default(), labels, vips, announced, recorded, local }
    }
}

/// A bit for each of the addresses that have been announced, below the one that has another meaning.
fn announced_bits(addresses: &[IpAddr], announced: &[IpAddr]) -> u8 {
    let bits = addresses.iter().take(alloc::Service::SETTLED.trailing_zeros() as usize).enumerate();
    bits.fold(0, |bits, (bit, address)| bits | u8::from(announced.contains(address)) << bit)
}

/// Of each family the first.
fn one_of_each_family(mut addresses: Vec<IpAddr>) -> Box<[IpAddr]> {
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses.dedup_by_key(|address| address.is_ipv6());
    addresses.into()
}

/// The addresses that the controller has seen announced, by its word.
fn announced_addresses(metadata: &ObjectMeta) -> Vec<IpAddr> {
    let text = metadata.annotations.as_ref().and_then(|all| all.get(names::ANNOUNCED_ADDRESSES));
    text.map(|text| parse_addresses(text)).unwrap_or_default()
}

const LOAD_BALANCER: &str = "LoadBalancer";

fn key(metadata: &ObjectMeta) -> ServiceKey {
    super::ObjectName::of(metadata).into()
}

#[cfg(test)]
mod tests;
