//! What may happen, as octets: of any eight there is a step, and one octet changes one thing about it.

use landfall_core::elect::{Preferences, Tier, Wish};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

/// Octets of a step: what, to whom, and six more by what it is.
pub type Octets = [u8; 8];

pub const PASS: u8 = 0;
pub const STALL: u8 = 1;
pub const TIMER: u8 = 2;
pub const WANT: u8 = 3;
pub const WANT_MANY: u8 = 4;
pub const UNWANT: u8 = 5;
pub const WITHDRAW: u8 = 6;
pub const WEIGH: u8 = 7;
pub const DRAIN: u8 = 8;
pub const RESTART: u8 = 9;
pub const SIGN: u8 = 10;
pub const CABLES: u8 = 11;
pub const WALL: u8 = 12;
pub const FREEZE: u8 = 13;
pub const CLAIM: u8 = 14;
pub const HEARD: u8 = 15;
pub const CROWD: u8 = 16;
pub const FORGE: u8 = 17;
pub const REPLAY: u8 = 18;
const KINDS: u8 = 19;

/// Addresses of both families, and the ends of both.
pub const VIPS: [IpAddr; 8] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)),
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 11)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2)),
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    IpAddr::V4(Ipv4Addr::BROADCAST),
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    IpAddr::V6(Ipv6Addr::from_bits(u128::MAX)),
];
/// So many more are wanted at once: their claims take several frames.
pub const MANY: u8 = 100;

/// One of the VIPs.
pub fn vip(octet: u8) -> IpAddr {
    VIPS[usize::from(octet) % VIPS.len()]
}

/// The VIPs of which many are wanted.
pub fn many() -> impl Iterator<Item = IpAddr> {
    (0..MANY).map(|last| IpAddr::from([198, 51, 100, last]))
}

/// What happens next.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// Time passes, and timers run when they are due.
    Pass(Duration),
    /// Time passes and nobody runs.
    Stall(Duration),
    /// A timer, due or not.
    Timer,
    Want(IpAddr, Wish),
    WantMany,
    Unwant(IpAddr),
    /// Told to this speaker alone, or to both.
    Withdraw(IpAddr, bool),
    Weigh([u16; 2]),
    Drain,
    /// The speaker starts anew and has forgotten everything.
    Restart,
    Sign(Sign),
    /// Which ways frames go, from this speaker on, and what else answers.
    Cables {
        direct: bool,
        around: bool,
        gateway: bool,
        answers: bool,
    },
    /// The wall clock jumps.
    Wall(Jump),
    /// The speaker stands still, or goes on.
    Freeze(bool),
    /// The next forged frame has one claim more,
    Claim([u8; 4]),
    /// one more peer that it hears or whose challenge it echoes,
    Heard([u8; 3]),
    /// or claims of many speakers that nobody knows.
    Crowd(u8),
    /// The frame is sent to the speaker.
    Forge([u8; 6]),
    /// A frame that was sent a while ago comes again.
    Replay(u8),
}

/// What else a speaker hears.
#[derive(Debug, Clone, Copy)]
pub enum Sign {
    Reached,
    NoGateway,
    /// By number.
    Vouched(u8),
    /// A version of an object.
    Seen(u64),
    Overheard,
}

/// What a wall clock says.
#[derive(Debug, Clone, Copy)]
pub enum Jump {
    Right,
    Ahead(Duration),
    Behind(Duration),
    /// It is 1970.
    Unset,
}

impl Step {
    /// To whom it happens, and what.
    pub fn of([what, who, args @ ..]: Octets) -> (usize, Self) {
        let [a, b, c, d, ..] = args;
        let is = |bit: u8| a & 1 << bit != 0;
        let millis = u64::from(u16::from_be_bytes([a, b]));
        let step = match what % KINDS {
            PASS => Self::Pass(Duration::from_millis(millis % 4096)),
            STALL => Self::Stall(Duration::from_millis(millis * 16)),
            WANT => Self::Want(vip(a), wish(b, c)),
            WANT_MANY => Self::WantMany,
            UNWANT => Self::Unwant(vip(a)),
            WITHDRAW => Self::Withdraw(vip(a), b % 2 == 1),
            WEIGH => Self::Weigh([a, b].map(u16::from)),
            DRAIN => Self::Drain,
            RESTART => Self::Restart,
            SIGN => Self::Sign(match a % 5 {
                0 => Sign::Reached,
                1 => Sign::NoGateway,
                2 => Sign::Vouched(b),
                3 => Sign::Seen(u64::from(b % 8)),
                _ => Sign::Overheard,
            }),
            CABLES => Self::Cables { direct: is(0), around: is(1), gateway: is(2), answers: is(3) },
            WALL => Self::Wall(match a % 5 {
                0 => Jump::Right,
                1 => Jump::Ahead(Duration::from_secs(3_600)),
                2 => Jump::Ahead(Duration::from_secs(300_000_000)),
                3 => Jump::Behind(Duration::from_secs(3_600)),
                _ => Jump::Unset,
            }),
            FREEZE => Self::Freeze(is(0)),
            CLAIM => Self::Claim([a, b, c, d]),
            HEARD => Self::Heard([a, b, c]),
            CROWD => Self::Crowd(a),
            FORGE => Self::Forge(args),
            REPLAY => Self::Replay(a),
            _ => Self::Timer,
        };
        (usize::from(who % 2), step)
    }
}

fn wish(tier: u8, preference: u8) -> Wish {
    let tier = if tier.is_multiple_of(2) { Tier::First } else { Tier::Second };
    Wish { tier, preferences: Preferences::new([usize::from(preference % 3)]) }
}
