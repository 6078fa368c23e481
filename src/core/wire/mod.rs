//! The bytes of ARP, NDP and Landfall's own frames.
//!
//! A frame comes in as a slice; each format has a `Repr` that only a frame which passed every check of its RFC becomes,
//! and that turns back into octets. Where a check fails, an enum says which one.

pub mod arp;
pub mod ethernet;
pub mod heartbeat;
pub mod ndp;

#[cfg(test)]
mod testing {
    //! Frames as text.

    /// The octets that `hex` spells; spaces separate fields.
    pub fn octets(hex: &str) -> Vec<u8> {
        let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
        digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
    }
}
