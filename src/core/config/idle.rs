//! What in a configuration selects nothing that there is: correct, and probably a slip of the pen.

use super::{Config, Labels, selector::Selector};
use std::collections::BTreeMap;

/// What there is to be selected.
#[derive(Debug)]
pub struct Present<'a> {
    /// The labels of each namespace.
    pub namespaces: &'a BTreeMap<String, Labels>,
    /// The labels of the Services that are to have addresses.
    pub services: Vec<&'a Labels>,
    /// The labels of the nodes.
    pub nodes: Vec<&'a Labels>,
}

impl Config {
    /// A line for each selector, and each namespace's name, that selects nothing now.
    pub fn idle(&self, present: &Present<'_>) -> Vec<String> {
        let namespaces: Vec<&Labels> = present.namespaces.values().collect();
        let mut idle = Vec::new();
        let mut look = |owner: &str, key: &str, selectors: &[&Selector], of: &[&Labels], what: &str| {
            let selects_none = |selector: &Selector| !of.iter().any(|labels| selector.matches(labels));
            let all = selectors.iter().enumerate().filter(|(_, selector)| selects_none(selector));
            idle.extend(all.map(|(index, _)| {
                format!(
                    "{owner}: {key}[{index}] selects no {what} that there is now: it counts as soon as there is one; if you expected \
                     one, compare the labels"
                )
            }));
        };
        for pool in &self.pools {
            let owner = format!("the pool {:?}", pool.name);
            let admission = &pool.admission;
            let selectors: Vec<&Selector> = admission.namespace_selectors().iter().collect();
            look(&owner, "namespaceSelectors", &selectors, &namespaces, "namespace");
            let selectors: Vec<&Selector> = admission.service_selectors().iter().collect();
            look(&owner, "serviceSelectors", &selectors, &present.services, "Service of type LoadBalancer");
        }
        for (index, announcement) in self.announcements.iter().enumerate() {
            let owner = format!("announcements[{index}]");
            let selectors: Vec<&Selector> = announcement.service_selectors.iter().collect();
            look(&owner, "serviceSelectors", &selectors, &present.services, "Service of type LoadBalancer");
            let selectors: Vec<&Selector> = announcement.node_selectors.iter().collect();
            look(&owner, "nodeSelectors", &selectors, &present.nodes, "node");
            let preferred = announcement.preferred_nodes.iter().map(|preference| &preference.selector);
            look(&owner, "preferredNodes", &preferred.collect::<Vec<_>>(), &present.nodes, "node");
        }
        for pool in &self.pools {
            let missing = pool.admission.namespaces().filter(|name| !present.namespaces.contains_key(*name));
            idle.extend(missing.map(|name| {
                format!(
                    "the pool {:?}: there is no namespace {name:?} now: it counts as soon as there is one",
                    pool.name
                )
            }));
        }
        idle
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const TEXT: &str = "
pools:
- name: a
  addresses: [198.51.100.1]
  namespaces: [shop, shpo]
  namespaceSelectors: [{matchLabels: {team: web}}, {matchLabels: {team: wbe}}]
  serviceSelectors: [{matchLabels: {tier: front}}, {matchLabels: {tier: fornt}}]
announcements:
- serviceSelectors: [{matchLabels: {tier: fornt}}, {matchLabels: {tier: front}}]
  nodeSelectors: [{matchExpressions: [{key: zone, operator: NotIn, values: [b]}]}, {matchLabels: {role: egde}}]
  preferredNodes: [{weight: 1, selector: {matchLabels: {role: edge}}}, {weight: 1, selector: {matchLabels: {role: egde}}}]
";

    #[test]
    fn what_selects_nothing_is_told_and_nothing_else() {
        let config = parse(TEXT).unwrap().config;
        let (front, edge) = (Labels::from([("tier", "front")]), Labels::from([("role", "edge")]));
        let namespaces = BTreeMap::from([("shop".to_owned(), Labels::from([("team", "web")]))]);
        let idle = config.idle(&Present { namespaces: &namespaces, services: vec![&front], nodes: vec![&edge] });
        let told: Vec<&str> = idle.iter().map(|line| line.split(" that there is").next().unwrap()).collect();
        assert_eq!(
            told,
            [
                "the pool \"a\": namespaceSelectors[1] selects no namespace",
                "the pool \"a\": serviceSelectors[1] selects no Service of type LoadBalancer",
                "announcements[0]: serviceSelectors[0] selects no Service of type LoadBalancer",
                "announcements[0]: nodeSelectors[1] selects no node",
                "announcements[0]: preferredNodes[1] selects no node",
                "the pool \"a\": there is no namespace \"shpo\" now: it counts as soon as there is one",
            ]
        );
    }

    #[test]
    fn a_configuration_without_selectors_is_never_idle() {
        let nothing = Present { namespaces: &BTreeMap::new(), services: Vec::new(), nodes: Vec::new() };
        let config = parse("pools: [{name: a, addresses: [198.51.100.1]}]").unwrap().config;
        assert_eq!(config.idle(&nothing), [""; 0]);
    }
}
