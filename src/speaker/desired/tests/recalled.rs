//! Tables that are made of what was known last.

use super::*;

/// Known last: two Services, of which one has `externalTrafficPolicy: Local` and an endpoint here, on an excluded node.
fn known() -> Inputs {
    inputs([
        node(Some(Exclusion::Label)),
        accepted(POOL),
        labelled("web", &[VIP, "2001:db8::1"], true, Labels::from([("app", "web")])),
        service("api", &["198.51.100.101"], false),
        slice("web-4", Family::V4, Some(Usable::Terminating)),
        slice("web-6", Family::V6, None),
    ])
}

/// A speaker that knows this, and has asked for the data path.
fn recalled(known: &Inputs) -> Inputs {
    let mut inputs = Inputs::default();
    inputs.recall(Inputs::from_text(&known.to_text().unwrap().unwrap()).unwrap());
    assert_eq!(inputs.desired(), None, "whether the data path is sound is not kept");
    inputs.apply(data_path());
    inputs
}

fn vips(inputs: &Inputs) -> Vec<String> {
    inputs.desired().unwrap().vips.keys().map(ToString::to_string).collect()
}

#[test]
fn a_table_is_the_same_from_what_was_kept_of_it() {
    let mut known = known();
    let mut recalled = recalled(&known);
    assert_eq!(recalled.desired(), known.desired());
    for inputs in [&mut known, &mut recalled] {
        inputs.apply(node(None));
        assert_eq!(here(inputs, VIP), Some(Ok(Tier::Second)));
    }
    assert_eq!(recalled.desired(), known.desired());
}

#[test]
fn that_an_address_was_announced_is_not_believed() {
    let vip: IpAddr = VIP.parse().unwrap();
    let service = Announced { announced: vec![vip], ..object(&[VIP]) };
    let known = inputs([node(None), accepted(POOL), Seen::Service(Change::Applied(service))]);
    let is_announced = |inputs: &Inputs| inputs.desired().unwrap().vips[&vip].announced;
    assert!(is_announced(&known));
    assert!(!is_announced(&recalled(&known)));
}

#[test]
fn whatever_the_watches_tell_goes_before_what_was_known_last() {
    let mut inputs = recalled(&known());
    inputs.apply(node(None));
    inputs.apply(Seen::Service(Change::Deleted(ObjectName { namespace: "shop".into(), name: "api".into() })));
    assert_eq!(vips(&inputs), [VIP, "2001:db8::1"], "before any list is complete");
    inputs.apply(service("new", &["198.51.100.102"], false));
    inputs.apply(Seen::Slice(Change::Synced));
    assert_eq!(here(&inputs, VIP), Some(Err(NotHere::NoLocalEndpoint)), "the slices are gone");
    inputs.apply(Seen::Service(Change::Synced));
    assert_eq!(vips(&inputs), ["198.51.100.102"], "and so is the other Service");
    assert!(!inputs.is_told());
    inputs.apply(Seen::Node(Change::Synced));
    inputs.apply(Seen::Accepted(Change::Synced));
    assert!(inputs.is_told());
    assert_eq!(inputs.desired().unwrap().off(), None);
}

#[test]
fn what_was_told_already_is_not_recalled() {
    let mut inputs = Inputs::default();
    for seen in [service("web", &["198.51.100.103"], false), Seen::Slice(Change::Synced), node(None), data_path()] {
        inputs.apply(seen);
    }
    inputs.recall(known());
    assert_eq!(vips(&inputs), ["198.51.100.101", "198.51.100.103"]);
    assert_eq!(inputs.desired().unwrap().off(), None);
}

#[test]
fn a_node_that_is_there_no_more_is_being_deleted() {
    let mut inputs = recalled(&known());
    inputs.apply(Seen::Node(Change::Synced));
    assert_eq!(inputs.desired().unwrap().off(), Some(NotHere::Excluded(Exclusion::Deleting)));
}

#[test]
fn of_a_text_that_is_not_understood_it_is_said_why() {
    let text = inputs([node(None), accepted(POOL)]).to_text().unwrap().unwrap();
    let text = String::from_utf8(text).unwrap();
    for (bad, why) in [
        (text[..text.len() / 2].to_owned(), "EOF"),
        (String::new(), "EOF"),
        (text.replace("\"format\":1", "\"format\":2"), "its format is 2, and this version knows 1"),
        (text.replace("pools: ", "pulls: "), "pulls"),
    ] {
        let error = Inputs::from_text(bad.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert!(Inputs::from_text(text.as_bytes()).is_ok());
    assert!(Inputs::default().to_text().unwrap().is_none());
}
