//! What is wanted, and why not, by what the watches have told.

mod recalled;

use super::*;
use crate::cluster::{
    Change, ObjectName,
    accepted::Accepted,
    endpoints::{LocalEndpoints, Usable},
    node::Node,
    service::Announced,
};
use landfall_core::{
    addr::Family,
    elect::{Preferences, Tier},
};

/// A table of one VIP that this node may answer for.
pub fn desired(config: &str, vip: &str) -> Desired {
    desired_with(config, &[vip])
}

/// A table of these VIPs, all of one Service.
pub fn desired_with(config: &str, vips: &[&str]) -> Desired {
    inputs([node(None), accepted(config), service("web", vips, false)]).desired().unwrap()
}

fn key(name: &str) -> ServiceKey {
    ServiceKey::new("shop", name)
}

fn service(name: &str, vips: &[&str], local: bool) -> Seen {
    labelled(name, vips, local, Labels::default())
}

fn labelled(name: &str, vips: &[&str], local: bool, labels: Labels) -> Seen {
    let service = Announced { key: key(name), uid: name.into(), labels, local, ..object(vips) };
    Seen::Service(Change::Applied(service))
}

fn object(vips: &[&str]) -> Announced {
    let vips = vips.iter().map(|vip| vip.parse().unwrap()).collect();
    let (uid, labels, announced) = ("web".into(), Labels::default(), Vec::new());
    Announced { key: key("web"), uid, labels, vips, announced, recorded: true, local: false }
}

fn slice(name: &str, family: Family, best: Option<Usable>) -> Seen {
    let slice = ObjectName { namespace: "shop".into(), name: name.into() };
    Seen::Slice(Change::Applied(LocalEndpoints { slice, service: key("web"), family: Some(family), best }))
}

fn node(excluded: Option<Exclusion>) -> Seen {
    let labels = Labels::from([("role", "edge")]);
    Seen::Node(Change::Applied(Node { name: "n1".into(), labels, excluded }))
}

fn accepted(config: &str) -> Seen {
    let accepted = Accepted { config: Some(config.into()), cluster: Some("c".into()), ..Accepted::default() };
    Seen::Accepted(Change::Applied(accepted))
}

/// All that the watches tell where there is one VIP.
pub fn all(config: &str, vip: &str) -> impl Iterator<Item = Seen> {
    let vip = Announced { key: key(vip), ..object(&[vip]) };
    [node(None), accepted(config), Seen::Service(Change::Applied(vip))].into_iter().chain(synced())
}

/// The same, taken in.
pub fn told(config: &str, vip: &str) -> Inputs {
    let mut inputs = Inputs::default();
    all(config, vip).for_each(|seen| inputs.apply(seen));
    inputs
}

/// The node's data path is sound.
pub fn data_path() -> Seen {
    Seen::DataPath(Ok(Rules::Fresh))
}

/// The lists are complete, and the data path is sound.
fn synced() -> [Seen; 5] {
    [
        Seen::Service(Change::Synced),
        Seen::Slice(Change::Synced),
        Seen::Node(Change::Synced),
        Seen::Accepted(Change::Synced),
        data_path(),
    ]
}

pub const POOL: &str = "pools: [{name: a, addresses: ['198.51.100.100-198.51.100.150', '2001:db8::/120']}]\n";

fn inputs(seen: impl IntoIterator<Item = Seen>) -> Inputs {
    let mut inputs = Inputs::default();
    seen.into_iter().chain(synced()).for_each(|seen| inputs.apply(seen));
    inputs
}

fn here(inputs: &Inputs, vip: &str) -> Option<Result<Tier, NotHere>> {
    inputs.desired().unwrap().vips.get(&vip.parse().unwrap()).map(|vip| vip.here.map(|wish| wish.tier))
}

const VIP: &str = "198.51.100.100";
const FIRST: Option<Result<Tier, NotHere>> = Some(Ok(Tier::First));

#[test]
fn there_is_no_table_before_everything_was_listed() {
    let mut inputs = Inputs::default();
    for seen in [node(None), accepted(POOL), service("web", &["198.51.100.100"], false)] {
        inputs.apply(seen);
        assert_eq!(inputs.desired(), None);
    }
    for synced in [Seen::Service(Change::Synced), Seen::Slice(Change::Synced), Seen::Node(Change::Synced)] {
        inputs.apply(synced);
    }
    assert_eq!(inputs.missing(), ["configuration", "a word about kube-proxy"]);
    assert_eq!(inputs.desired(), None);
    inputs.apply(Seen::Accepted(Change::Synced));
    assert_eq!(inputs.desired(), None);
    inputs.apply(data_path());
    assert!(inputs.desired().is_some());
}

#[test]
fn an_excluded_node_answers_for_nothing_and_a_released_address_is_gone() {
    let mut inputs = inputs([node(None), accepted(POOL), service("web", &["198.51.100.100"], false)]);
    assert_eq!(here(&inputs, "198.51.100.100"), FIRST);
    inputs.apply(node(Some(Exclusion::Label)));
    assert_eq!(here(&inputs, "198.51.100.100"), Some(Err(NotHere::Excluded(Exclusion::Label))));
    inputs.apply(node(None));
    inputs.apply(Seen::Node(Change::Deleted(ObjectName { namespace: String::new(), name: "n1".into() })));
    assert_eq!(here(&inputs, "198.51.100.100"), Some(Err(NotHere::Excluded(Exclusion::Deleting))));
    inputs.apply(service("web", &[], false));
    assert_eq!(here(&inputs, "198.51.100.100"), None);
}

#[test]
fn local_traffic_needs_a_usable_endpoint_of_the_addresses_family_here_and_what_terminates_is_second_best() {
    use Usable::{Ready, Terminating};
    let none = Some(Err(NotHere::NoLocalEndpoint));
    let vips = [VIP, "2001:db8::1"];
    for (best, expected) in [(None, none), (Some(Ready), FIRST), (Some(Terminating), Some(Ok(Tier::Second)))] {
        let mut inputs =
            inputs([node(None), accepted(POOL), service("web", &vips, true), slice("web-4", Family::V4, best)]);
        assert_eq!(here(&inputs, vips[0]), expected, "{best:?}");
        assert_eq!(here(&inputs, vips[1]), none, "no IPv6 slice");
        inputs.apply(slice("web-6", Family::V6, Some(Terminating)));
        assert_eq!(here(&inputs, vips[0]), expected, "{best:?}: the other family's slice says nothing");
        assert_eq!(here(&inputs, vips[1]), Some(Ok(Tier::Second)));
        inputs.apply(slice("web-6b", Family::V6, Some(Ready)));
        assert_eq!(here(&inputs, vips[1]), FIRST, "of several slices the best counts");
    }
}

#[test]
fn without_that_policy_endpoints_count_for_nothing() {
    let inputs = inputs([node(None), accepted(POOL), service("web", &[VIP], false), slice("web-4", Family::V4, None)]);
    assert_eq!(here(&inputs, VIP), FIRST);
}

#[test]
fn a_broken_data_path_keeps_every_address_off_the_node() {
    let mut inputs = inputs([node(None), accepted(POOL), service("web", &[VIP], false)]);
    for why in [Broken::NotYet, Broken::Unhealthy] {
        inputs.apply(Seen::DataPath(Err(why)));
        assert_eq!(here(&inputs, VIP), Some(Err(NotHere::DataPath(why))));
        assert_eq!(inputs.desired().unwrap().off(), Some(NotHere::DataPath(why)));
    }
    inputs.apply(data_path());
    assert_eq!((here(&inputs, VIP), inputs.desired().unwrap().off()), (FIRST, None));
}

#[test]
fn a_data_path_that_is_not_kept_up_to_date_yields_to_any_that_is() {
    let mut inputs = inputs([node(None), accepted(POOL), service("web", &[VIP], false)]);
    let seen = |inputs: &Inputs| {
        let desired = inputs.desired().unwrap();
        (here(inputs, VIP), desired.off(), desired.is_stale())
    };
    inputs.apply(Seen::DataPath(Ok(Rules::Stale)));
    assert_eq!(seen(&inputs), (Some(Ok(Tier::Second)), None, true));
    inputs.apply(data_path());
    assert_eq!(seen(&inputs), (FIRST, None, false));
}

/// What the announcements make of the VIP, whose Service has the label `tier: front`, on this node, which has `role: edge`.
fn announced(announcements: &str, excluded: Option<Exclusion>) -> Result<Tier, NotHere> {
    let config = format!("{POOL}announcements: [{announcements}]\n");
    let service = labelled("web", &[VIP], false, Labels::from([("tier", "front")]));
    here(&inputs([node(excluded), accepted(&config), service]), VIP).unwrap()
}

#[test]
fn announcements_say_for_which_services_and_on_which_nodes() {
    let front = "serviceSelectors: [{matchLabels: {tier: front}}]";
    let back = "serviceSelectors: [{matchLabels: {tier: back}}]";
    let edge = "nodeSelectors: [{matchLabels: {role: edge}}]";
    let core = "nodeSelectors: [{matchLabels: {role: core}}]";
    for (announcements, expected) in [
        (format!("{{{front}}}"), Ok(Tier::First)),
        (format!("{{{back}}}"), Err(NotHere::NotAnnounced)),
        (format!("{{{front}, {edge}}}"), Ok(Tier::First)),
        (format!("{{{front}, {core}}}"), Err(NotHere::NodeNotSelected)),
        (format!("{{{back}, {edge}}}, {{{front}, {core}}}"), Err(NotHere::NodeNotSelected)),
        (format!("{{{back}}}, {{{edge}}}"), Ok(Tier::First)),
    ] {
        assert_eq!(announced(&announcements, None), expected, "{announcements}");
    }
}

#[test]
fn an_announcement_may_ignore_the_label_that_excludes_and_no_other_exclusion() {
    let ignoring = "{ignoreExcludeLabel: true}";
    let label = Some(Exclusion::Label);
    assert_eq!(announced("{}", label), Err(NotHere::Excluded(Exclusion::Label)));
    assert_eq!(announced(ignoring, label), Ok(Tier::First));
    assert_eq!(announced(&format!("{{}}, {ignoring}"), label), Ok(Tier::First));
    let elsewhere = "{ignoreExcludeLabel: true, nodeSelectors: [{matchLabels: {role: core}}]}";
    assert_eq!(announced(&format!("{{}}, {elsewhere}"), label), Err(NotHere::Excluded(Exclusion::Label)));
    for why in [Exclusion::Autoscaler, Exclusion::Deleting] {
        assert_eq!(announced(ignoring, Some(why)), Err(NotHere::Excluded(why)));
    }
}

#[test]
fn a_node_that_announces_something_is_not_off() {
    let off = |announcements: &str| {
        let config = format!("{POOL}announcements: [{announcements}]\n");
        inputs([node(Some(Exclusion::Label)), accepted(&config)]).desired().unwrap().off()
    };
    assert_eq!(off("{}"), Some(NotHere::Excluded(Exclusion::Label)));
    assert_eq!(off("{}, {ignoreExcludeLabel: true}"), None);
}

#[test]
fn a_shared_address_is_announced_for_any_of_its_services_and_stays_while_one_has_it() {
    let config = format!("{POOL}announcements: [{{serviceSelectors: [{{matchLabels: {{tier: front}}}}]}}]\n");
    let front = || labelled("a", &[VIP], false, Labels::from([("tier", "front")]));
    let mut inputs = inputs([node(None), accepted(&config), front(), service("b", &[VIP], false)]);
    let vip = |inputs: &Inputs| inputs.desired().unwrap().vips[&VIP.parse().unwrap()].clone();
    let both = vip(&inputs);
    assert_eq!((&both.services[..], here(&inputs, VIP)), (&[key("a"), key("b")][..], FIRST));
    inputs.apply(Seen::Service(Change::Deleted(ObjectName { namespace: "shop".into(), name: "a".into() })));
    let second = vip(&inputs);
    assert!(second.stays(&both), "it was not released");
    assert_eq!(here(&inputs, VIP), Some(Err(NotHere::NotAnnounced)), "the other alone is not announced");
    inputs.apply(service("b", &[], false));
    inputs.apply(front());
    assert!(!vip(&inputs).stays(&second), "another Service's now");
}

#[test]
fn the_weights_are_the_nodes_by_preference_where_it_may_announce() {
    let config = format!(
        "{POOL}announcements:\n- {{}}\n\
         - {{interfaces: [eth0], preferredNodes: [{{weight: 7, selector: {{matchLabels: {{role: edge}}}}}}]}}\n\
         - {{nodeSelectors: [{{matchLabels: {{role: core}}}}], preferredNodes: [{{weight: 9, selector: {{matchLabels: {{role: edge}}}}}}]}}\n\
         - {{pools: [a], serviceSelectors: [{{matchLabels: {{tier: front}}}}], preferredNodes: [{{weight: 2, selector: {{matchLabels: {{role: edge}}}}}}]}}\n"
    );
    let mut inputs = inputs([node(None), accepted(&config), service("web", &[VIP], false)]);
    let front = labelled("front", &["198.51.100.101"], false, Labels::from([("tier", "front")]));
    inputs.apply(front);
    let desired = inputs.desired().unwrap();
    assert_eq!((desired.weights("eth0"), desired.weights("eth1")), (vec![7, 0, 2], vec![0, 0, 2]));
    let preferences = |vip: &str| desired.vips[&vip.parse().unwrap()].here.unwrap().preferences;
    assert_eq!(preferences(VIP), Preferences::new([0, 1]));
    assert_eq!(preferences("198.51.100.101"), Preferences::new([0, 1, 2]));
    inputs.apply(node(Some(Exclusion::Label)));
    assert_eq!(inputs.desired().unwrap().weights("eth0"), [0, 0, 0], "nobody need wait for it");
}

#[test]
fn an_address_without_a_pool_stays_announced_and_a_bad_configuration_changes_nothing() {
    let named = format!("{POOL}announcements: [{{pools: [a], interfaces: [eth9]}}]");
    let mut inputs = inputs([node(None), accepted(&named), service("web", &["198.51.100.100"], false)]);
    let reach = |inputs: &Inputs, interface| {
        let desired = inputs.desired().unwrap();
        desired.reaches(interface).of(&desired.vips[&"198.51.100.100".parse().unwrap()])
    };
    assert_eq!((reach(&inputs, "eth9"), reach(&inputs, "eth0")), (Reach::Any, Reach::None));
    inputs.apply(accepted("pools: nonsense"));
    assert_eq!(reach(&inputs, "eth9"), Reach::Any);
    inputs.apply(accepted("pools: [{name: b, addresses: [198.51.100.7]}]"));
    assert_eq!(reach(&inputs, "eth0"), Reach::Subnets);
    assert_eq!(inputs.desired().unwrap().orphans().count(), 1);
}

/// Another implementation that writes the nodes' own addresses over ours leaves the record where it is.
#[test]
fn a_nodes_own_address_is_nobodys_vip_be_it_in_a_pool_or_not() {
    let (listed, unlisted) = ("198.51.100.101", "203.0.113.1");
    let nodes = [listed, unlisted].map(|address| address.parse().unwrap());
    let config = |nodes: Option<&[IpAddr]>| {
        let nodes = nodes.map(|nodes| nodes.iter().copied().collect());
        Seen::Accepted(Change::Applied(Accepted { config: Some(POOL.into()), cluster: Some("c".into()), nodes }))
    };
    let mut inputs = inputs([node(None), config(Some(&nodes)), service("web", &[VIP, listed, unlisted], false)]);
    let not = Some(Err(NotHere::NodeAddress));
    let all = |inputs: &Inputs| [VIP, listed, unlisted].map(|vip| here(inputs, vip));
    assert_eq!(all(&inputs), [FIRST, not, not]);
    inputs.apply(config(None));
    assert_eq!(all(&inputs), [FIRST, not, not], "nothing new is known of them");
    let mut restarted = Inputs::default();
    restarted.recall(Inputs::from_text(&inputs.to_text().unwrap().unwrap()).unwrap());
    restarted.apply(data_path());
    assert_eq!(all(&restarted), [FIRST, not, not], "after a restart without the API server");
    inputs.apply(config(Some(&nodes[..1])));
    assert_eq!(all(&inputs), [FIRST, not, FIRST], "the other node is gone");
    // A node that takes an address of ours is a host like any other.
    let announced = vec![nodes[0]];
    inputs.apply(Seen::Service(Change::Applied(Announced { announced, ..object(&[listed]) })));
    assert_eq!(here(&inputs, listed), FIRST);
}

#[test]
fn an_address_stays_announced_when_its_record_is_wiped_and_a_strangers_is_never_announced() {
    let unrecorded = |uid: &str, vips: &[&str]| {
        let vips = vips.iter().map(|vip| vip.parse().unwrap()).collect();
        let service = Announced {
            key: key("web"),
            uid: uid.into(),
            labels: Labels::default(),
            vips,
            announced: Vec::new(),
            recorded: false,
            local: false,
        };
        Seen::Service(Change::Applied(service))
    };
    let (ours, other) = ("198.51.100.100", "198.51.100.101");
    let mut inputs = inputs([node(None), accepted(POOL), unrecorded("web", &[ours])]);
    assert_eq!(here(&inputs, ours), None, "never was ours");
    inputs.apply(service("web", &[ours], false));
    inputs.apply(unrecorded("web", &[ours, other]));
    assert_eq!((here(&inputs, ours), here(&inputs, other)), (FIRST, None));
    inputs.apply(unrecorded("another", &[ours]));
    assert_eq!(here(&inputs, ours), None, "another Service of the same name");
}
