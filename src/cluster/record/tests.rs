use super::{
    parts::{Whole, split},
    *,
};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;

fn ips(texts: &[&str]) -> Addresses {
    texts.iter().map(|text| text.parse::<IpAddr>().unwrap()).collect()
}

fn reason(reason: &str) -> Reason {
    Reason { reason: reason.into(), message: format!("the words of {reason}") }
}

fn record() -> Record {
    let eth0 = Interface {
        mac: "02:00:00:00:00:01".into(),
        addresses: vec!["198.51.100.11/24".parse().unwrap(), "2001:db8::11/64".parse().unwrap()],
        unfit: None,
        owned: ips(&["198.51.100.100", "198.51.100.101", "2001:db8::100", "198.51.100.7"]),
        moves: vec![Move {
            at: "2026-11-24T12:00:00Z".parse().unwrap(),
            why: Cause::Dead,
            from: Some("n2".into()),
            unheard: Some(Unheard { found_dead_ms: 310, claimed_ms: 330 }),
            vips: ips(&["198.51.100.100"]),
        }],
        peers: vec!["n3".into()],
        unheard: vec!["n3".into()],
        conflicts: Vec::new(),
    };
    let eth1 = Interface { mac: "02:00:00:00:00:02".into(), unfit: Some(reason("NoCarrier")), ..Interface::default() };
    Record {
        format: FORMAT,
        version: "1.2.3".into(),
        unable: Vec::new(),
        warnings: vec![reason("StrictArpOff")],
        interfaces: [("eth0".into(), eth0), ("eth1".into(), eth1)].into(),
        unanswered: vec![Unanswered { why: reason("NoLocalEndpoint"), vips: ips(&["203.0.113.7"]) }],
    }
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let text = record().encode();
    let expected = json!({
        "format": 1, "version": "1.2.3",
        "warnings": [{"reason": "StrictArpOff", "message": "the words of StrictArpOff"}],
        "interfaces": {
            "eth0": {
                "mac": "02:00:00:00:00:01", "addresses": ["198.51.100.11/24", "2001:db8::11/64"],
                "owned": ["198.51.100.7", "198.51.100.100-198.51.100.101", "2001:db8::100"],
                "moves": [{
                    "at": "2026-11-24T12:00:00Z", "why": "Dead", "from": "n2", "vips": ["198.51.100.100"],
                    "unheard": {"foundDeadMs": 310, "claimedMs": 330}
                }],
                "peers": ["n3"], "unheard": ["n3"]
            },
            "eth1": {
                "mac": "02:00:00:00:00:02", "addresses": [], "peers": [],
                "unfit": {"reason": "NoCarrier", "message": "the words of NoCarrier"}
            }
        },
        "unanswered": [{"reason": "NoLocalEndpoint", "message": "the words of NoLocalEndpoint", "vips": ["203.0.113.7"]}]
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), expected);
    assert_eq!(Record::decode(&text).unwrap(), record());
}

#[test]
fn what_a_newer_speaker_adds_is_passed_over() {
    let mut newer: serde_json::Value = serde_json::from_str(&record().encode()).unwrap();
    newer["conflicts"] = json!([{"vip": "198.51.100.7", "mac": "02:00:00:00:00:09"}]);
    newer["interfaces"]["eth0"]["speed"] = json!(1000);
    newer["interfaces"]["eth0"]["moves"][0]["why"] = json!("SomethingNew");
    let read = Record::decode(&newer.to_string()).unwrap();
    let mut expected = record();
    expected.interfaces.get_mut("eth0").unwrap().moves[0].why = Cause::Unknown;
    assert_eq!(read, expected);
}

#[test]
fn what_an_older_speaker_wrote_is_read() {
    let older = json!({"version": "0.1.0", "excluded": "the node is labelled", "interfaces": {"eth0": {
        "mac": "02:00:00:00:00:01", "addresses": ["198.51.100.11"], "owned": ["198.51.100.100"], "peers": ["n3"]
    }}});
    let read = Record::decode(&older.to_string()).unwrap();
    assert_eq!(read.format, 0);
    assert_eq!(read.owned(), ips(&["198.51.100.100"]));
    assert_eq!(read.interfaces["eth0"].addresses, ["198.51.100.11/32".parse().unwrap()]);
}

#[test]
fn a_format_that_is_too_new_is_told_from_nonsense() {
    let newer = json!({"format": FORMAT + 1, "interfaces": "who knows"}).to_string();
    assert!(matches!(Record::decode(&newer), Err(Unreadable::Newer(format)) if format == FORMAT + 1));
    for text in ["", "{", "7", r#"{"format": 1, "interfaces": {"eth0": {"owned": ["nonsense"]}}}"#] {
        assert!(matches!(Record::decode(text), Err(Unreadable::Malformed(_))), "{text}");
    }
}

#[test]
fn ten_thousand_addresses_stay_small() {
    let with = |vips: Addresses| {
        let eth0 = Interface { owned: vips, ..Interface::default() };
        Record { interfaces: [("eth0".into(), eth0)].into(), ..Record::default() }.encode().len()
    };
    let number = |number: u32| IpAddr::from(std::net::Ipv4Addr::from_bits(0xc633_0000 + number));
    assert!(with((0..10_000).map(number).collect()) < 300);
    // Every third of them, which is what a node has of three: nothing is next to anything.
    let scattered = with((0..30_000).step_by(3).map(number).collect());
    assert!(scattered < parts::LONGEST / 2, "{scattered}");
}

#[test]
fn the_latest_move_counts_and_an_addresses_own_reason_comes_first() {
    let mut record = record();
    let vip = "198.51.100.100".parse().unwrap();
    let mut eth0 = record.interfaces["eth0"].clone();
    eth0.moves[0].at = "2026-11-24T12:00:01Z".parse().unwrap();
    eth0.moves[0].from = Some("n3".into());
    record.interfaces.insert("eth9".into(), eth0);
    assert_eq!(record.latest_move(vip).and_then(|came| came.from.as_deref()), Some("n3"));
    assert_eq!(record.latest_move("198.51.100.7".parse().unwrap()), None);

    let local = "203.0.113.7".parse().unwrap();
    assert_eq!(record.why_not(local), Some(&reason("NoLocalEndpoint")));
    assert_eq!(record.why_not(vip), None);
    record.unable.push(reason("ExcludedByLabel"));
    assert_eq!(record.why_not(local), Some(&reason("NoLocalEndpoint")));
    assert_eq!(record.why_not(vip), Some(&reason("ExcludedByLabel")));
}

/// The part as the API server stores it and the watch shows it.
fn stored(part: &Part, version: u64) -> Part {
    let object =
        json!({"metadata": {"name": part.name(), "resourceVersion": version.to_string()}, "data": part.data()});
    Part::new(serde_json::from_value::<ConfigMap>(object).unwrap()).unwrap()
}

#[test]
fn parts_are_a_text_again_in_whatever_order_they_come() {
    let text: String = ('a'..='z').chain('ä'..='ü').collect();
    for longest in [7, 8, 20, 100] {
        let parts = split("n1.example", &text, longest);
        assert!(parts.len() >= text.len().div_ceil(longest), "{longest}");
        assert!(parts.iter().all(|part| part.text.len() <= longest));
        for first in 0..parts.len() {
            let mut assembly = Assembly::default();
            let order = (first..parts.len()).chain((0..first).rev());
            let whole: Vec<_> = order.filter_map(|index| assembly.put(stored(&parts[index], index as u64))).collect();
            assert_eq!(whole, [(text.clone(), parts.len() as u64 - 1)], "{longest}, from {first}");
        }
    }
}

#[test]
fn parts_of_two_texts_are_none() {
    let (old, new) = (split("n1", "aaaabbbbcc", 4), split("n1", "aaaabbbbdd", 4));
    let mut assembly = Assembly::default();
    let put = |assembly: &mut Assembly, part| assembly.put(stored(part, 1)).map(|(text, _)| text);
    assert_eq!(put(&mut assembly, &old[2]), None);
    assert_eq!(put(&mut assembly, &old[0]), None);
    assert_eq!(put(&mut assembly, &new[1]), None);
    assert_eq!(put(&mut assembly, &new[0]), None);
    assert_eq!(put(&mut assembly, &new[2]).as_deref(), Some("aaaabbbbdd"));
    // A text of one part needs no other; what a longer one has left is passed over.
    let short = split("n1", "e", 4);
    assert_eq!(put(&mut assembly, &short[0]).as_deref(), Some("e"));
    let left = Part { node: "n1".into(), index: 1, whole: short[0].whole, ..Part::default() };
    assert_eq!(put(&mut assembly, &left), None);
}

#[test]
fn whose_a_part_is_its_name_says() {
    for (name, node, index) in [
        ("n1", "n1", 0),
        ("n1.part-1", "n1", 1),
        ("198.51.100.11.part-15", "198.51.100.11", 15),
        ("n1.part-1.part-2", "n1.part-1", 2),
    ] {
        assert_eq!(parts::parse_name(name), Some((node.to_owned(), index)), "{name}");
        let part = Part { node: node.into(), index, whole: Whole { parts: 16, digest: 1 }, ..Part::default() };
        assert_eq!(part.name(), name);
    }
    for name in ["n1.part-0", "n1.part-16", "n1.part-x", "n1.part-"] {
        assert_eq!(parts::parse_name(name), None, "{name}");
    }
}

#[test]
fn what_is_no_part_of_a_record_is_none() {
    for object in [
        json!({"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": "..."}}),
        json!({"metadata": {"name": "n1.part-x"}, "data": {"status": "{}"}}),
        json!({"metadata": {"name": "n1"}, "data": {"status": "{}", "whole": "nonsense"}}),
    ] {
        assert_eq!(Part::new(serde_json::from_value::<ConfigMap>(object.clone()).unwrap()), None, "{object}");
    }
}

#[test]
fn a_record_goes_with_its_first_part() {
    let mut assembly = Assembly::default();
    assert_eq!(assembly.remove("n1.part-1"), None);
    assert_eq!(assembly.remove("n1").as_deref(), Some("n1"));
    let parts = split("n1", "aaaabb", 4);
    assembly.put(stored(&parts[0], 1));
    assembly.remove("n1");
    assert_eq!(assembly.put(stored(&parts[1], 1)), None);
}

#[test]
fn a_conflict_is_written_and_read() {
    let conflict =
        Conflict { vip: "198.51.100.100".parse().unwrap(), mac: "02:00:00:00:00:66".into(), phase: Phase::Probe };
    let eth0 = Interface { conflicts: vec![conflict], ..Interface::default() };
    let record = Record { interfaces: [("eth0".into(), eth0)].into(), ..Record::default() };
    let text = record.encode();
    assert!(
        text.contains(r#""conflicts":[{"vip":"198.51.100.100","mac":"02:00:00:00:00:66","phase":"probe"}]"#),
        "{text}"
    );
    assert_eq!(Record::decode(&text).unwrap(), record);
    // What a newer version finds in some other way was found later than by a probe.
    let newer = Record::decode(&text.replace(r#""probe""#, r#""rumour""#)).unwrap();
    assert_eq!(newer.conflicts().next().unwrap().1.phase, Phase::Watch);
}
