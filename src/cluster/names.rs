//! Every name that users and other programs can see: annotations, conditions, finalizer, objects.

/// Namespace of the controller and of the configuration.
pub const NAMESPACE: &str = "landfall-system";
/// Namespace of the speakers' records.
pub const SPEAKERS_NAMESPACE: &str = "landfall-speakers";

/// ConfigMap that the user edits.
pub const CONFIG: &str = landfall_core::config::NAME;
/// ConfigMap that holds the last accepted configuration; speakers read this one alone.
pub const ACCEPTED: &str = "landfall-accepted";
/// Key of the configuration's text, in both.
pub const CONFIG_KEY: &str = landfall_core::config::KEY;
/// Key of the cluster's id in [`ACCEPTED`]: the UID of the namespace `kube-system`.
pub const CLUSTER_KEY: &str = "cluster";
/// Key of the nodes' own addresses in [`ACCEPTED`], with commas between them.
pub const NODES_KEY: &str = "node-addresses";
/// Key of a speaker's record, or of a part of it: JSON.
pub const RECORD_KEY: &str = "status";
/// Key that says of which record a part is: how many parts it has, and its digest.
pub const RECORD_WHOLE_KEY: &str = "whole";

/// ConfigMap that remembers released addresses.
pub const MEMORY: &str = "landfall-memory";
/// Its key: a line for each address.
pub const MEMORY_KEY: &str = "released";

/// Secret of the keys by which speakers know each other's heartbeats.
pub const KEYS: &str = "landfall-heartbeat-keys";

/// Lease that the leading controller holds.
pub const LEASE: &str = "landfall-controller";
/// Who we are in `managedFields`, and in Events.
pub const CONTROLLER: &str = "landfall-controller";
/// Who a speaker is in `managedFields`.
pub const SPEAKER: &str = "landfall-speaker";

/// Finalizer that every load balancer implementation uses (KEP-980): on before an address is used, off after its release.
/// Another implementation's Service carries the same name, so it alone never marks a Service as ours.
pub const FINALIZER: &str = "service.kubernetes.io/load-balancer-cleanup";
/// Annotation, written by the controller only: the pools that a Service's addresses came from.
pub const ALLOCATED_FROM: &str = "landfall.dev/allocated-from";
/// Annotation, written by the controller only: which of a Service's addresses have been announced. These are not probed again.
pub const ANNOUNCED_ADDRESSES: &str = "landfall.dev/announced-addresses";
/// Annotation, written by the controller only: which of a Service's addresses it does not leave to a foreign host. It had them
/// before we served it, or has left others before. These are probed all the same.
pub const SETTLED_ADDRESSES: &str = "landfall.dev/settled-addresses";
/// Condition of a Service: whether it has the addresses it asks for, else why not.
pub const ALLOCATED: &str = "landfall.dev/Allocated";
/// Condition of a Service: whether its addresses are answered for, else why not.
pub const ANNOUNCED: &str = "landfall.dev/Announced";

/// What the names of our annotations begin with.
pub const OURS: &str = "landfall.dev/";
/// Requests for a pool by its name. The first is ours, the others are MetalLB's.
pub const POOL_REQUESTS: [&str; 3] =
    ["landfall.dev/pool", "metallb.io/address-pool", "metallb.universe.tf/address-pool"];
/// Requests for addresses, comma-separated. The first is ours, the others are MetalLB's.
pub const ADDRESS_REQUESTS: [&str; 3] =
    ["landfall.dev/addresses", "metallb.io/loadBalancerIPs", "metallb.universe.tf/loadBalancerIPs"];
/// Sharing keys. The first is ours, the others are MetalLB's.
pub const SHARING_KEYS: [&str; 3] =
    ["landfall.dev/sharing-key", "metallb.io/allow-shared-ip", "metallb.universe.tf/allow-shared-ip"];

/// `true`: addresses that no longer fit may be exchanged for others.
pub const MIGRATE: &str = "landfall.dev/migrate";

/// Label that keeps load balancers off a node.
pub const EXCLUDE_NODE: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
/// Taint of a node that the cluster autoscaler is about to delete.
pub const AUTOSCALER_TAINT: &str = "ToBeDeletedByClusterAutoscaler";
/// Label that ties an EndpointSlice to its Service.
pub const SLICE_SERVICE: &str = "kubernetes.io/service-name";
