//! What the LAN's switch drops, while every cable is in: networks that are broken in parts.

use anyhow::Result;

use crate::netns::Netns;

/// Frames that do not go through. Members are named as [`Member::name`](crate::Member::name) says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// Those from one member to another.
    Between(String, String),
    /// All to and from a member, the gateway's too.
    Member(String),
    /// All to a member, the gateway's too.
    Towards(String),
    /// Those of an ethertype, between any.
    Ethertype(u16),
}

/// The switch.
#[derive(Clone, Debug)]
pub struct Switch(Netns);

impl Switch {
    pub(crate) fn new(lan: Netns) -> Switch {
        Switch(lan)
    }

    /// Drops these from now on, and no others.
    ///
    /// # Errors
    /// When nftables refuses.
    pub fn drop(&self, dropped: &[Dropped]) -> Result<()> {
        let (mut forward, mut input, mut output) = (String::new(), String::new(), String::new());
        for one in dropped {
            match one {
                Dropped::Between(from, to) => forward += &format!("iifname {from} oifname {to} drop; "),
                Dropped::Member(name) => {
                    forward += &format!("iifname {name} drop; oifname {name} drop; ");
                    input += &format!("iifname {name} drop; ");
                    output += &format!("oifname {name} drop; ");
                }
                Dropped::Towards(name) => {
                    forward += &format!("oifname {name} drop; ");
                    output += &format!("oifname {name} drop; ");
                }
                Dropped::Ethertype(ethertype) => forward += &format!("ether type {ethertype:#06x} drop; "),
            }
        }
        let chains = [("forward", forward), ("input", input), ("output", output)];
        let chains =
            chains.map(|(hook, rules)| format!("chain {hook} {{ type filter hook {hook} priority 0; {rules} }}\n"));
        // The empty table is there to be deleted: one transaction, so that nothing slips through between.
        let rules =
            format!("table bridge faults\ndelete table bridge faults\ntable bridge faults {{\n{}}}", chains.concat());
        self.0.exec(&["nft", &rules]).map(drop)
    }

    /// Drops nothing any more.
    ///
    /// # Errors
    /// When nftables refuses.
    pub fn heal(&self) -> Result<()> {
        self.drop(&[])
    }
}
