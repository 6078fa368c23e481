//! A LAN of namespaces: `node` and `client`, each with an `eth0` whose other end is on a bridge in `switch`.

use crate::capture::until;
use anyhow::{Context, Result, bail};
use landfall_sandbox::Netns;
use std::{
    ops::Deref,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

pub const NODE_MAC: &str = "02:00:00:00:00:0a";
pub const CLIENT_MAC: &str = "02:00:00:00:00:0b";
/// Longer than anything here takes.
pub const LONG: Duration = Duration::from_secs(30);

/// A network namespace; it goes when this does, also in a panic.
pub struct Host(Netns);

impl Host {
    fn new(kind: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        assert!(nix::unistd::geteuid().is_root(), "network namespaces need root: run `make test`");
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let host = Self(Netns::named(format!("landfall-net-{}-{count}-{kind}", std::process::id())));
        run(Command::new("ip").args(["netns", "add", host.name()])).unwrap();
        host.ip("link set lo up");
        host
    }

    /// Runs a command line inside; its output when it succeeds, both streams of it.
    pub fn exec(&self, line: &str) -> Result<String> {
        let mut words = line.split_whitespace();
        let program = words.next().context("an empty command line")?;
        run(self.command(program).args(words))
    }

    /// Runs `ip` with the words of `line`, which must succeed; what it printed.
    pub fn ip(&self, line: &str) -> String {
        run(Command::new("ip").args(["-n", self.name()]).args(line.split_whitespace())).unwrap()
    }

    /// What `task` returns, in a runtime of one thread inside.
    pub fn block_on<T: Send>(&self, task: impl AsyncFnOnce() -> T + Send) -> T {
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        self.enter(|| runtime().block_on(task())).unwrap()
    }

    /// The index of an interface inside.
    pub fn index(&self, interface: &str) -> u32 {
        let line = self.ip(&format!("-o link show {interface}"));
        line.split(':').next().and_then(|index| index.parse().ok()).expect("ip begins with the index")
    }
}

impl Deref for Host {
    type Target = Netns;

    fn deref(&self) -> &Netns {
        &self.0
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        _ = Command::new("ip").args(["netns", "del", self.name()]).status();
    }
}

/// Two hosts and a switch.
pub struct Lan {
    pub switch: Host,
    pub node: Host,
    pub client: Host,
}

impl Lan {
    /// Up and quiet: the hosts detect no duplicates and seek no routers, and the switch has no addresses.
    pub fn new() -> Self {
        let lan = Self { switch: Host::new("switch"), node: Host::new("node"), client: Host::new("client") };
        lan.switch.sysctl(&[("ipv6/conf/default/disable_ipv6", "1")]).unwrap();
        lan.switch.ip("link add br0 type bridge");
        lan.switch.ip("link set br0 up");
        lan.plug(&lan.node, "eth0", "node", NODE_MAC, "1");
        lan.plug(&lan.client, "eth0", "client", CLIENT_MAC, "2");
        lan
    }

    /// Gives a host an interface on the switch, where its other end is `port`, with addresses that end in `n`.
    pub fn plug(&self, host: &Host, interface: &str, port: &str, mac: &str, n: &str) {
        host.sysctl(&[("ipv6/conf/default/accept_dad", "0"), ("ipv6/conf/default/router_solicitations", "0")]).unwrap();
        let other = self.switch.name();
        host.ip(&format!("link add {interface} address {mac} type veth peer name {port} netns {other}"));
        self.switch.ip(&format!("link set {port} master br0 up"));
        host.ip(&format!("link set {interface} up"));
        host.ip(&format!("addr add 198.51.100.{n}/24 dev {interface}"));
        host.ip(&format!("addr add 2001:db8::{n}/64 dev {interface}"));
        // The kernel's own comes once it has seen the other end.
        until("a link-local address", || {
            host.ip(&format!("-6 addr show dev {interface} scope link")).contains("fe80::")
        });
    }
}

/// Both streams of what it says when it succeeds.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{command:?}: {}: {text}", output.status);
    }
    Ok(text.into_owned())
}
