use super::*;
use crate::{
    ops::metrics::{Histogram, page, registry, undocumented},
    speaker::segment::{Losses, Tally},
};
use landfall_core::{
    responder::Counters,
    wire::{ndp, seal::Unsealed},
};
use std::time::Duration;

fn times(ms: &[u64]) -> Histogram {
    let mut histogram = Histogram::default();
    ms.iter().for_each(|ms| histogram.observe(Duration::from_millis(*ms)));
    histogram
}

#[test]
fn a_whole_page() {
    let segment = segment::Figures {
        answered_for: 3,
        silent: 1,
        peers: 2,
        foreign: BTreeMap::from([(Phase::Probe, 1)]),
        frames: Counters {
            answered: 40,
            claimed: 5,
            ignored: BTreeMap::from([
                (responder::Ignored::NotOwned, 600),
                (responder::Ignored::Ndp(ndp::Refused::HopLimit), 6),
            ]),
        },
        losses: Losses { unsealed: BTreeMap::from([(Unsealed::Key, 7)]), unread: 8, unsent: 9, forgotten: 10 },
        ignored: BTreeMap::from([(elect::Ignored::OtherCluster, 10)]),
        tally: Tally {
            heartbeats: 1000,
            acquired: BTreeMap::from([(Cause::New, 3), (Cause::Dead, 1)]),
            found: BTreeMap::from([(Phase::Probe, 1), (Phase::Watch, 2)]),
            announcements: 11,
            found_dead: times(&[305]),
            taken_over: times(&[325]),
        },
    };
    let interfaces = BTreeMap::from([("eth0".to_owned(), segment)]);
    let (_sender, latest) = watch::channel(Arc::new(Figures { eligible: true, stale: false, interfaces }));
    let text = page(&registry(Latest(latest)));
    assert_eq!(undocumented(&text), [""; 0]);
    let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::assert_snapshot!(text, @r#"
    # HELP landfall_build The version that runs.
    # TYPE landfall_build info
    landfall_build_info{version="VERSION"} 1
    # HELP landfall_speaker_eligible Whether the node may answer for VIPs at all.
    # TYPE landfall_speaker_eligible gauge
    landfall_speaker_eligible 1
    # HELP landfall_speaker_data_path_stale Whether kube-proxy on the node was healthy and is not now.
    # TYPE landfall_speaker_data_path_stale gauge
    landfall_speaker_data_path_stale 0
    # HELP landfall_speaker_vips VIPs that are answered for, and that are claimed and silent: they are probed, or a foreign host has them.
    # TYPE landfall_speaker_vips gauge
    landfall_speaker_vips{interface="eth0",state="answered"} 3
    landfall_speaker_vips{interface="eth0",state="silent"} 1
    # HELP landfall_speaker_vips_acquired How often answering for a VIP began, by what became of the owner before.
    # TYPE landfall_speaker_vips_acquired counter
    landfall_speaker_vips_acquired_total{interface="eth0",cause="new"} 3
    landfall_speaker_vips_acquired_total{interface="eth0",cause="handed_over"} 0
    landfall_speaker_vips_acquired_total{interface="eth0",cause="dead"} 1
    landfall_speaker_vips_acquired_total{interface="eth0",cause="restarted"} 0
    # HELP landfall_speaker_detection_seconds Of each VIP taken over from a dead owner: from its last sign of life until it was thought dead.
    # TYPE landfall_speaker_detection_seconds histogram
    landfall_speaker_detection_seconds_sum{interface="eth0"} 0.305
    landfall_speaker_detection_seconds_count{interface="eth0"} 1
    landfall_speaker_detection_seconds_bucket{le="0.05",interface="eth0"} 0
    landfall_speaker_detection_seconds_bucket{le="0.1",interface="eth0"} 0
    landfall_speaker_detection_seconds_bucket{le="0.2",interface="eth0"} 0
    landfall_speaker_detection_seconds_bucket{le="0.3",interface="eth0"} 0
    landfall_speaker_detection_seconds_bucket{le="0.4",interface="eth0"} 1
    landfall_speaker_detection_seconds_bucket{le="0.5",interface="eth0"} 1
    landfall_speaker_detection_seconds_bucket{le="0.75",interface="eth0"} 1
    landfall_speaker_detection_seconds_bucket{le="1.0",interface="eth0"} 1
    landfall_speaker_detection_seconds_bucket{le="2.0",interface="eth0"} 1
    landfall_speaker_detection_seconds_bucket{le="5.0",interface="eth0"} 1
    landfall_speaker_detection_seconds_bucket{le="+Inf",interface="eth0"} 1
    # HELP landfall_speaker_takeover_seconds Of each VIP taken over from a dead owner: from its last sign of life until the VIP was claimed here.
    # TYPE landfall_speaker_takeover_seconds histogram
    landfall_speaker_takeover_seconds_sum{interface="eth0"} 0.325
    landfall_speaker_takeover_seconds_count{interface="eth0"} 1
    landfall_speaker_takeover_seconds_bucket{le="0.05",interface="eth0"} 0
    landfall_speaker_takeover_seconds_bucket{le="0.1",interface="eth0"} 0
    landfall_speaker_takeover_seconds_bucket{le="0.2",interface="eth0"} 0
    landfall_speaker_takeover_seconds_bucket{le="0.3",interface="eth0"} 0
    landfall_speaker_takeover_seconds_bucket{le="0.4",interface="eth0"} 1
    landfall_speaker_takeover_seconds_bucket{le="0.5",interface="eth0"} 1
    landfall_speaker_takeover_seconds_bucket{le="0.75",interface="eth0"} 1
    landfall_speaker_takeover_seconds_bucket{le="1.0",interface="eth0"} 1
    landfall_speaker_takeover_seconds_bucket{le="2.0",interface="eth0"} 1
    landfall_speaker_takeover_seconds_bucket{le="5.0",interface="eth0"} 1
    landfall_speaker_takeover_seconds_bucket{le="+Inf",interface="eth0"} 1
    # HELP landfall_speaker_announcements Announcements of VIPs, of two frames each.
    # TYPE landfall_speaker_announcements counter
    landfall_speaker_announcements_total{interface="eth0"} 11
    # HELP landfall_speaker_conflicts VIPs that foreign hosts use now, by when that was found.
    # TYPE landfall_speaker_conflicts gauge
    landfall_speaker_conflicts{interface="eth0",phase="probe"} 1
    landfall_speaker_conflicts{interface="eth0",phase="watch"} 0
    # HELP landfall_speaker_conflicts_found How often a foreign host was found to use a VIP, by when.
    # TYPE landfall_speaker_conflicts_found counter
    landfall_speaker_conflicts_found_total{interface="eth0",phase="probe"} 1
    landfall_speaker_conflicts_found_total{interface="eth0",phase="watch"} 2
    # HELP landfall_speaker_questions_answered ARP requests and neighbour solicitations that were answered.
    # TYPE landfall_speaker_questions_answered counter
    landfall_speaker_questions_answered_total{interface="eth0"} 40
    # HELP landfall_speaker_frames_unanswered ARP and NDP frames that were not answered, by why.
    # TYPE landfall_speaker_frames_unanswered counter
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="ethernet_truncated"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="ethernet_source"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="arp_truncated"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="arp_address_space"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="arp_operation"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="arp_sender_mac"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="arp_sender_ip"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="ndp_truncated"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="ndp_not_icmpv6"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="ndp_type"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="ndp_hop_limit"} 6
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="ndp_code"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="ndp_checksum"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="ndp_source"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="ndp_target"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="ndp_option"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="ndp_probe_destination"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="ndp_probe_link_layer"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="ndp_advertisement_source"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="ndp_solicited_group"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="ethertype"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="own"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="destination"} 0
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="not_owned"} 600
    landfall_speaker_frames_unanswered_total{interface="eth0",reason="no_question"} 0
    # HELP landfall_speaker_frames_claiming ARP and NDP frames by which another station claimed a VIP that is answered for here.
    # TYPE landfall_speaker_frames_claiming counter
    landfall_speaker_frames_claiming_total{interface="eth0"} 5
    # HELP landfall_speaker_peers Living speakers on its LAN.
    # TYPE landfall_speaker_peers gauge
    landfall_speaker_peers{interface="eth0"} 2
    # HELP landfall_speaker_heartbeats Heartbeats that could be read, ignored ones among them.
    # TYPE landfall_speaker_heartbeats counter
    landfall_speaker_heartbeats_total{interface="eth0"} 1000
    # HELP landfall_speaker_heartbeats_ignored Heartbeats that were not listened to, or claims in them, by why.
    # TYPE landfall_speaker_heartbeats_ignored counter
    landfall_speaker_heartbeats_ignored_total{interface="eth0",reason="foreign"} 0
    landfall_speaker_heartbeats_ignored_total{interface="eth0",reason="plain"} 0
    landfall_speaker_heartbeats_ignored_total{interface="eth0",reason="version"} 0
    landfall_speaker_heartbeats_ignored_total{interface="eth0",reason="short"} 0
    landfall_speaker_heartbeats_ignored_total{interface="eth0",reason="key"} 7
    landfall_speaker_heartbeats_ignored_total{interface="eth0",reason="malformed"} 0
    landfall_speaker_heartbeats_ignored_total{interface="eth0",reason="other_cluster"} 10
    landfall_speaker_heartbeats_ignored_total{interface="eth0",reason="echo"} 0
    landfall_speaker_heartbeats_ignored_total{interface="eth0",reason="namesake"} 0
    landfall_speaker_heartbeats_ignored_total{interface="eth0",reason="earlier_boot"} 0
    landfall_speaker_heartbeats_ignored_total{interface="eth0",reason="old_counter"} 0
    landfall_speaker_heartbeats_ignored_total{interface="eth0",reason="unproven"} 0
    landfall_speaker_heartbeats_ignored_total{interface="eth0",reason="too_many_peers"} 0
    landfall_speaker_heartbeats_ignored_total{interface="eth0",reason="too_many_vips"} 0
    # HELP landfall_speaker_frames_unread Frames that the kernel's queue had no room for, on their way in.
    # TYPE landfall_speaker_frames_unread counter
    landfall_speaker_frames_unread_total{interface="eth0"} 8
    # HELP landfall_speaker_frames_unsent Frames that the interface's queue had no room for, on their way out.
    # TYPE landfall_speaker_frames_unsent counter
    landfall_speaker_frames_unsent_total{interface="eth0"} 9
    # HELP landfall_speaker_conflicts_forgotten Addresses that foreign hosts use and that there was no room to remember once they were released.
    # TYPE landfall_speaker_conflicts_forgotten counter
    landfall_speaker_conflicts_forgotten_total{interface="eth0"} 10
    # EOF
    "#);
}

#[test]
fn a_speaker_that_has_not_reported_yet_is_not_eligible() {
    let (_sender, latest) = watch::channel(Arc::default());
    let text = page(&registry(Latest(latest)));
    assert!(text.contains("\nlandfall_speaker_eligible 0\n"), "{text}");
}
