//! What the leader learns from the speakers' records: subnets' edges and addresses in use for the allocator, and whether Services
//! are announced.

use super::{
    super::{
        announced::Subject,
        plan::{Plan, announce},
    },
    About, State, since_1970,
};
use crate::cluster::{
    Change, ObjectName,
    record::{Part, Record},
    service::Service,
};
use k8s_openapi::jiff::Timestamp;
use landfall_core::alloc::Decision;
use std::{net::IpAddr, time::Duration};
use tracing::warn;

impl State {
    /// The watch of the speakers' records told a change; none where an object is no part of one.
    pub fn observe_record(&mut self, change: Change<Option<Part>>, wall: Timestamp) {
        let now = since_1970(wall);
        let is_news = match change {
            Change::Applied(part) => part.is_some_and(|part| self.read_record(part, now)),
            Change::Deleted(ObjectName { name, .. }) => self.records.remove(&name).is_some_and(|node| {
                self.announced.forget_record(&node, now);
                self.hosts.remove_interfaces(&node)
            }),
            Change::Synced => {
                self.announced.listed(now);
                !std::mem::replace(&mut self.listed.records, true)
            }
        };
        if is_news {
            self.reserve(wall);
        }
        self.see_conflicts(wall);
    }

    /// Says whether what is never handed out may have changed.
    fn read_record(&mut self, part: Part, now: Duration) -> bool {
        let node = part.node.clone();
        let Some((text, version)) = self.records.put(part) else { return false };
        match Record::decode(&text) {
            Ok(record) => {
                let interfaces = record.interfaces.values();
                let addresses = interfaces.flat_map(|interface| interface.addresses.iter().copied()).collect();
                self.announced.see_record(&node, record, version, now);
                self.hosts.put_interfaces(&node, addresses)
            }
            Err(error) => {
                warn!(node, %error, "the speaker's record is not understood, the last one stays");
                false
            }
        }
    }

    /// Time has passed: which Services want another look now, and what is to be told.
    pub(super) fn pass_announced(&mut self, wall: Timestamp) {
        self.announced.pass(since_1970(wall));
        self.see_conflicts(wall);
        self.announced.news().iter().for_each(|key| self.look(key, false, wall));
        for (subject, telling) in self.announced.tellings() {
            let about = match subject {
                Subject::Service(key) => self.services.get(&key).map(|service| {
                    let uid = service.alloc.uid.clone();
                    About::Service(key, uid)
                }),
                Subject::Node(node) => Some(About::Node(node)),
                Subject::Configuration => Some(About::Configuration),
            };
            self.to_tell.extend(about.map(|about| (about, telling)));
        }
    }

    /// The write by which a Service, which has the addresses that were decided, says whether they are answered for.
    pub(super) fn plan_announced(
        &self,
        service: &Service,
        decision: Option<&Decision>,
        wall: Timestamp,
    ) -> Option<Plan> {
        let Some(Decision::Assign { .. }) = decision else { return None };
        let words = self.announced.words(service.vips())?;
        let known: Vec<IpAddr> = service.vips().iter().copied().filter(|vip| self.is_known(service, *vip)).collect();
        let patch = announce(service, &words, &known, wall)?;
        // That another of its addresses is known by now is nothing to tell.
        let telling = patch.get("status").and_then(|_| self.announced.telling(service.vips(), &words));
        Some(Plan { patch, telling })
    }

    /// Whether clients may know `vip` as the Service's.
    fn is_known(&self, service: &Service, vip: IpAddr) -> bool {
        self.announced.is_announced(vip) || service.alloc.was_announced(vip)
    }

    /// What foreign hosts use is news for the allocator.
    fn see_conflicts(&mut self, wall: Timestamp) {
        let in_use = self.announced.in_use();
        if self.in_use != in_use {
            self.in_use = in_use;
            self.reserve(wall);
        }
    }
}
