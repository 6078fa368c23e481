//! What can be counted of what the leader knows.

use super::State;
use crate::controller::metrics::Figures;

impl State {
    /// As it is now. Looks at every Service and every pool.
    pub fn figures(&self) -> Figures {
        Figures {
            services: self.allocator.census(),
            pools: self.allocator.usage().collect(),
            in_use: self.in_use.len() as u64,
            unanswered: self.announced.unanswered() as u64,
            waiting: self.queue.waiting() as u64,
        }
    }
}
