//! The node's interfaces and their addresses, from netlink, at every change.
//!
//! A subscribed socket is the doorbell: what it says is not read, only that it rang. Then everything is dumped again. So
//! no message can be misread, missed or applied in the wrong order, and a queue that ran over is a ring like any other.
//! A first ring is answered at once; the rings of a burst share a dump. Readers see the newest table, never a queue.

use anyhow::Context as _;
use futures::TryStreamExt;
use ipnet::IpNet;
use landfall_core::wire::ethernet::MacAddr;
use netlink_packet_route::{
    AddressFamily,
    address::{AddressAttribute, AddressMessage},
    link::{InfoKind, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkLayerType, LinkMessage},
};
use rtnetlink::{
    Handle, MulticastGroup,
    sys::{AsyncSocket, AsyncSocketExt, TokioSocket, protocols::NETLINK_ROUTE},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

/// The least time between two dumps.
const GAP: Duration = Duration::from_millis(20);
/// After a dump that failed.
const RETRY: Duration = Duration::from_secs(1);

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its index; never used twice in a node's life.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its Ethernet address; none for other kinds of link, and for loopback.
    pub mac: Option<MacAddr>,
    /// Configured up.
    pub up: bool,
    /// The cable is in, and the other side is there.
    pub carrier: bool,
    /// The loopback interface.
    pub loopback: bool,
    /// The bridge, bond or VRF that it belongs to, by index.
    pub master: Option<u32>,
    /// Its master is a bridge, a bond or the like, which answers in its place; a VRF does not.
    pub member: bool,
    /// What the kernel calls its kind (`bridge`, `veth`, ...); none for a plain NIC.
    pub kind: Option<String>,
    /// Its addresses, each with its subnet's prefix length.
    pub addresses: Vec<IpNet>,
}

impl Link {
    /// Its addresses without those that every LAN has alike: link-local ones.
    pub fn lan_addresses(&self) -> impl Iterator<Item = IpNet> {
        let is_local = |own: &IpNet| match own {
            IpNet::V4(own) => own.addr().is_link_local(),
            IpNet::V6(own) => own.addr().is_unicast_link_local(),
        };
        self.addresses.iter().copied().filter(move |own| !is_local(own))
    }
}

/// All interfaces, by index.
pub type Links = BTreeMap<u32, Link>;

/// The newest table of interfaces.
#[derive(Debug)]
pub struct LinkWatch {
    table: watch::Receiver<Arc<Links>>,
    _tasks: JoinSet<()>,
}

impl LinkWatch {
    /// The whole table: the first call returns it at once, a later one when it differs from what the last one returned.
    /// Cancel safe. An error says that the watch ended with its runtime.
    pub async fn changed(&mut self) -> anyhow::Result<Arc<Links>> {
        self.table.changed().await.context("the watch on the node's interfaces has ended")?;
        Ok(self.table.borrow_and_update().clone())
    }
}

/// Watches the interfaces of the calling thread's network namespace. The watch lives in the calling task's runtime.
pub async fn links() -> anyhow::Result<LinkWatch> {
    // The doorbell first, the dump second: no change falls in between.
    let doorbell = Doorbell::open().context("cannot subscribe to the node's interfaces (netlink)")?;
    let (connection, handle, _) = rtnetlink::new_connection().context("cannot open a netlink socket")?;
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let (sender, mut table) = watch::channel(Arc::new(dump(&handle).await?));
    table.mark_changed();
    tasks.spawn(follow(doorbell, handle, sender));
    Ok(LinkWatch { table, _tasks: tasks })
}

async fn follow(mut doorbell: Doorbell, handle: Handle, table: watch::Sender<Arc<Links>>) {
    loop {
        let earliest = Instant::now() + GAP;
        doorbell.rung().await;
        sleep_until(earliest).await;
        doorbell.silence();
        match dump(&handle).await {
            Ok(new) => {
                _ = table.send_if_modified(|old| {
                    **old != new && {
                        *old = Arc::new(new);
                        true
                    }
                })
            }
            Err(error) => {
                tracing::warn!(%error, "cannot list the node's interfaces; trying again in a second");
                sleep(RETRY).await;
                doorbell.ring();
            }
        }
    }
}

/// A netlink socket that hears of every change to links and addresses.
struct Doorbell {
    socket: TokioSocket,
    rung: bool,
}

impl Doorbell {
    fn open() -> std::io::Result<Self> {
        let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
        socket.socket_mut().bind_auto()?;
        for group in [MulticastGroup::Link, MulticastGroup::Ipv4Ifaddr, MulticastGroup::Ipv6Ifaddr] {
            socket.socket_ref().add_membership(group as u32)?;
        }
        Ok(Self { socket, rung: false })
    }

    /// Waits for a message. An error means that messages were lost, which is news too.
    async fn rung(&mut self) {
        if !std::mem::take(&mut self.rung) {
            let mut buffer = [0; 16];
            _ = self.socket.recv(&mut &mut buffer[..]).await;
        }
    }

    /// Drops the messages that the next dump covers.
    fn silence(&self) {
        let mut buffer = [0; 16];
        while self.socket.socket_ref().recv(&mut &mut buffer[..], 0).is_ok() {}
    }

    fn ring(&mut self) {
        self.rung = true;
    }
}

async fn dump(handle: &Handle) -> anyhow::Result<Links> {
    let mut links = Links::new();
    let request = handle.link().get().set_filter_mask(AddressFamily::Unspec, vec![LinkExtentMask::SkipStats]);
    let mut messages = std::pin::pin!(request.execute());
    while let Some(message) = messages.try_next().await.context("listing links")? {
        links.insert(message.header.index, link(message));
    }
    let mut messages = std::pin::pin!(handle.address().get().execute());
    while let Some(message) = messages.try_next().await.context("listing addresses")? {
        // An address of a link that appeared meanwhile: the doorbell rings for it.
        if let (Some(link), Some(address)) = (links.get_mut(&message.header.index), address(&message)) {
            link.addresses.push(address);
        }
    }
    links.values_mut().for_each(|link| link.addresses.sort());
    mark_members(&mut links);
    Ok(links)
}

fn mark_members(links: &mut Links) {
    let vrf = |link: &Link| link.kind.as_deref() == Some("vrf");
    let vrfs: BTreeSet<u32> = links.values().filter(|link| vrf(link)).map(|link| link.index).collect();
    for link in links.values_mut() {
        link.member = link.master.is_some_and(|master| !vrfs.contains(&master));
    }
}

fn link(message: LinkMessage) -> Link {
    let flags = message.header.flags;
    let ethernet = message.header.link_layer_type == LinkLayerType::Ether;
    let mut link = Link {
        index: message.header.index,
        name: String::new(),
        mac: None,
        up: flags.contains(LinkFlags::Up),
        carrier: flags.contains(LinkFlags::LowerUp),
        loopback: flags.contains(LinkFlags::Loopback),
        master: None,
        member: false,
        kind: None,
        addresses: Vec::new(),
    };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Controller(index) => link.master = Some(index),
            LinkAttribute::Address(octets) if ethernet => {
                link.mac = <[u8; 6]>::try_from(octets).ok().map(MacAddr::from);
            }
            LinkAttribute::LinkInfo(infos) => link.kind = infos.iter().find_map(kind),
            _ => {}
        }
    }
    link
}

fn kind(info: &LinkInfo) -> Option<String> {
    match info {
        LinkInfo::Kind(InfoKind::Other(kind)) => Some(kind.clone()),
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    }
}

/// On a point-to-point link `Local` is the own address and `Address` the peer's; else they agree, and IPv6 has no `Local`.
fn address(message: &AddressMessage) -> Option<IpNet> {
    let own = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let any = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Address(address) => Some(*address),
        _ => None,
    });
    IpNet::new(own.or(any)?, message.header.prefix_len).ok()
}

#[cfg(test)]
impl Link {
    /// An interface that may take part, as tests want one.
    pub(crate) fn fit(index: u32, name: &str, addresses: &[&str]) -> Self {
        Self {
            index,
            name: name.into(),
            mac: Some(MacAddr::from([2, 0, 0, 0, 0, 1])),
            up: true,
            carrier: true,
            loopback: false,
            master: None,
            member: false,
            kind: None,
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_belongs_to_a_bridge_or_bond_is_a_member_and_who_belongs_to_a_vrf_is_not() {
        let link = |index: u32, kind: Option<&str>, master: Option<u32>| {
            let mut message = LinkMessage::default();
            message.header.index = index;
            message.attributes.extend(master.map(LinkAttribute::Controller));
            let kind = kind.map(|kind| vec![LinkInfo::Kind(InfoKind::Other(kind.into()))]);
            message.attributes.extend(kind.map(LinkAttribute::LinkInfo));
            (index, super::link(message))
        };
        let mut links = Links::from([
            link(1, Some("bridge"), None),
            link(2, Some("bond"), Some(1)),
            link(3, Some("vrf"), None),
            link(4, None, Some(1)),
            link(5, None, Some(2)),
            link(6, None, Some(3)),
            // Its master is in another network namespace.
            link(7, None, Some(99)),
        ]);
        mark_members(&mut links);
        let members: Vec<u32> = links.values().filter(|link| link.member).map(|link| link.index).collect();
        assert_eq!(members, [2, 4, 5, 7]);
    }
}
