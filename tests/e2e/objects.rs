//! What the tests apply besides the examples, and how they read the answer from an object.

pub use landfall_sandbox::objects::{addresses, config};
use serde_json::{Value, json};

/// The finalizer of every load balancer implementation (KEP-980).
pub const FINALIZER: &str = "service.kubernetes.io/load-balancer-cleanup";
/// The record that the controller leaves on a Service.
pub const RECORD: &str = "landfall.dev/allocated-from";
/// The condition that tells whether a Service has its addresses.
pub const ALLOCATED: &str = "landfall.dev/Allocated";

/// A LoadBalancer Service on port 80 in front of the example's `web` pods.
pub fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80}]},
    })
}

/// The same, asking for an address.
pub fn service_at(name: &str, address: &str) -> Value {
    let mut service = service(name);
    service["metadata"]["annotations"] = json!({"landfall.dev/addresses": address});
    service
}

/// Whether Landfall says on the Service that it has what it asks for, with its reason and message.
pub fn allocated(service: &Value) -> Option<(bool, String, String)> {
    let conditions = service["status"]["conditions"].as_array()?;
    let condition = conditions.iter().find(|condition| condition["type"] == ALLOCATED)?;
    let word = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
    Some((condition["status"] == "True", word("reason"), word("message")))
}

/// Nothing of ours is on the Service: no finalizer, record, address or condition, and no field that we manage.
pub fn assert_untouched(service: &Value) {
    let metadata = &service["metadata"];
    let has = |list: &Value, word: &str| list.to_string().contains(word);
    assert!(!has(&metadata["finalizers"], FINALIZER), "our finalizer is on {service:#}");
    assert!(metadata["annotations"][RECORD].is_null(), "our record is on {service:#}");
    assert!(addresses(service).is_empty(), "there is an address on {service:#}");
    assert!(allocated(service).is_none(), "our condition is on {service:#}");
}
