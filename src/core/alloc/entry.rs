//! What the allocator remembers of one Service, and which of its conclusions are news to the object.
//!
//! There are thousands, so what few have is in a box, and nothing is here twice: a conclusion that was told is made again from
//! what the Service holds when somebody asks for it.

use super::{
    Decision, Few, Refusal, Service, Stranger,
    held::Held,
    waiting::{Ticket, Turn},
};
use arcstr::ArcStr;
use std::{net::IpAddr, sync::Arc};

/// A Service leaves an address to a foreign host no more often.
const MOVES: u8 = 3;

/// A Service, what it holds, and what was told of it last.
#[derive(Debug)]
pub(super) struct Entry {
    pub service: Arc<Service>,
    held: Box<[Held]>,
    leaving: Option<Box<Leaving>>,
    told: Told,
    /// How often it has left an address to a foreign host.
    moves: u8,
    /// Its places in the queues, while something could better it.
    pub ticket: Option<Box<Ticket>>,
}

/// What it no longer holds and its object, or a write on its way there, may still show: not yet anybody else's.
#[derive(Debug, Default)]
struct Leaving {
    held: Vec<Held>,
    /// Why it lost an address, until its object shows that.
    lost: Option<Loss>,
}

#[derive(Debug)]
struct Loss {
    why: Refusal,
    is_told: bool,
}

/// The last decision.
#[derive(Debug)]
enum Told {
    /// None, or none that counts any more.
    Nothing,
    /// It has what it holds; and why it keeps that, if it no longer fits.
    Holds(Option<Box<Refusal>>),
    /// It gets nothing.
    Refused(Box<Refusal>),
    /// What it had goes.
    Released,
}

impl Entry {
    pub fn new(service: Arc<Service>) -> Self {
        Self { service, held: Box::default(), leaving: None, told: Told::Nothing, moves: 0, ticket: None }
    }

    /// What it holds: IPv4 first.
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// It leaves an address to a foreign host.
    pub fn move_once(&mut self) {
        self.moves += 1;
    }

    /// It has taken over addresses that it showed already: its clients know them, and it leaves none of them.
    pub fn settle(&mut self) {
        self.moves = MOVES;
    }

    /// Whether it stays where it is. That is said on its object, since a new leader would not know.
    pub fn is_settled(&self) -> bool {
        self.moves >= MOVES
    }

    /// What is its own: what it holds, and what is leaving.
    pub fn own(&self) -> impl Iterator<Item = &Held> {
        self.held.iter().chain(self.leaving())
    }

    /// What is leaving.
    pub fn leaving(&self) -> &[Held] {
        self.leaving.as_ref().map_or(&[], |leaving| &leaving.held)
    }

    /// It has lost an address.
    pub fn lose(&mut self, why: Refusal) {
        let lost = &mut self.leaving.get_or_insert_default().lost;
        if lost.as_ref().is_none_or(|lost| lost.why != why) {
            *lost = Some(Loss { why, is_told: false });
        }
    }

    /// What is to be told of a loss; once.
    pub fn tell_loss(&mut self) -> Option<Decision> {
        let lost = self.leaving.as_mut()?.lost.as_mut().filter(|lost| !lost.is_told)?;
        lost.is_told = true;
        let (key, uid) = (self.service.key.clone(), self.service.uid.clone());
        Some(Decision::Lost { key, uid, refusal: lost.why.clone() })
    }

    /// What its object no longer shows.
    pub fn let_go(&mut self) -> Vec<Held> {
        self.leaving.take().map_or(Vec::new(), |leaving| leaving.held)
    }

    /// Holds again what is leaving: of each family one address, the one that its object shows, else the one that it has had for
    /// longest. Says whether there was anything.
    pub fn take_back(&mut self) -> bool {
        let Some(leaving) = &mut self.leaving else { return false };
        leaving.held.sort_by_key(|old| (old.family(), !self.service.status.contains(&old.address)));
        let mut last = None;
        let is_first = |old: &Held| last.replace(old.family()) != Some(old.family());
        let (back, left): (Vec<Held>, _) = leaving.held.drain(..).partition(is_first);
        (self.held, leaving.held) = (back.into(), left);
        !self.held.is_empty()
    }

    pub fn turn(&self) -> Turn {
        (!self.held.is_empty(), self.service.created, self.service.key.clone())
    }

    /// Whether the object says that we have written it. Only the record does: the finalizer's name is shared by all
    /// implementations (KEP-980).
    pub fn is_recorded(&self) -> bool {
        self.service.record.is_some()
    }

    /// Holds this from now on. What it held before is leaving. Says whether that is another thing to its object.
    pub fn hold(&mut self, held: Vec<Held>) -> bool {
        let is_same = self.held.len() == held.len() && self.held.iter().zip(&held).all(|(old, new)| old.is_like(new));
        let before = std::mem::replace(&mut self.held, held.into());
        if is_same {
            return false;
        }
        if !before.is_empty() || self.leaving.is_some() {
            let leaving = &mut self.leaving.get_or_insert_default().held;
            leaving.extend(before);
            leaving.retain(|old| !self.held.iter().any(|new| new.address == old.address));
        }
        true
    }

    /// Whether its object shows what it holds and nothing that is leaving. No write of something else is on its way then,
    /// or it fails for its resourceVersion.
    pub fn has_let_go(&self) -> bool {
        let status = &self.service.status;
        match self.held.is_empty() {
            true if self.service.elsewhere => !self.is_recorded(),
            true => !self.is_recorded() && !self.leaving().iter().any(|old| status.contains(&old.address)),
            false => self.shows_addresses(),
        }
    }

    /// The decision that follows from what the Service holds now, if it is news to the object. `is_moved`: it held something
    /// else before.
    pub fn conclude(&mut self, shortfall: Option<Refusal>, is_moved: bool) -> Option<Decision> {
        let told = match shortfall {
            // The object shows an address that is another's, or nobody's: that goes first.
            Some(_) if self.held.is_empty() && (self.is_recorded() || !self.service.status.is_empty()) => {
                return Some(self.release());
            }
            Some(refusal) if self.held.is_empty() => Told::Refused(refusal.into()),
            kept => Told::Holds(kept.map(Box::new)),
        };
        // What the object's condition says nobody here knows before it was told once.
        let is_known = match (&self.told, &told) {
            (Told::Refused(old), Told::Refused(new)) => old.is_like(new),
            (Told::Holds(None), Told::Holds(None)) => !is_moved && self.is_shown(),
            (Told::Holds(Some(old)), Told::Holds(Some(new))) => !is_moved && self.is_shown() && old.is_like(new),
            _ => false,
        };
        if is_known {
            return None;
        }
        self.told = told;
        self.conclusion()
    }

    /// Somebody else serves it: it is left as it is, and told so.
    pub fn conclude_foreign(&mut self, stranger: Stranger) -> Option<Decision> {
        let status = &self.service.status;
        let shown: Few<&IpAddr> = status.iter().collect();
        let shown = if status.is_empty() { "a hostname".to_owned() } else { shown.to_string() };
        let refusal = Refusal::Foreign { shown, stranger };
        if matches!(&self.told, Told::Refused(old) if **old == refusal) {
            return None;
        }
        self.told = Told::Refused(refusal.into());
        self.conclusion()
    }

    /// The release of what it holds, else of what its object shows, unless that is somebody else's. It holds nothing then.
    pub fn release(&mut self) -> Decision {
        let addresses = match &*self.service {
            _ if !self.held.is_empty() => self.addresses(),
            service if !service.lapsed().is_empty() => service.lapsed().to_vec(),
            service if service.managed || self.is_recorded() => service.status.to_vec(),
            _ => Vec::new(),
        };
        self.hold(Vec::new());
        self.told = Told::Released;
        let (key, uid) = (self.service.key.clone(), self.service.uid.clone());
        Decision::Release { key, uid, addresses, leaves_status: self.service.elsewhere }
    }

    /// It is not ours to serve, and has nothing of ours.
    pub fn leave_alone(&mut self) {
        self.told = Told::Nothing;
    }

    /// What was told last, unless that was a release: it counts once.
    pub fn conclusion(&self) -> Option<Decision> {
        let (key, uid) = (self.service.key.clone(), self.service.uid.clone());
        match &self.told {
            Told::Nothing | Told::Released => None,
            Told::Refused(refusal) => Some(Decision::Refuse { key, uid, refusal: (**refusal).clone() }),
            Told::Holds(kept) => {
                let (addresses, record, kept) = (self.addresses(), self.record(), kept.as_deref().cloned());
                Some(Decision::Assign { key, uid, addresses, record, kept, settled: self.is_settled() })
            }
        }
    }

    /// What was decided last and still counts: it has something, be it what no longer fits, or it is refused.
    pub fn verdict(&self) -> Option<Result<Option<&Refusal>, &Refusal>> {
        match &self.told {
            Told::Nothing | Told::Released => None,
            Told::Refused(refusal) => Some(Err(refusal)),
            Told::Holds(kept) => Some(Ok(kept.as_deref())),
        }
    }

    /// Whether the object says all that it is to say of what it holds, but for the condition.
    fn is_shown(&self) -> bool {
        let Service { foreign_status, finalizer, record, .. } = &*self.service;
        let is_marked = *finalizer && (self.service.is_settled() || !self.is_settled());
        is_marked && !foreign_status && self.shows_addresses() && record.as_ref() == Some(&self.record())
    }

    /// Whether it shows something beside or instead of what it was told to have; or, where it was told to have nothing, something
    /// that it never held, which is another's, then.
    pub fn is_astray(&self) -> bool {
        let mut status = self.service.status.iter();
        match self.told {
            Told::Holds(_) => !status.all(|address| self.held.iter().any(|held| held.address == *address)),
            Told::Released => !status.all(|address| self.own().any(|held| held.address == *address)),
            Told::Nothing | Told::Refused(_) => false,
        }
    }

    fn shows_addresses(&self) -> bool {
        self.service.status.iter().eq(self.held.iter().map(|held| &held.address))
    }

    fn addresses(&self) -> Vec<IpAddr> {
        self.held.iter().map(|held| held.address).collect()
    }

    /// The record annotation: the pools of its addresses.
    fn record(&self) -> ArcStr {
        match &*self.held {
            [one, others @ ..] if others.iter().all(|other| other.pool == one.pool) => one.pool.clone(),
            all => all.iter().map(|held| held.pool.as_str()).collect::<Vec<_>>().join(",").into(),
        }
    }

    /// Holds what its object shows.
    pub fn adopt(&mut self, held: Vec<Held>) {
        self.held = held.into();
    }
}
