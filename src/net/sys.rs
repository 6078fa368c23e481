//! The system calls that no crate offers safely. Each function checks the kernel's answer; nothing else is done here.

#![allow(unsafe_code)]

use socket2::{SockAddr, SockAddrStorage, Socket};
use std::{io, mem, os::fd::AsRawFd};
use tokio::io::{Interest, unix::AsyncFd};

/// The address that binds a packet socket to one interface and one ethertype.
pub fn link_address(interface: u32, ethertype: u16) -> io::Result<SockAddr> {
    let interface = i32::try_from(interface).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: sockaddr_ll is the address type of AF_PACKET on this platform, and all zeros is a valid value of it.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = ethertype.to_be();
    address.sll_ifindex = interface;
    // SAFETY: the storage holds a sockaddr_ll with its family set, and the length is that type's.
    Ok(unsafe { SockAddr::new(storage, mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t) })
}

/// Makes the interface accept the Ethernet group `mac`, or where there is none, every group, for as long as the socket lives.
pub fn join_group(socket: &Socket, interface: u32, mac: Option<[u8; 6]>) -> io::Result<()> {
    let mut address = [0; 8];
    mac.iter().for_each(|mac| address[..6].copy_from_slice(mac));
    let kind = mac.map_or(libc::PACKET_MR_ALLMULTI, |_| libc::PACKET_MR_MULTICAST);
    let request = libc::packet_mreq {
        mr_ifindex: interface as i32,
        mr_type: kind as u16,
        mr_alen: if mac.is_some() { 6 } else { 0 },
        mr_address: address,
    };
    let len = mem::size_of_val(&request) as libc::socklen_t;
    // SAFETY: the pointer and the length describe a packet_mreq, the type of this option, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_ADD_MEMBERSHIP,
            (&raw const request).cast(),
            len,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Frames that found the socket's queue full since the last call.
pub fn take_drops(socket: &Socket) -> io::Result<u32> {
    let mut statistics = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
    let mut len = mem::size_of_val(&statistics) as libc::socklen_t;
    // SAFETY: the pointers are to a tpacket_stats, which this option fills, and to its length; both outlive the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut statistics).cast(),
            &mut len,
        )
    };
    if result == 0 { Ok(statistics.tp_drops) } else { Err(io::Error::last_os_error()) }
}

/// Registers a nonblocking socket, for reading, with the runtime of the calling task.
pub fn register(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: a Socket owns its descriptor, returns the same one always, and closes it only when it is dropped, which
    // AsyncFd, its owner from here on, does after it has deregistered it.
    Ok(unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?)
}
