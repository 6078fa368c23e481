//! A queue that serves its namespaces in turn, so that a thousand Services in one do not keep the others waiting.
//!
//! Pure, and bounded: when it is full, the namespace with the most waiting loses one.

use std::collections::{BTreeMap, VecDeque};

/// Things that wait, each of a namespace.
#[derive(Debug)]
pub struct Fair<T> {
    /// None of them is empty.
    waiting: BTreeMap<String, VecDeque<T>>,
    /// The namespaces in the order of their turns.
    turns: VecDeque<String>,
    len: usize,
    limit: usize,
}

impl<T> Fair<T> {
    /// At most `limit` wait.
    pub fn new(limit: usize) -> Self {
        Self { waiting: BTreeMap::new(), turns: VecDeque::new(), len: 0, limit }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Lets `item` wait. Gives what is lost for it: the last one of the namespace with the most.
    pub fn push(&mut self, namespace: &str, item: T) -> Option<T> {
        if !self.waiting.contains_key(namespace) {
            self.turns.push_back(namespace.to_owned());
        }
        self.waiting.entry(namespace.to_owned()).or_default().push_back(item);
        self.len += 1;
        if self.len <= self.limit {
            return None;
        }
        let (longest, queue) = self.waiting.iter_mut().max_by_key(|(_, queue)| queue.len())?;
        let lost = queue.pop_back();
        self.len -= 1;
        if queue.is_empty() {
            let longest = longest.clone();
            self.waiting.remove(&longest);
            self.turns.retain(|turn| *turn != longest);
        }
        lost
    }

    /// The next one, of the namespace whose turn it is.
    pub fn pop(&mut self) -> Option<T> {
        let namespace = self.turns.pop_front()?;
        let queue = self.waiting.get_mut(&namespace)?;
        let item = queue.pop_front()?;
        self.len -= 1;
        if queue.is_empty() {
            self.waiting.remove(&namespace);
        } else {
            self.turns.push_back(namespace);
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(queue: &mut Fair<String>) -> String {
        std::iter::from_fn(|| queue.pop()).collect::<Vec<_>>().join(" ")
    }

    fn queue(limit: usize, items: &[&str]) -> (Fair<String>, Vec<String>) {
        let mut queue = Fair::new(limit);
        // The first letter is the namespace.
        let lost = items.iter().filter_map(|item| queue.push(&item[..1], (*item).to_owned())).collect();
        (queue, lost)
    }

    #[test]
    fn namespaces_take_turns_and_each_is_served_in_order() {
        let (mut queue, lost) = queue(9, &["a1", "a2", "a3", "b1", "c1", "b2"]);
        assert_eq!(lost, [""; 0]);
        assert_eq!(all(&mut queue), "a1 b1 c1 a2 b2 a3");
        assert!(queue.is_empty());
        queue.push("a", "a4".to_owned());
        assert_eq!(all(&mut queue), "a4");
    }

    #[test]
    fn when_it_is_full_the_longest_loses_its_last() {
        let (mut queue, lost) = queue(3, &["a1", "a2", "a3", "b1", "c1", "a4"]);
        assert_eq!(lost, ["a3", "a2", "a4"]);
        assert_eq!(all(&mut queue), "a1 b1 c1");
    }

    #[test]
    fn one_that_has_no_room_at_all_is_lost_itself() {
        let (mut queue, lost) = queue(0, &["a1", "b1"]);
        assert_eq!(lost, ["a1", "b1"]);
        assert!(queue.pop().is_none() && queue.is_empty());
    }
}
