//! A speaker's container has one capability: it must suffice.

use crate::lan::Lan;
use landfall::net::{Groups, PacketSocket, links};
use std::process::Command;

const CHILD: &str = "LANDFALL_TEST_NET_RAW_ALONE";

/// The test runs itself again, as the container runs a speaker: root by number, with NET_RAW alone.
#[test]
fn net_raw_alone_suffices() {
    if std::env::var_os(CHILD).is_some() {
        return child();
    }
    let lan = Lan::new();
    let exe = std::env::current_exe().unwrap();
    let output = Command::new("ip")
        .args(["netns", "exec", lan.node.name(), "setpriv", "--no-new-privs"])
        .args(["--bounding-set=-all,+net_raw", "--inh-caps=-all", "--ambient-caps=-all"])
        .arg(exe)
        .args(["--exact", "capabilities::net_raw_alone_suffices", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("everything works"), "{text}");
}

fn child() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap().trim();
    assert_eq!(u64::from_str_radix(effective, 16).unwrap(), 1 << 13, "CAP_NET_RAW is number 13");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let table = links().await.unwrap().changed().await.unwrap();
        let eth0 = table.values().find(|link| link.name == "eth0").unwrap();
        PacketSocket::open(eth0.index).unwrap();
        Groups::default().join(eth0.index, "2001:db8::100".parse().unwrap()).unwrap();
    });
    println!("everything works");
}
