use super::*;
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);

fn place(n: u8) -> Place {
    Place { interface: 1, vip: IpAddr::from([198, 51, 100, n]) }
}

/// Runs until `end`, as a caller does who wakes at each deadline; says when what was announced.
fn run(announcer: &mut Announcer, end: Duration) -> Vec<(Duration, Place)> {
    let mut said = Vec::new();
    while let Some(now) = announcer.deadline().filter(|deadline| *deadline <= end) {
        let due = announcer.due(now, |_| false);
        assert!(!due.is_empty(), "woken for nothing at {now:?}");
        said.extend(due.into_iter().map(|place| (now, place)));
    }
    said
}

/// When one VIP was announced, by the time since `start`.
fn times(announcer: &mut Announcer, start: Duration, end: Duration) -> Vec<Duration> {
    run(announcer, start + end).into_iter().map(|(at, _)| at - start).collect()
}

fn is_about(interval: Duration, gap: Duration) -> bool {
    (interval * 9 / 10..=interval * 11 / 10).contains(&gap)
}

#[test]
fn a_vip_is_announced_at_once_thrice_more_and_about_every_minute() {
    let mut announcer = Announcer::default();
    let start = 5 * MINUTE;
    announcer.acquire(place(1), start);
    let said = times(&mut announcer, start, 20 * MINUTE);
    assert_eq!(said[..4], [0, 40, 600, 1300].map(|ms| ms * MS));
    let gaps: Vec<_> = said[3..].windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.len() >= 17 && gaps.iter().all(|gap| is_about(MINUTE, *gap)), "{gaps:?}");
    assert!(gaps.windows(2).any(|pair| pair[0] != pair[1]), "{gaps:?}");
}

#[test]
fn what_moved_at_one_time_is_not_repeated_at_one_time() {
    let mut announcer = Announcer::default();
    (0..20).for_each(|n| announcer.acquire(place(n), MINUTE));
    let said = run(&mut announcer, 2 * MINUTE + 10_000 * MS);
    let again: BTreeSet<_> = said[4 * 20..].iter().map(|(at, _)| at.as_secs()).collect();
    assert!(again.len() > 5, "{again:?}");
}

#[test]
fn another_interval_counts_from_when_it_is_told_and_zero_ends_repetitions() {
    let mut announcer = Announcer::default();
    announcer.acquire(place(1), MINUTE);
    announcer.set_interval(Duration::from_secs(10), MINUTE);
    let said = times(&mut announcer, MINUTE, 25_000 * MS);
    assert_eq!(said.len(), 4 + 2, "{said:?}");
    announcer.set_interval(Duration::ZERO, MINUTE + 25_000 * MS);
    assert_eq!(announcer.deadline(), None);
    announcer.acquire(place(2), 2 * MINUTE);
    assert_eq!(times(&mut announcer, 2 * MINUTE, MINUTE), [0, 40, 600, 1300].map(|ms| ms * MS));
    announcer.set_interval(MINUTE, 4 * MINUTE);
    let said = times(&mut announcer, 4 * MINUTE, 67_000 * MS);
    assert!(said.len() == 2 && said.iter().all(|at| is_about(MINUTE, *at)), "{said:?}");
}

#[test]
fn a_repetition_is_one_announcement_and_the_minutes_go_on_from_there() {
    let mut announcer = Announcer::default();
    let start = 5 * MINUTE;
    announcer.acquire(place(1), start);
    run(&mut announcer, start + 10_000 * MS);
    announcer.repeat(place(1), start + 20_000 * MS);
    let said = times(&mut announcer, start, 20_000 * MS + 2 * MINUTE);
    assert_eq!(said[0], 20_000 * MS);
    assert!(said.windows(2).all(|pair| is_about(MINUTE, pair[1] - pair[0])), "{said:?}");
}

#[test]
fn a_repetition_takes_the_place_of_no_first_announcement() {
    let mut announcer = Announcer::default();
    announcer.acquire(place(1), MINUTE);
    run(&mut announcer, MINUTE + 100 * MS);
    announcer.repeat(place(1), MINUTE + 100 * MS);
    assert_eq!(times(&mut announcer, MINUTE, 2000 * MS), [600, 1300].map(|ms| ms * MS));
}

#[test]
fn a_released_vip_is_silent() {
    let mut announcer = Announcer::default();
    announcer.acquire(place(1), MINUTE);
    announcer.acquire(place(2), MINUTE);
    announcer.release(place(1));
    assert_eq!(announcer.due(MINUTE, |_| false), [place(2)]);
    announcer.release(place(2));
    assert_eq!(announcer.deadline(), None);
    assert_eq!(announcer.due(2 * MINUTE, |_| false), []);
}

#[test]
fn a_vip_held_back_by_the_pace_is_silent_once_released() {
    let mut announcer = Announcer::default();
    (0..100).for_each(|n| announcer.acquire(place(n), MINUTE));
    assert_eq!(announcer.due(MINUTE, |_| false).len(), BURST as usize);
    (0..100).for_each(|n| announcer.release(place(n)));
    assert_eq!(announcer.deadline(), None);
}

#[test]
fn acquired_again_it_begins_again() {
    let mut announcer = Announcer::default();
    announcer.acquire(place(1), MINUTE);
    run(&mut announcer, MINUTE + 700 * MS);
    announcer.acquire(place(1), MINUTE + 700 * MS);
    let said: Vec<_> = run(&mut announcer, MINUTE + 900 * MS).into_iter().map(|(at, _)| at - MINUTE).collect();
    assert_eq!(said, [700, 740].map(|ms| ms * MS));
}

#[test]
fn first_announcements_come_before_repeated_ones() {
    let mut announcer = Announcer::default();
    (0..200).for_each(|n| announcer.acquire(place(n), MINUTE));
    let said = run(&mut announcer, 2 * MINUTE);
    let first: BTreeSet<_> = said.iter().take(200).map(|(_, place)| *place).collect();
    assert_eq!(first.len(), 200, "each VIP once before any twice");
}

#[test]
fn however_many_vips_move_at_once_the_pace_holds_and_none_waits_for_another_to_be_told_twice() {
    const MANY: u32 = 5000;
    const SECOND: usize = 250;
    let mut announcer = Announcer::default();
    let places = (0..MANY).map(|n| Place { interface: 1, vip: std::net::Ipv4Addr::from(0xc612_0000 + n).into() });
    places.clone().for_each(|place| announcer.acquire(place, MINUTE));
    let said = run(&mut announcer, MINUTE + 2 * MINUTE);
    for (early, late) in said.iter().zip(&said[SECOND + BURST as usize..]) {
        assert!(late.0 - early.0 >= 1000 * MS, "more than 500 frames and a burst in the second from {:?}", early.0);
    }
    let (all_told, _) = said[MANY as usize - 1];
    assert!(all_told <= MINUTE + PACE * MANY, "each once by {all_told:?}");
    let mut times = BTreeMap::<Place, Vec<Duration>>::new();
    said.iter().for_each(|(at, place)| times.entry(*place).or_default().push(*at));
    for place in places {
        let gaps: Vec<_> = times[&place].windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.len() >= 3, "{place:?} was announced {} times", times[&place].len());
        let least = GAPS.into_iter().chain([MINUTE * 9 / 10; 2]);
        assert!(gaps.iter().zip(least).all(|(gap, least)| *gap >= least), "{place:?}: {gaps:?}");
    }
}

#[test]
fn frames_are_for_everyone_and_in_both_forms() {
    let mac = MacAddr(2, 0, 0, 0, 0, 1);
    let vip = std::net::Ipv4Addr::new(198, 51, 100, 1);
    assert_eq!(frames(vip.into(), mac), [arp::announcement(mac, vip), arp::gratuitous_reply(mac, vip)]);
    let vip = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let groups = frames(vip.into(), mac).map(|frame| frame[..6].to_vec());
    assert_eq!(groups, [[0x33, 0x33, 0, 0, 0, 1], [0x33, 0x33, 0, 0, 0, 2]]);
}

proptest! {
    /// However VIPs come and go: the pace holds in every stretch of time, and what stays is announced four times, with
    /// more than a second between the first and the last of them.
    #[test]
    fn the_pace_holds_and_nothing_is_forgotten(
        acquired in proptest::collection::vec((0u64..2000, any::<u8>()), 1..150),
        released in proptest::collection::vec((0u64..2000, any::<u8>()), 0..50),
    ) {
        let mut events: Vec<_> = acquired.iter().map(|(at, n)| (MINUTE + MS * *at as u32, true, *n))
            .chain(released.iter().map(|(at, n)| (MINUTE + MS * *at as u32, false, *n)))
            .collect();
        events.sort();
        let mut announcer = Announcer::default();
        let mut held = BTreeMap::new();
        let mut said = Vec::new();
        for (at, acquire, n) in events {
            said.extend(run(&mut announcer, at));
            if acquire {
                announcer.acquire(place(n), at);
                held.insert(place(n), at);
            } else {
                announcer.release(place(n));
                held.remove(&place(n));
            }
        }
        said.extend(run(&mut announcer, MINUTE + 30_000 * MS));
        for (index, (start, _)) in said.iter().enumerate() {
            let within = said[index..].iter().take_while(|(at, _)| *at < *start + 100 * MS).count();
            prop_assert!(within <= (BURST as usize) + 25, "{within} announcements in 100 ms");
        }
        for (place, since) in held {
            let times: Vec<_> = said.iter().filter(|(at, p)| *p == place && *at >= since).map(|(at, _)| *at).collect();
            let times = &times[times.len() - 4..];
            prop_assert!(times[3] - times[0] >= 1300 * MS);
        }
    }
}
