//! Solicited-node groups: without them a switch that listens to MLD, or the NIC, keeps questions for an IPv6 VIP away.
//!
//! The kernel does the joining, since it is the one that sends MLD reports and answers queries. A group stands for every
//! address with the same last three octets, so that memberships are counted; a kernel socket's option memory holds some
//! thousands of them, so that there are several sockets.

use landfall_core::wire::ndp::solicited_node;
use socket2::{Domain, Socket, Type};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    io,
    net::Ipv6Addr,
};

/// The memberships of a node.
#[derive(Debug, Default)]
pub struct Groups {
    sockets: Vec<Socket>,
    joined: BTreeMap<(u32, Ipv6Addr), Membership>,
}

#[derive(Debug)]
struct Membership {
    /// VIPs that need it.
    count: usize,
    /// Which of the sockets holds it.
    socket: usize,
}

impl Groups {
    /// Joins the group of `vip` on an interface. Each join needs one [`leave`](Self::leave).
    pub fn join(&mut self, interface: u32, vip: Ipv6Addr) -> io::Result<()> {
        let group = solicited_node(vip);
        match self.joined.entry((interface, group)) {
            Entry::Occupied(mut entry) => entry.get_mut().count += 1,
            Entry::Vacant(entry) => {
                let socket = join(&mut self.sockets, interface, group)?;
                entry.insert(Membership { count: 1, socket });
            }
        }
        Ok(())
    }

    /// Leaves the group of `vip` when no other VIP on the interface needs it. An interface that is gone is no error.
    pub fn leave(&mut self, interface: u32, vip: Ipv6Addr) -> io::Result<()> {
        let group = solicited_node(vip);
        let Entry::Occupied(mut entry) = self.joined.entry((interface, group)) else { return Ok(()) };
        entry.get_mut().count -= 1;
        if entry.get().count > 0 {
            return Ok(());
        }
        let Membership { socket, .. } = entry.remove();
        match self.sockets[socket].leave_multicast_v6(&group, interface) {
            Err(error) if !matches!(error.raw_os_error(), Some(libc::ENODEV | libc::EADDRNOTAVAIL)) => Err(error),
            _ => Ok(()),
        }
    }
}

/// Joins on the first socket with room, or on a new one; says on which.
fn join(sockets: &mut Vec<Socket>, interface: u32, group: Ipv6Addr) -> io::Result<usize> {
    for (index, socket) in sockets.iter().enumerate().rev() {
        match socket.join_multicast_v6(&group, interface) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM)) => {}
            result => return result.map(|()| index),
        }
    }
    let socket = Socket::new(Domain::IPV6, Type::DGRAM.cloexec(), None)?;
    socket.join_multicast_v6(&group, interface)?;
    sockets.push(socket);
    Ok(sockets.len() - 1)
}
