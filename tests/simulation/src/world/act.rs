//! What the plan does to the speakers and the segment.

use super::{Deed, Event, World, name};
use crate::plan::{Action, Who, vip};
use landfall_core::elect::{Election, Identity, Input, Tier};
use std::{net::IpAddr, time::Duration};

/// What fails of a speaker that is cut off.
enum Side {
    Ears,
    Mouth,
}

impl World {
    pub(super) fn act(&mut self, action: Action) {
        self.note(format!("{action:?}"));
        let now = self.now;
        self.acts += 1;
        match action {
            Action::Start(number) => {
                for number in self.node_of(number) {
                    self.speakers[number].runs = true;
                    self.start(number);
                }
            }
            Action::Pull(who, length) => {
                let Some(number) = self.who(who) else { return };
                self.speakers[number].unplugged = true;
                self.stop(number);
                self.put(now + length, Event::Act(Action::Plug(number)));
            }
            Action::Plug(number) => {
                self.speakers[number].unplugged = false;
                if self.speakers[number].runs {
                    self.start(number);
                }
            }
            Action::Crash(who) => self.crash(who, None),
            Action::Restart(who, after) => self.crash(who, Some(after)),
            Action::Pause { who, length, backlog } => {
                let Some(number) = self.who(who) else { return };
                for number in self.node_of(number) {
                    let speaker = &mut self.speakers[number];
                    speaker.paused = Some(now + length);
                    speaker.keeps_backlog = backlog;
                    self.put(now + length, Event::Resume(number));
                }
            }
            Action::Drain(who, comes_back) => {
                let Some(number) = self.who(who) else { return };
                for number in self.node_of(number) {
                    let speaker = &mut self.speakers[number];
                    speaker.draining = true;
                    speaker.comes_back = comes_back;
                    self.tell(number, Input::Drain);
                }
            }
            Action::Want(number, which) => {
                self.speakers[number].eligible.insert(vip(which));
                self.speakers[number].due.insert(vip(which));
                self.speakers[number].told.remove(&vip(which));
                self.released.remove(&vip(which));
                self.speakers[number].disturbed = now;
                self.want(number, vip(which));
            }
            Action::Place(who, which, tier) => {
                let Some(number) = self.who(who) else { return };
                let speaker = &mut self.speakers[number];
                let changed = match tier {
                    Tier::First => speaker.second.remove(&vip(which)),
                    Tier::Second => speaker.second.insert(vip(which)),
                };
                if changed && speaker.eligible.contains(&vip(which)) {
                    speaker.disturbed = now;
                    self.want(number, vip(which));
                }
            }
            Action::Unwant(who, which) => {
                let Some(number) = self.who(who) else { return };
                self.speakers[number].eligible.remove(&vip(which));
                self.speakers[number].due.remove(&vip(which));
                self.tell(number, Input::Unwant { vip: vip(which) });
            }
            Action::Release(which) => {
                for speaker in &mut self.speakers {
                    speaker.due.remove(&vip(which));
                    speaker.disturbed = now;
                }
            }
            Action::Withdraw(number, which) => {
                self.speakers[number].eligible.remove(&vip(which));
                if self.speakers[number].election.is_some() {
                    self.speakers[number].told.insert(vip(which), now);
                }
                let known = self.speakers.iter().all(|speaker| !speaker.due.contains(&vip(which)));
                if known {
                    self.released.entry(vip(which)).or_insert(now);
                }
                self.tell(number, Input::Withdraw { vip: vip(which) });
            }
            Action::Cut(from, to) => {
                let lan = self.speakers[from].seat.lan;
                self.disturb(lan);
                self.lans[lan].cut(from, to);
            }
            Action::Deafen(who) => self.cut_off(who, &[Side::Ears]),
            Action::Mute(who) => self.cut_off(who, &[Side::Mouth]),
            Action::Isolate(who) => {
                let Some(number) = self.who(who) else { return };
                self.speakers[number].disturbed = now;
                self.apart = Some(number);
                for vip in (0..self.plan.vips).map(vip) {
                    let mut there = self.on(self.speakers[number].seat.lan);
                    let owner = there.find(|other| self.speakers[*other].answers(vip));
                    self.owners.extend(owner.map(|owner| (vip, owner)));
                }
                self.separate(number, &[Side::Ears, Side::Mouth]);
            }
            Action::Rejoin => {
                let Some(number) = self.apart.take() else { return };
                let speaker = &mut self.speakers[number];
                speaker.disturbed = now;
                self.lans[speaker.seat.lan].rejoin(number);
            }
            Action::Block(blocked) => self.lans.iter_mut().for_each(|lan| lan.blocked = blocked),
            Action::Replay(replays) => {
                self.replays = replays;
                self.put(now, Event::Replay);
            }
            Action::Heal => {
                for lan in 0..self.lans.len() {
                    self.disturb(lan);
                    self.lans[lan].heal();
                }
                self.speakers.iter_mut().for_each(|speaker| speaker.useless = false);
            }
            Action::Jump(number, by) => {
                for number in self.node_of(number) {
                    self.speakers[number].wall += by;
                }
            }
            Action::Starve(by) => self.starved = by,
        }
    }

    fn disturb(&mut self, lan: usize) {
        for number in self.on(lan) {
            self.speakers[number].disturbed = self.now;
        }
    }

    fn cut_off(&mut self, who: Who, sides: &[Side]) {
        let Some(one) = self.who(who) else { return };
        self.disturb(self.speakers[one].seat.lan);
        self.speakers[one].useless = true;
        self.separate(one, sides);
    }

    fn separate(&mut self, one: usize, sides: &[Side]) {
        let lan = self.speakers[one].seat.lan;
        self.lans[lan].cut_gateway(one);
        for other in self.on(lan).filter(|other| *other != one) {
            for side in sides {
                match side {
                    Side::Ears => self.lans[lan].cut(other, one),
                    Side::Mouth => self.lans[lan].cut(one, other),
                }
            }
        }
    }

    fn who(&self, who: Who) -> Option<usize> {
        match who {
            Who::Speaker(number) => Some(number),
            Who::OwnerOf(which) => (0..self.lans.len()).find_map(|lan| self.who(Who::OwnerOn(lan, which))),
            Who::OwnerOn(lan, which) => self.on(lan).find(|number| self.speakers[*number].answers(vip(which))),
        }
    }

    fn start(&mut self, number: usize) {
        let now = self.now;
        let speaker = &mut self.speakers[number];
        if speaker.unplugged {
            return;
        }
        speaker.boot += 1;
        let identity = Identity { speaker: name(speaker.seat.node), boot: speaker.boot, cluster: 1 };
        speaker.election = Some(Election::new(identity, self.plan.timing.clone(), speaker.now(now)));
        speaker.started = now;
        speaker.disturbed = now;
        (speaker.draining, speaker.drained) = (false, false);
        speaker.paused = None;
        speaker.backlog.clear();
        speaker.told.clear();
        let (eligible, weight) = (speaker.eligible.clone(), speaker.weight);
        self.tell(number, Input::Weigh(vec![weight]));
        eligible.into_iter().for_each(|vip| self.want(number, vip));
        self.schedule(number);
    }

    fn want(&mut self, number: usize, vip: IpAddr) {
        let wish = self.speakers[number].wish(vip);
        self.tell(number, Input::Want { vip, wish });
    }

    fn crash(&mut self, who: Who, back_after: Option<Duration>) {
        let Some(number) = self.who(who) else { return };
        for number in self.node_of(number) {
            self.speakers[number].runs = false;
            self.stop(number);
        }
        if let Some(after) = back_after {
            self.put(self.now + after, Event::Act(Action::Start(number)));
        }
    }

    /// The speaker is gone, without a word.
    fn stop(&mut self, number: usize) {
        let now = self.now;
        self.note(format!("{number} is gone"));
        let owned: Vec<IpAddr> =
            self.speakers[number].election.take().map(|election| election.owned().collect()).unwrap_or_default();
        self.deeds.extend(owned.into_iter().map(|vip| (now, number, vip, Deed::OwnerCrashed)));
        self.speakers[number].wake = None;
    }
}
