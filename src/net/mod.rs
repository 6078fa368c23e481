//! Packet sockets, BPF, netlink: the only unsafe code.
