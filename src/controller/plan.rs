//! What one write makes of one Service: a decision and the object as it stands become a strategic merge patch on `/status`.
//!
//! Finalizer, record annotation, addresses and condition go in one patch: an allocation is one write, a release is one write,
//! and nobody ever sees one without the other. Finalizers and conditions merge by their keys there, so other controllers'
//! entries stay (a JSON merge patch would wipe them). What already is as it should be is not in the patch; an empty patch is
//! none, and then nothing is told either: Events tell of changes.
//!
//! Whether the addresses are answered for is known later, and is a write of its own ([`announce`]) or none at all.

use super::announced::Words as Announcement;
use crate::cluster::{
    events::Telling,
    join_addresses, names,
    service::{Said, Service},
};
use k8s_openapi::jiff::Timestamp;
use landfall_core::alloc::Decision;
use serde_json::{Map, Value, json};
use std::net::IpAddr;

mod words;

pub use words::loss;

/// One write, and what to tell the user when it succeeded.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// A strategic merge patch for the Service's `/status`.
    pub patch: Value,
    /// What happened, for an Event; none where only a trace of ours was mended.
    pub telling: Option<Telling>,
}

/// How the Service should be. `None` in a field: as it is.
#[derive(Default)]
struct Target<'a> {
    holds: Holding<'a>,
    condition: Option<Words>,
}

/// What the object says of its addresses.
#[derive(Default)]
enum Holding<'a> {
    /// As it does.
    #[default]
    AsItIs,
    /// These, with this record and the finalizer; and whether they are left to no foreign host.
    These(&'a [IpAddr], &'a str, bool),
    /// Nothing: no addresses, no record, no finalizer.
    Nothing,
    /// Nothing of ours: no record, no finalizer.
    NothingOfOurs,
}

/// The condition; none: it goes.
type Words = Option<(&'static str, &'static str, String)>;

/// Plans the write that makes `service` what `decision` says. Without a decision a Service that is not ours to serve loses the
/// condition that it may have from before, and nothing else. `now` dates the condition's changes.
pub fn plan(service: &Service, decision: Option<&Decision>, now: Timestamp) -> Option<Plan> {
    // What was decided while it was ours to serve no longer counts when it is not.
    let decision = decision.filter(|decision| service.alloc.managed || matches!(decision, Decision::Release { .. }));
    let target = target(service, decision);
    let mut metadata = Map::new();
    let mut status = Map::new();
    change_holding(service, &target.holds, &mut metadata, &mut status);
    let allocated = target
        .condition
        .as_ref()
        .and_then(|words| change_condition(names::ALLOCATED, service.said, words.as_ref(), now));
    // What has no addresses of ours has none that are answered for.
    let holds = matches!(decision, Some(Decision::Assign { .. })) || target.condition.is_none();
    let announced = if holds { None } else { change_condition(names::ANNOUNCED, service.announced, None, now) };
    let judged = allocated.is_some();
    let conditions: Vec<Value> = allocated.into_iter().chain(announced).collect();
    if !conditions.is_empty() {
        status.insert("conditions".into(), Value::Array(conditions));
    }
    if metadata.is_empty() && status.is_empty() {
        return None;
    }
    // What the status had already is news once it is ours.
    let moved = status.contains_key("loadBalancer") || service.alloc.record.is_none();
    let telling = decision.and_then(|decision| words::tell(service, decision, moved, judged));
    Some(Plan { patch: patch(service, metadata, status), telling })
}

/// Plans the write by which `service`, with which everything else is as it should be, says whether its addresses are answered
/// for, and which of them have been by now. What is told then is the caller's to say.
pub fn announce(service: &Service, words: &Announcement, known: &[IpAddr], now: Timestamp) -> Option<Value> {
    let said = (if words.holds { "True" } else { "False" }, words.reason, words.message.clone());
    let condition = change_condition(names::ANNOUNCED, service.announced, Some(&said), now);
    let (mut metadata, mut status) = (Map::new(), Map::new());
    if known.iter().any(|vip| !service.alloc.was_announced(*vip)) {
        metadata.insert("annotations".into(), json!({names::ANNOUNCED_ADDRESSES: join_addresses(known)}));
    }
    if let Some(condition) = condition {
        status.insert("conditions".into(), json!([condition]));
    }
    (!metadata.is_empty() || !status.is_empty()).then(|| patch(service, metadata, status))
}

/// The patch, with its preconditions: the object that was looked at, in the version that was looked at.
fn patch(service: &Service, mut metadata: Map<String, Value>, status: Map<String, Value>) -> Value {
    metadata.insert("uid".into(), json!(service.alloc.uid.as_str()));
    metadata.insert("resourceVersion".into(), json!(service.resource_version));
    let mut patch = json!({"metadata": metadata});
    if !status.is_empty() {
        patch["status"] = Value::Object(status);
    }
    patch
}

fn target<'a>(service: &Service, decision: Option<&'a Decision>) -> Target<'a> {
    // The finalizer's name is every implementation's: only the record says that what is there is ours to take away.
    let recorded = service.alloc.record.is_some();
    match decision {
        Some(Decision::Assign { addresses, record, kept, settled, .. }) => {
            let condition = match kept {
                None => ("True", "Allocated", format!("{} from pool {record}", words::list(addresses))),
                Some(refusal) => {
                    ("True", refusal.reason(), words::kept(service, addresses, record, refusal, refusal.lasting()))
                }
            };
            Target { holds: Holding::These(addresses, record, *settled), condition: Some(Some(condition)) }
        }
        Some(Decision::Refuse { refusal, .. }) => {
            let condition = ("False", refusal.reason(), refusal.lasting());
            let holds = if recorded { Holding::Nothing } else { Holding::AsItIs };
            Target { holds, condition: Some(Some(condition)) }
        }
        Some(Decision::Release { addresses, leaves_status, .. }) => {
            let holds = match (leaves_status, recorded || !addresses.is_empty()) {
                (true, _) if recorded => Holding::NothingOfOurs,
                (false, true) => Holding::Nothing,
                _ => Holding::AsItIs,
            };
            Target { holds, condition: Some(None) }
        }
        Some(Decision::Lost { .. }) => Target::default(),
        None if !service.alloc.managed => Target { condition: Some(None), ..Target::default() },
        None => Target::default(),
    }
}

fn change_holding(
    service: &Service,
    holds: &Holding<'_>,
    metadata: &mut Map<String, Value>,
    status: &mut Map<String, Value>,
) {
    let (addresses, record, settled) = match holds {
        Holding::AsItIs => return,
        Holding::These(addresses, record, settled) => (Some(*addresses), Some(*record), *settled),
        Holding::Nothing => (Some(&[][..]), None, false),
        Holding::NothingOfOurs => (None, None, false),
    };
    let (has, wants) = (service.alloc.finalizer, record.is_some());
    if !has && wants {
        metadata.insert("finalizers".into(), json!([names::FINALIZER]));
    }
    if has && !wants {
        metadata.insert("$deleteFromPrimitiveList/finalizers".into(), json!([names::FINALIZER]));
    }
    let mut annotations = Map::new();
    if service.alloc.record.as_deref() != record {
        annotations.insert(names::ALLOCATED_FROM.into(), json!(record));
    }
    if record.is_none() && service.has_announced {
        annotations.insert(names::ANNOUNCED_ADDRESSES.into(), Value::Null);
    }
    if record.is_none() && service.has_settled {
        annotations.insert(names::SETTLED_ADDRESSES.into(), Value::Null);
    }
    if let Some(addresses) = addresses.filter(|_| settled)
        && !(service.alloc.is_settled() && *service.alloc.status == *addresses)
    {
        annotations.insert(names::SETTLED_ADDRESSES.into(), json!(join_addresses(addresses)));
    }
    if !annotations.is_empty() {
        metadata.insert("annotations".into(), Value::Object(annotations));
    }
    let Some(addresses) = addresses else { return };
    if !(service.vips_alone && *service.alloc.status == *addresses) {
        let entries: Vec<_> = addresses.iter().map(|ip| json!({"ip": ip, "ipMode": "VIP"})).collect();
        let entries = if entries.is_empty() { Value::Null } else { Value::Array(entries) };
        status.insert("loadBalancer".into(), json!({"ingress": entries}));
    }
}

fn change_condition(
    kind: &str,
    before: Option<Said>,
    words: Option<&(&'static str, &'static str, String)>,
    now: Timestamp,
) -> Option<Value> {
    let Some((status, reason, message)) = words else {
        return before.map(|_| json!({"$patch": "delete", "type": kind}));
    };
    let said = Said::new(status, reason, message);
    if before == Some(said) {
        return None;
    }
    let mut condition = json!({"type": kind, "status": status, "reason": reason, "message": message});
    if before.is_none_or(|before| before.status != said.status) {
        condition["lastTransitionTime"] = json!(Timestamp::from_second(now.as_second()).unwrap_or(now));
    }
    Some(condition)
}

#[cfg(test)]
mod tests;
