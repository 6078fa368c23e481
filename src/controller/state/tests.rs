mod records;
mod releases;

use super::*;
use crate::cluster::names;
use landfall_core::config::{self, Labels};
use serde_json::{Value, json};
use std::net::IpAddr;

/// A leader's state beside an API server that stores what is written.
struct Bench {
    state: State,
    objects: BTreeMap<String, Value>,
    version: u32,
    writes: Vec<String>,
}

const POOL: &str = "pools: [{name: default, addresses: [198.51.100.100-198.51.100.101]}]";

impl Bench {
    fn new() -> Self {
        Self { state: begun(), objects: BTreeMap::new(), version: 0, writes: Vec::new() }
    }

    /// With these Services, and all written that is to be, with [`POOL`].
    fn settled(names: &[&str]) -> Self {
        let mut bench = Self::new();
        bench.restart(POOL);
        names.iter().for_each(|name| bench.put(name, |_| ()));
        bench.settle();
        bench
    }

    /// A new leader beside the same API server.
    fn restart(&mut self, config: &str) {
        self.state = begun();
        self.configure(config);
        for object in self.objects.values().cloned().collect::<Vec<_>>() {
            self.state.observe(Change::Applied(parse(&object)), wall());
        }
        self.state.observe(Change::Synced, wall());
    }

    fn configure(&mut self, text: &str) {
        let text = format!("{text}\nquarantine: 0\nreuse: 0\n");
        self.state.configure(Arc::new(config::parse(&text).unwrap().config), wall());
    }

    fn put(&mut self, name: &str, change: impl FnOnce(&mut Value)) {
        self.version += 1;
        let new = json!({"metadata": {"namespace": "shop", "name": name, "uid": format!("uid-{name}")},
                         "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}, "status": {}});
        let object = self.objects.entry(name.to_owned()).or_insert(new);
        change(object);
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let service = parse(object);
        self.state.observe(Change::Applied(service), wall());
    }

    fn delete(&mut self, name: &str) {
        self.objects.remove(name);
        self.state.observe(Change::Deleted(ObjectName { namespace: "shop".into(), name: name.into() }), wall());
    }

    /// Sends all that is to be written, as a server that obeys; gives it as `name: what`.
    fn settle(&mut self) -> Vec<String> {
        self.settle_at(now())
    }

    fn settle_at(&mut self, now: Duration) -> Vec<String> {
        while let Some(Write { flight, plan, .. }) = self.state.next(now, wall()) {
            let key = &flight.key;
            assert_eq!(
                plan.patch["metadata"]["resourceVersion"],
                self.objects[key.name()]["metadata"]["resourceVersion"]
            );
            let told = plan.telling.map_or("mended", |telling| telling.reason);
            self.writes.push(format!("{}: {told}", key.name()));
            self.put(key.name(), |object| merge(object, &plan.patch));
            self.state.done(&flight, Outcome::Written, now);
        }
        std::mem::take(&mut self.writes)
    }

    fn address(&self, name: &str) -> Option<&str> {
        self.objects[name]["status"]["loadBalancer"]["ingress"][0]["ip"].as_str()
    }
}

/// Nothing known but the namespace, and that there are no nodes.
fn begun() -> State {
    let mut state = State::new(8);
    state.remember(Vec::new(), wall());
    state.observe_namespace(Change::Applied(Namespace { name: "shop".into(), labels: Labels::default() }), wall());
    state.observe_namespace(Change::Synced, wall());
    state.observe_node(Change::Synced, wall());
    state.observe_record(Change::Synced, wall());
    state
}

fn parse(object: &Value) -> Service {
    Service::new(serde_json::from_value(object.clone()).unwrap(), None)
}

fn wall() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn now() -> Duration {
    Duration::from_secs(1000)
}

/// A strategic merge as far as our patches need one: conditions by their types; the other lists hold at most our own entry.
fn merge(object: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *object = patch.clone();
        return;
    };
    for (key, value) in fields {
        match key.strip_prefix("$deleteFromPrimitiveList/") {
            Some(list) => object[list] = json!([]),
            None if value.is_null() => drop(object.as_object_mut().and_then(|object| object.remove(key))),
            None if key == "conditions" => merge_conditions(&mut object[key], value),
            None => merge(&mut object[key], value),
        }
    }
}

fn merge_conditions(conditions: &mut Value, patch: &Value) {
    let mut kept: Vec<Value> = conditions.as_array().cloned().unwrap_or_default();
    for entry in patch.as_array().unwrap() {
        let position = kept.iter().position(|old| old["type"] == entry["type"]);
        let mut condition = position.map_or(json!({}), |position| kept.remove(position));
        if entry["$patch"] != "delete" {
            merge(&mut condition, entry);
            kept.push(condition);
        }
    }
    *conditions = Value::Array(kept);
}

#[test]
fn services_are_served_once_listed_and_configured() {
    let mut bench = Bench::new();
    bench.put("a", |_| ());
    bench.put("b", |_| ());
    assert_eq!(bench.settle(), [""; 0]);
    bench.state.observe(Change::Synced, wall());
    assert_eq!(bench.settle(), [""; 0]);
    bench.configure(POOL);
    assert_eq!(bench.settle(), ["a: IPAllocated", "b: IPAllocated"]);
    assert_eq!((bench.address("a"), bench.address("b")), (Some("198.51.100.100"), Some("198.51.100.101")));
    bench.put("c", |_| ());
    assert_eq!(bench.settle(), ["c: AllocationFailed"]);
}

#[test]
fn nothing_is_decided_before_services_namespaces_and_nodes_are_listed() {
    let pool = "pools: [{name: a, addresses: [198.51.100.1], namespaceSelectors: [{matchLabels: {team: web}}]}]";
    let mut bench = Bench::new();
    bench.state = State::new(8);
    bench.state.remember(Vec::new(), wall());
    bench.configure(pool);
    bench.put("a", |_| ());
    bench.state.observe(Change::Synced, wall());
    assert_eq!(bench.settle(), [""; 0]);
    let labels = Labels::from([("team", "web")]);
    bench.state.observe_namespace(Change::Applied(Namespace { name: "shop".into(), labels }), wall());
    assert_eq!(bench.settle(), [""; 0]);
    bench.state.observe_namespace(Change::Synced, wall());
    assert_eq!(bench.settle(), [""; 0]);
    bench.state.observe_node(Change::Synced, wall());
    assert_eq!(bench.settle(), [""; 0]);
    bench.state.observe_record(Change::Synced, wall());
    assert_eq!(bench.settle(), ["a: IPAllocated"]);
}

fn host(address: &str) -> Host {
    let pods = vec!["198.51.100.101/32".parse().unwrap()];
    Host { name: "n1".into(), labels: Labels::default(), addresses: vec![address.parse().unwrap()], pods }
}

#[test]
fn the_nodes_own_addresses_are_told_once_all_are_listed_and_when_they_change() {
    let mut state = State::new(1);
    state.observe_node(Change::Applied(host("192.0.2.1")), wall());
    assert_eq!(state.changed_nodes(), None);
    state.observe_node(Change::Synced, wall());
    assert_eq!(state.changed_nodes(), Some(["192.0.2.1".parse().unwrap()].into()));
    state.observe_node(Change::Applied(host("192.0.2.1")), wall());
    assert_eq!(state.changed_nodes(), None);
    state.observe_node(Change::Deleted(ObjectName { namespace: String::new(), name: "n1".into() }), wall());
    assert_eq!(state.changed_nodes(), Some([].into()));
}

#[test]
fn a_nodes_own_address_is_given_to_nobody() {
    let mut bench = Bench::new();
    bench.restart(POOL);
    bench.state.observe_node(Change::Applied(host("198.51.100.100")), wall());
    bench.put("a", |_| ());
    assert_eq!(bench.settle(), ["a: IPAllocated"]);
    assert_eq!(bench.address("a"), Some("198.51.100.101"));
    bench.state.observe_node(Change::Deleted(ObjectName { namespace: String::new(), name: "n1".into() }), wall());
    bench.put("b", |_| ());
    bench.settle();
    assert_eq!(bench.address("b"), Some("198.51.100.100"));
}

#[test]
fn a_pool_among_the_pods_is_told_once() {
    let mut bench = Bench::new();
    bench.restart(POOL);
    bench.state.observe_node(Change::Applied(host("192.0.2.1")), wall());
    let [(About::Configuration, telling)] = &bench.state.tellings()[..] else { panic!("one was to be told") };
    assert_eq!(telling.reason, "ConfigurationWarning");
    bench.state.observe_node(Change::Applied(host("192.0.2.2")), wall());
    bench.configure(POOL);
    assert_eq!(bench.state.tellings(), []);
}

#[test]
fn what_selects_nothing_is_told_once_and_only_when_all_is_listed() {
    const TEXT: &str =
        "pools: [{name: a, addresses: [198.51.100.100]}]\nannouncements: [{nodeSelectors: [{matchLabels: {zone: a}}]}]";
    let mut bench = Bench::new();
    bench.configure(TEXT);
    assert_eq!(bench.state.tellings(), []);
    bench.restart(TEXT);
    let [(About::Configuration, telling)] = &bench.state.tellings()[..] else { panic!("one was to be told") };
    assert!(telling.note.contains("announcements[0]: nodeSelectors[0] selects no node"), "{}", telling.note);
    bench.configure(TEXT);
    assert_eq!(bench.state.tellings(), []);
    let selected = Host { labels: Labels::from([("zone", "a")]), ..host("192.0.2.1") };
    bench.state.observe_node(Change::Applied(selected), wall());
    bench.configure(TEXT);
    assert_eq!(bench.state.tellings(), []);
}

#[test]
fn a_restart_writes_nothing_and_moves_nothing() {
    let mut bench = Bench::settled(&["a", "b", "c"]);
    let before = bench.objects.clone();
    bench.restart(POOL);
    // "c" waits for an address, and its condition says so: nobody waits for a write, once it is told that there is no speaker.
    bench.state.pass(wall() + Duration::from_secs(3));
    assert_eq!(bench.state.wait(now(), wall()), None);
    assert_eq!(bench.settle(), [""; 0]);
    assert_eq!(bench.objects, before);
}

#[test]
fn a_restart_tells_nobody_again_who_waits_while_others_come_and_go() {
    let mut bench = Bench::new();
    let pool = "pools: [{name: default, addresses: [198.51.100.100-198.51.100.109, '2001:db8::1']}]";
    bench.restart(pool);
    let dual = |object: &mut Value| {
        object["spec"]["ipFamilies"] = json!(["IPv4", "IPv6"]);
        object["spec"]["ipFamilyPolicy"] = json!("RequireDualStack");
    };
    bench.put("a", dual);
    bench.put("b", dual);
    assert_eq!(bench.settle(), ["a: IPAllocated", "b: AllocationFailed"]);
    bench.put("c", |_| ());
    assert_eq!(bench.settle(), ["c: IPAllocated"]);
    bench.restart(pool);
    assert_eq!(bench.settle(), [""; 0]);
}

#[test]
fn a_waiting_service_that_stops_asking_loses_its_condition() {
    let mut bench = Bench::new();
    bench.restart("pools: []");
    bench.put("a", |_| ());
    assert_eq!(bench.settle(), ["a: AllocationFailed"]);
    bench.put("a", |object| object["spec"]["type"] = json!("ClusterIP"));
    assert_eq!(bench.settle(), ["a: mended"]);
    assert_eq!(bench.objects["a"]["status"]["conditions"], json!([]));
}

#[test]
fn our_condition_comes_back_when_somebody_takes_it() {
    let mut bench = Bench::settled(&["a"]);
    bench.put("a", |object| object["status"]["conditions"] = json!([]));
    assert_eq!(bench.settle(), ["a: mended"]);
    assert_eq!(bench.objects["a"]["status"]["conditions"][0]["type"], names::ALLOCATED);
}

#[test]
fn a_conflict_is_planned_again_from_the_newer_object() {
    let mut bench = Bench::new();
    bench.restart(POOL);
    bench.put("a", |_| ());
    let write = bench.state.next(now(), wall()).unwrap();
    bench.put("a", |object| object["metadata"]["annotations"] = json!({"example.com/theirs": "new"}));
    bench.state.done(&write.flight, Outcome::Conflict, now());
    assert_eq!(bench.settle(), ["a: IPAllocated"]);
    assert_eq!(bench.objects["a"]["metadata"]["annotations"]["example.com/theirs"], "new");
}

#[test]
fn what_a_former_leaders_late_write_shows_is_mended_before_all_that_waits() {
    let mut bench = Bench::new();
    bench.configure("pools: [{name: default, addresses: [198.51.100.0/24]}]");
    bench.state.observe(Change::Synced, wall());
    bench.put("web", |_| ());
    bench.settle();
    let right = bench.address("web").map(ToString::to_string);
    (0..50).for_each(|number| bench.put(&format!("waits-{number}"), |_| ()));
    bench.put("web", |object| object["status"]["loadBalancer"]["ingress"] = json!([{"ip": "198.51.100.200"}]));
    let write = bench.state.next(now(), wall()).expect("a write");
    assert_eq!(write.flight.key, ServiceKey::new("shop", "web"));
    merge(bench.objects.get_mut("web").unwrap(), &write.plan.patch);
    assert_eq!(bench.address("web"), right.as_deref());
}

#[test]
fn the_same_name_with_a_new_uid_is_another_service() {
    let mut bench = Bench::settled(&["a"]);
    bench.objects.remove("a");
    bench.put("a", |object| object["metadata"]["uid"] = json!("another"));
    assert_eq!(bench.settle(), ["a: IPAllocated"]);
    assert!(bench.address("a").is_some());
}

#[test]
fn an_address_that_rests_wakes_the_leader_for_who_waits() {
    let mut bench = Bench::new();
    bench.restart("pools: []");
    let config = config::parse("pools: [{name: a, addresses: [198.51.100.100]}]\nquarantine: 60s\n").unwrap().config;
    bench.state.configure(Arc::new(config), wall());
    bench.put("a", |_| ());
    bench.settle();
    bench.put("a", |object| object["metadata"]["deletionTimestamp"] = json!("2026-11-24T12:00:00Z"));
    assert_eq!(bench.settle(), ["a: IPReleased"]);
    bench.delete("a");
    assert_eq!(bench.state.wait(now(), wall()), Some(Duration::ZERO));
    let rests = bench.state.memory_to_write(now()).unwrap();
    assert_eq!(rests.into_iter().map(|rest| rest.key.name().to_owned()).collect::<Vec<_>>(), ["a"]);
    bench.state.memory_written(true);
    assert_eq!((bench.state.unwritten_memory(), bench.state.wait(now(), wall())), (None, None));
    bench.put("b", |_| ());
    assert_eq!(bench.settle(), ["b: AllocationFailed"]);
    assert_eq!(bench.state.wait(now(), wall()), Some(Duration::from_secs(60)));
    bench.state.pass(wall() + Duration::from_secs(60));
    assert_eq!(bench.settle(), ["b: IPAllocated"]);
}

#[test]
fn a_member_that_loses_its_address_is_told_beside_the_write() {
    let mut bench = Bench::new();
    bench.restart(POOL);
    let share = |port: u16| {
        move |object: &mut Value| {
            object["metadata"]["annotations"]["landfall.dev/sharing-key"] = json!("k");
            object["spec"]["ports"] = json!([{"port": port}]);
        }
    };
    bench.put("a", share(80));
    bench.put("b", share(443));
    bench.settle();
    assert_eq!((bench.address("a"), bench.address("b")), (Some("198.51.100.100"), Some("198.51.100.100")));
    assert_eq!(bench.state.tellings(), []);
    bench.put("b", share(80));
    let [(About::Service(key, uid), telling)] = &bench.state.tellings()[..] else { panic!("one was to be told") };
    assert_eq!((key.name(), &**uid, telling.reason), ("b", "uid-b", "SharingLost"));
    assert!(telling.note.contains("80/TCP"), "{}", telling.note);
    assert_eq!(bench.settle(), ["b: IPAllocated"]);
    assert_eq!(bench.address("b"), Some("198.51.100.101"));
    assert_eq!(bench.state.tellings(), []);
}

#[test]
fn a_new_leader_resets_what_was_said_of_an_address_that_fits_again() {
    let mut bench = Bench::settled(&["a"]);
    bench.configure("pools: []");
    assert_eq!(bench.settle(), ["a: AddressKept"]);
    bench.restart(POOL);
    assert_eq!(bench.settle(), ["a: mended"]);
    assert_eq!(bench.objects["a"]["status"]["conditions"][0]["reason"], "Allocated");
}

#[test]
fn a_pool_among_the_clusters_own_addresses_is_told() {
    let mut bench = Bench::new();
    bench.restart("pools: [{name: default, addresses: [10.96.0.0/24]}]");
    bench.put("a", |object| object["spec"]["clusterIPs"] = json!(["10.96.0.7"]));
    let [(About::Configuration, telling)] = &bench.state.tellings()[..] else { panic!("one was to be told") };
    assert!(telling.note.contains("clusterIP"), "{telling:?}");
    bench.put("b", |object| object["spec"]["clusterIPs"] = json!(["10.96.0.8"]));
    assert_eq!(bench.state.tellings(), []);
}
