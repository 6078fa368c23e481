//! What the client host on the LAN sees: answers, and which node gives them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use landfall_sandbox::wait_for;

use crate::lab::{Lab, PATIENCE, report};

/// An address as a URL has it.
pub fn host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

impl Lab {
    /// Waits until the client's curl is answered, and returns the answer.
    pub fn wait_answer(&self, options: &[&str], url: &str) -> String {
        let options = [&["--connect-timeout", "0.5"], options].concat();
        wait_for(&format!("an answer from {url}"), PATIENCE, || self.sandbox.client().curl_with(&options, url)).unwrap()
    }

    /// The same, and says how long after `since` it came.
    pub fn first_answer(&self, what: &str, since: Instant, options: &[&str], url: &str) -> String {
        let answer = self.wait_answer(options, url);
        report(&format!("{what}: kubectl apply to the first answer from {url}"), since.elapsed());
        answer
    }

    /// Sends a datagram from the client and waits for what comes back.
    pub fn wait_udp(&self, to: SocketAddr, text: &str) -> String {
        let ask = || -> Result<String> {
            let from: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
            let socket = UdpSocket::bind((from, 0))?;
            socket.set_read_timeout(Some(Duration::from_millis(500)))?;
            socket.send_to(text.as_bytes(), to)?;
            let mut buffer = [0; 1500];
            let (length, _) = socket.recv_from(&mut buffer)?;
            Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
        };
        wait_for(&format!("a datagram from {to}"), PATIENCE, || self.sandbox.client().enter(ask)?).unwrap()
    }

    /// The nodes that answer when the client asks the whole LAN for an address.
    pub fn answerers(&self, vip: IpAddr) -> BTreeSet<String> {
        let (client, vip) = (self.sandbox.client(), vip.to_string());
        let mut ask = if vip.contains(':') {
            let mut ndisc6 = client.command("ndisc6");
            ndisc6.args(["-m", "-r", "2", "-w", "500", &vip, "eth0"]);
            ndisc6
        } else {
            let mut arping = client.command("arping");
            arping.args(["-b", "-c", "2", "-w", "2", "-I", "eth0", &vip]);
            arping
        };
        // The exit status tells that nobody answered: for us an answer too.
        let said = ask.output().unwrap().stdout;
        let nodes = self.sandbox.nodes();
        let macs: BTreeMap<String, &str> =
            nodes.iter().map(|node| (node.mac().unwrap().to_lowercase(), node.name())).collect();
        let said = String::from_utf8_lossy(&said).to_lowercase();
        let words = said.split(|c: char| c.is_whitespace() || c == '[' || c == ']');
        words.filter_map(|word| macs.get(word)).map(ToString::to_string).collect()
    }

    /// Waits until exactly one node answers for an address, and returns it.
    pub fn owner(&self, vip: IpAddr) -> String {
        self.wait_owner(vip, |_| true)
    }

    /// The node that the client's neighbour table has for an address just now.
    pub fn neighbour(&self, vip: IpAddr) -> Option<String> {
        let mac = self.sandbox.client().neigh(vip).unwrap()?;
        self.sandbox.node_with_mac(&mac).ok().map(|node| node.name().to_owned())
    }

    /// Waits until the one node that answers for an address is as `check` wants it, and returns it.
    pub fn wait_owner(&self, vip: IpAddr, check: impl Fn(&String) -> bool) -> String {
        wait_for(&format!("the one right node to answer for {vip}"), PATIENCE, || {
            let mut answerers = self.answerers(vip);
            ensure!(answerers.len() == 1 && answerers.iter().all(&check), "these answer: {answerers:?}");
            answerers.pop_first().context("nobody answers")
        })
        .unwrap()
    }

    /// Waits until nobody answers for an address.
    pub fn wait_silence(&self, vip: IpAddr) {
        wait_for(&format!("nobody to answer for {vip}"), PATIENCE, || {
            let answerers = self.answerers(vip);
            ensure!(answerers.is_empty(), "these answer: {answerers:?}");
            Ok(())
        })
        .unwrap()
    }

    /// Waits until the client's neighbour table has a node for an address that is as `check` wants it.
    pub fn wait_neighbour(&self, vip: IpAddr, check: impl Fn(&str) -> bool) -> String {
        wait_for(&format!("the client's neighbour table to change for {vip}"), PATIENCE, || {
            let node = self.neighbour(vip).context("it has no node for it")?;
            ensure!(check(&node), "it has {node}");
            Ok(node)
        })
        .unwrap()
    }
}
