//! The bytes of ARP, NDP and Landfall's own frames.
