//! What users are told of decisions, in Events and conditions.

use crate::cluster::{
    events::{Severity, Telling},
    names,
    service::Service,
};
use landfall_core::alloc::{Decision, Refusal, Reserve};
use std::{fmt::Display, net::IpAddr};

/// What is told of a decision about `service`, as it stood before: `moved`: its addresses change, `judged`: its condition does.
pub(super) fn tell(service: &Service, decision: &Decision, moved: bool, judged: bool) -> Option<Telling> {
    let telling = |severity, reason, note| Some(Telling { severity, reason, note });
    match decision {
        Decision::Assign { addresses, record, kept: Some(refusal), .. } if judged => {
            let note = kept(service, addresses, record, refusal, refusal);
            telling(Severity::Warning, "AddressKept", note)
        }
        Decision::Assign { addresses, record, .. } if moved => {
            telling(Severity::Normal, "IPAllocated", allocated(service, addresses, record))
        }
        Decision::Refuse { refusal, .. } if judged && matches!(refusal, Refusal::Foreign { .. }) => {
            telling(Severity::Warning, "ForeignStatus", refusal.to_string())
        }
        Decision::Refuse { refusal, .. } if judged => {
            telling(Severity::Warning, "AllocationFailed", refusal.to_string())
        }
        Decision::Release { addresses, .. } if !addresses.is_empty() => {
            telling(Severity::Normal, "IPReleased", format!("{} is released", list(addresses)))
        }
        _ => None,
    }
}

/// What is told of a loss.
pub fn loss(refusal: &Refusal) -> Telling {
    let reason = match refusal {
        Refusal::Unshareable { .. } => "SharingLost",
        Refusal::Reserved { by: Reserve::InUse(_), .. } => "AddressConflict",
        _ => "AllocationFailed",
    };
    Telling { severity: Severity::Warning, reason, note: refusal.to_string() }
}

/// That `service` keeps these addresses, and why: `words` of `refusal`. Where it is one of them that does not fit, also how to leave
/// it.
pub(super) fn kept(
    service: &Service,
    addresses: &[IpAddr],
    record: &str,
    refusal: &Refusal,
    words: impl Display,
) -> String {
    let (asked, are) = (service.alloc.request(), if addresses.len() == 1 { "is" } else { "are" });
    let kept = format!("{} {are} kept", list(addresses));
    match (refusal.is_about(addresses, record, asked), asked.migrate) {
        (false, _) => format!("{kept}, since what the Service asks for is not to be had: {words}"),
        (true, false) => {
            format!("{kept} although {words}; or let the Service move, by its annotation {}: \"true\"", names::MIGRATE)
        }
        (true, true) => format!("{kept} although {words}; the Service moves once there is an address that fits"),
    }
}

/// Which addresses `service` gets, and which of ours it leaves.
fn allocated(service: &Service, addresses: &[IpAddr], record: &str) -> String {
    let had = service.vips().iter().copied();
    let left: Vec<IpAddr> = had.filter(|vip| !addresses.contains(vip)).collect();
    let text = format!("{} from pool {record}", list(addresses));
    if left.is_empty() { text } else { format!("{text}, and no longer {}", list(&left)) }
}

pub(super) fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
