//! Frames of one interface: heartbeats, also as datagrams, ARP, and neighbour discovery.
//!
//! Each kind has a kernel socket of its own, bound to its ethertype: other IPv4 traffic is dropped by a filter of a few steps, a storm of ARP
//! cannot crowd out heartbeats, and heartbeats that queued up during a pause are read before any question is answered. Nor
//! does such a socket hear what this machine sends itself.

use super::{
    filter::{self, Interest, Operation},
    sys,
};
use landfall_core::wire::{datagram, ethernet, heartbeat};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    future::poll_fn,
    io::{self, Read},
    task::{Context, Poll, ready},
};
use tokio::io::unix::AsyncFd;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Traffic {
    /// Landfall's own.
    Heartbeat,
    /// Landfall's own by the way round, as IPv4.
    Datagram,
    /// ARP.
    Arp,
    /// A neighbour solicitation or advertisement.
    Ndp,
}

impl Traffic {
    /// In the order in which one of them is looked for first.
    pub const ALL: [Self; 4] = [Self::Heartbeat, Self::Datagram, Self::Arp, Self::Ndp];

    /// Whether it comes from a speaker, if nobody forged it; else it is a question, or a word about an address.
    pub fn is_heartbeat(self) -> bool {
        matches!(self, Self::Heartbeat | Self::Datagram)
    }

    fn ethertype(self) -> u16 {
        match self {
            Self::Heartbeat => heartbeat::ETHERTYPE,
            Self::Datagram => ethernet::IPV4,
            Self::Arp => ethernet::ARP,
            Self::Ndp => ethernet::IPV6,
        }
    }

    /// What is heard until somebody says what matters.
    fn filter(self) -> &'static [Operation] {
        match self {
            Self::Heartbeat | Self::Arp => &filter::FOR_US,
            Self::Datagram => &filter::DATAGRAMS,
            Self::Ndp => &filter::NEIGHBOURS_FOR_US,
        }
    }
}

/// A frame in the caller's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Octets, the Ethernet header included. A frame longer than the buffer is cut off.
    pub len: usize,
    /// What it is.
    pub traffic: Traffic,
}

/// The frames of one interface, in both directions.
pub struct PacketSocket {
    sockets: [(Traffic, AsyncFd<Socket>); 4],
}

impl PacketSocket {
    /// Opens the sockets on an interface, which may be down. Needs CAP_NET_RAW and a tokio runtime.
    pub fn open(interface: u32) -> io::Result<Self> {
        let [heartbeat, datagram, arp, ndp] = Traffic::ALL.map(|traffic| open(interface, traffic));
        Ok(Self { sockets: [heartbeat?, datagram?, arp?, ndp?] })
    }

    /// From now on ARP and neighbour discovery are heard as far as they are about these addresses, and hardly more. What has
    /// arrived already stays. Where the kernel has no room for that filter, more is heard, and what is for others passed over.
    pub fn listen_for(&self, interest: &Interest) -> io::Result<()> {
        for (traffic, socket) in &self.sockets {
            let narrow = match traffic {
                Traffic::Heartbeat | Traffic::Datagram => continue,
                Traffic::Arp => interest.arp(),
                Traffic::Ndp => interest.ndp(),
            };
            let socket = socket.get_ref();
            let attach = |operations: &[Operation]| socket.attach_filter(&filter::program(operations));
            attach(&narrow).or_else(|_| attach(traffic.filter())).or_else(|_| socket.detach_filter())?;
        }
        Ok(())
    }

    /// Has the interface, whose index this is, take the frames of every group, as long as this lives: where a group cannot be
    /// joined, its questions come at least as far as switches send them here.
    pub fn hear_all_groups(&self, interface: u32) -> io::Result<()> {
        // One membership is enough: it is the interface's.
        let [(_, any), ..] = &self.sockets;
        sys::join_group(any.get_ref(), interface, None)
    }

    /// The next frame. Cancel safe; for one task at a time. That the interface goes down wakes nobody here, since netlink
    /// tells it: the next call that would find a frame returns the error instead, which [`is_link_down`] knows. The socket
    /// itself works again once the interface is up, unless that is gone for good.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<Received> {
        poll_fn(|context| self.poll_recv(context, buffer)).await
    }

    /// [`recv`](Self::recv) for a task that waits for several sockets.
    pub fn poll_recv(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<Received>> {
        for (traffic, socket) in &self.sockets {
            if let Poll::Ready(len) = poll_read(socket, context, buffer) {
                return Poll::Ready(len.map(|len| Received { len, traffic: *traffic }));
            }
        }
        Poll::Pending
    }

    /// A frame that is there already, or none: for reading a queue empty.
    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        self.try_recv_of(Traffic::ALL, buffer)
    }

    /// The same for some kinds, of which the first is looked for first.
    pub fn try_recv_of(
        &self,
        kinds: impl IntoIterator<Item = Traffic>,
        buffer: &mut [u8],
    ) -> io::Result<Option<Received>> {
        for kind in kinds {
            let Some((traffic, socket)) = self.sockets.iter().find(|(traffic, _)| *traffic == kind) else { continue };
            match socket.get_ref().read(buffer) {
                Ok(len) => return Ok(Some(Received { len, traffic: *traffic })),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Sends a frame, Ethernet header included, now or never: `WouldBlock` or ENOBUFS say that the interface's queue is
    /// full.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        let ethertype = match frame {
            [_, _, _, _, _, _, _, _, _, _, _, _, a, b, ..] => u16::from_be_bytes([*a, *b]),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "a frame without an Ethernet header")),
        };
        // The kernel takes the frame's protocol from the socket, not from the octets.
        let socket = self.sockets.iter().find(|(traffic, _)| traffic.ethertype() == ethertype);
        let (_, socket) = socket.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("a frame of ethertype {ethertype:#06x}, which is not ours"),
            )
        })?;
        socket.get_ref().send(frame).map(drop)
    }

    /// Frames of each kind that were lost since the last call, because they found the queue full.
    pub fn take_drops(&self) -> io::Result<[(Traffic, u32); 4]> {
        let mut drops = Traffic::ALL.map(|traffic| (traffic, 0));
        for ((_, count), (_, socket)) in drops.iter_mut().zip(&self.sockets) {
            *count = sys::take_drops(socket.get_ref())?;
        }
        Ok(drops)
    }
}

/// Whether the error says that the interface is down or gone.
pub fn is_link_down(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENETDOWN | libc::ENXIO | libc::ENODEV))
}

/// Protocol 0 receives nothing, so the filter is in place before the first frame.
fn open(interface: u32, traffic: Traffic) -> io::Result<(Traffic, AsyncFd<Socket>)> {
    let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), Some(Protocol::from(0)))?;
    socket.attach_filter(&filter::program(traffic.filter()))?;
    let group = match traffic {
        Traffic::Heartbeat => Some(heartbeat::DESTINATION),
        Traffic::Datagram => Some(datagram::DESTINATION),
        Traffic::Arp | Traffic::Ndp => None,
    };
    if group.is_some() {
        sys::join_group(&socket, interface, group)?;
    }
    socket.bind(&sys::link_address(interface, traffic.ethertype())?)?;
    Ok((traffic, sys::register(socket)?))
}

fn poll_read(socket: &AsyncFd<Socket>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
    loop {
        let mut guard = ready!(socket.poll_read_ready(context))?;
        if let Ok(result) = guard.try_io(|socket| socket.get_ref().read(buffer)) {
            return Poll::Ready(result);
        }
    }
}
