//! A host on the nodes' network that is no node: a container that sleeps, and its network namespace under a name, in which
//! tests open sockets and run curl.

use crate::{command, node::Node};
use anyhow::{Context, Result, bail, ensure};
use landfall_bench::lan::{Asker, inside};
use landfall_sandbox::{Client, Member, Netns, wait_for};
use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    ops::Deref,
    time::Duration,
};

const NAME: &str = "landfall-client";
/// An answer on an idle network takes far less than a millisecond.
const ANSWER: Duration = Duration::from_millis(200);

/// The client host; derefs to the library's [`Client`]. Gone when it is dropped.
#[derive(Debug)]
pub struct Host(Client);

impl Host {
    /// Starts it, from the image of `node`, which is at hand and has `sleep`.
    ///
    /// # Errors
    /// In docker's words.
    pub fn start(node: &Node) -> Result<Self> {
        remove();
        let image = command::run(&["docker", "inspect", "-f", "{{.Image}}", node.name()])?;
        let entry = ["--network", "kind", "--entrypoint", "sleep", image.trim(), "infinity"];
        command::run(&[&["docker", "run", "--detach", "--name", NAME], &entry[..]].concat())?;
        let inspect = |what: &str| -> Result<String> {
            let found = command::run(&["docker", "inspect", "-f", &format!("{{{{.{what}}}}}"), NAME])?;
            Ok(found.trim().to_owned())
        };
        command::run(&["ip", "netns", "attach", NAME, &inspect("State.Pid")?])?;
        let address = |key: &str| inspect(&format!("NetworkSettings.Networks.kind.{key}"));
        let member = Member {
            name: NAME.into(),
            ipv4: address("IPAddress")?.parse()?,
            ipv6: address("GlobalIPv6Address")?.parse().context("the network kind has no IPv6")?,
        };
        Ok(Self(Client::new(Netns::named(NAME), member)))
    }

    /// Its own address of that family.
    pub fn own(&self, family_of: IpAddr) -> IpAddr {
        if family_of.is_ipv4() { self.0.ipv4().into() } else { self.0.ipv6().into() }
    }

    /// All hardware addresses that answer one question for `vip`.
    ///
    /// # Errors
    /// Where the client cannot ask.
    pub fn answerers(&self, vip: IpAddr) -> Result<Vec<String>> {
        inside(&self.0, async || {
            let found = Asker::open().await?.answerers(vip, ANSWER).await?;
            Ok(found.iter().map(ToString::to_string).collect())
        })
    }

    /// Waits until exactly one of the nodes answers for `vip`, and returns it.
    ///
    /// # Errors
    /// Who answers.
    pub fn owner(&self, vip: IpAddr, nodes: &[Node]) -> Result<Node> {
        wait_for(&format!("one node to answer for {vip}"), Duration::from_secs(60), || {
            let found = self.answerers(vip)?;
            ensure!(found.len() == 1, "{found:?} answer");
            match nodes.iter().find(|node| node.mac().eq_ignore_ascii_case(&found[0])) {
                Some(node) => Ok(node.clone()),
                None => bail!("{} is no node's", found[0]),
            }
        })
    }

    /// Fetches a URL until there is an answer.
    ///
    /// # Errors
    /// In curl's words.
    pub fn fetch(&self, options: &[&str], url: &str) -> Result<String> {
        wait_for(&format!("an answer of {url}"), Duration::from_secs(60), || self.0.curl_with(options, url))
    }

    /// Sends a datagram until one comes back, and returns that.
    ///
    /// # Errors
    /// Where none comes.
    pub fn datagram(&self, target: SocketAddr, text: &str) -> Result<String> {
        wait_for(&format!("a datagram from {target}"), Duration::from_secs(60), || {
            let socket = self.0.enter(|| UdpSocket::bind(SocketAddr::new(self.own(target.ip()), 0)))??;
            socket.set_read_timeout(Some(Duration::from_secs(1)))?;
            socket.send_to(text.as_bytes(), target)?;
            let mut buffer = [0; 1500];
            let (n, from) = socket.recv_from(&mut buffer)?;
            ensure!(from == target, "{from} answers");
            Ok(String::from_utf8_lossy(&buffer[..n]).into_owned())
        })
    }
}

impl Deref for Host {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.0
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        remove();
    }
}

/// Removes it, also one that an earlier run has left; what is not there does not matter.
fn remove() {
    let _ = command::run(&["ip", "netns", "delete", NAME]);
    let _ = command::run(&["docker", "rm", "--force", NAME]);
}
