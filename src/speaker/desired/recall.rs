//! What was known last stands in for what the watches have not told yet, each list until it is complete.

use super::inputs::{Inputs, List};
use crate::cluster::{ObjectName, node::Exclusion};
use landfall_core::alloc::ServiceKey;
use std::collections::{BTreeSet, btree_map::Entry};

/// What stands in, and has not been told since.
#[derive(Debug, Default)]
pub struct Recalled {
    /// Something was recalled: there is a table before all lists are complete.
    pub is_in_force: bool,
    pub services: BTreeSet<ServiceKey>,
    pub slices: BTreeSet<ObjectName>,
    node: bool,
}

impl Inputs {
    /// Fills in what was known last.
    pub fn recall(&mut self, known: Self) {
        self.recalled.is_in_force = true;
        if !self.is_complete(List::Services) {
            for (key, service) in known.services {
                if let Entry::Vacant(vacant) = self.services.entry(key.clone()) {
                    vacant.insert(service);
                    self.recalled.services.insert(key);
                }
            }
        }
        if !self.is_complete(List::Slices) {
            for slice in known.slices.into_values().flat_map(|slices| slices.into_values()) {
                if !self.slice_owner.contains_key(&slice.slice) {
                    self.recalled.slices.insert(slice.slice.clone());
                    self.see_slice(slice);
                }
            }
        }
        if self.node.is_none() {
            self.recalled.node = !self.is_complete(List::Node);
            self.node = known.node.filter(|_| self.recalled.node);
        }
        self.accepted = self.accepted.take().or(known.accepted);
        if self.nodes.is_empty() {
            self.nodes = known.nodes;
        }
    }

    /// A list is complete: what stood in for it and is not there any more goes.
    pub(super) fn confirm(&mut self, list: List) {
        match list {
            List::Services => {
                for key in std::mem::take(&mut self.recalled.services) {
                    self.services.remove(&key);
                }
            }
            List::Slices => {
                for slice in std::mem::take(&mut self.recalled.slices) {
                    self.forget_slice(&slice);
                }
            }
            List::Node => {
                if let Some(node) = self.node.as_mut().filter(|_| self.recalled.node) {
                    node.excluded = Some(Exclusion::Deleting);
                }
            }
            List::Configuration => {}
        }
    }

    /// The watches have told of this node.
    pub(super) fn confirm_node(&mut self) {
        self.recalled.node = false;
    }
}
