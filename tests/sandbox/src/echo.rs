//! The echo server behind test Services: it tells who answered, where, and for whom.
//!
//! One line, on TCP after the client's first bytes, on UDP per datagram, and as the body of an answer to an HTTP request:
//! `pod=web-1 node=n2 local=10.244.2.3:8080 peer=198.51.100.200:40312 probe=17`. The last word is the client's own first word
//! (of an HTTP request, its path), so that an answer can be matched to its question. `echo 17` asks the same as `17`: so one
//! question suits Kubernetes' own `agnhost netexec` too.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};

/// How long a client of a connection may say nothing: some keep one open while a whole update goes on.
const SILENT: Duration = Duration::from_secs(120);

/// What the echo server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The pod that answered.
    pub pod: String,
    /// Its node.
    pub node: String,
    /// The address at which it was asked.
    pub local: SocketAddr,
    /// The address by which it saw the client.
    pub peer: SocketAddr,
    /// The client's first word, or its HTTP request's path.
    pub probe: String,
}

impl Reply {
    /// Reads a line of the server.
    ///
    /// # Errors
    /// Names what is missing.
    pub fn parse(line: &str) -> Result<Reply> {
        let field = |name: &str| {
            let mut words = line.split_whitespace().filter_map(|word| word.split_once('='));
            let found = words.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
            found.with_context(|| format!("no {name}= in {line:?}"))
        };
        Ok(Reply {
            pod: field("pod")?,
            node: field("node")?,
            local: field("local")?.parse()?,
            peer: field("peer")?.parse()?,
            probe: field("probe")?,
        })
    }
}

/// Serves the ports in both families until the process ends.
///
/// # Errors
/// When a port cannot be bound.
pub fn serve(pod: &str, node: &str, tcp: &[u16], udp: &[u16]) -> Result<()> {
    let name = format!("pod={pod} node={node}");
    let any = |port: &u16| SocketAddr::from((Ipv6Addr::UNSPECIFIED, *port));
    let mut threads = Vec::new();
    for port in tcp {
        let listener = TcpListener::bind(any(port)).with_context(|| format!("cannot listen on TCP port {port}"))?;
        let name = name.clone();
        threads.push(thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let name = name.clone();
                // A client that goes away is no error of ours.
                thread::spawn(move || drop(answer_stream(stream, &name)));
            }
        }));
    }
    for port in udp {
        let socket = UdpSocket::bind(any(port)).with_context(|| format!("cannot bind UDP port {port}"))?;
        let name = name.clone();
        threads.push(thread::spawn(move || answer_datagrams(&socket, &name)));
    }
    for thread in threads {
        let _ = thread.join();
    }
    Ok(())
}

fn answer_stream(mut stream: TcpStream, name: &str) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENT))?;
    let mut buffer = [0; 4096];
    let n = stream.read(&mut buffer)?;
    let asked = String::from_utf8_lossy(&buffer[..n]).into_owned();
    let request = asked.lines().next().and_then(|first| first.split_once(' ')?.1.split_once(" HTTP/1."));
    let probe = request.map_or(asked.as_str(), |(path, _)| path);
    let line = line(name, stream.local_addr()?, stream.peer_addr()?, probe);
    if request.is_some() {
        let length = line.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        )?;
    }
    stream.write_all(line.as_bytes())
}

fn answer_datagrams(socket: &UdpSocket, name: &str) {
    let mut buffer = [0; 2048];
    loop {
        // An error here is an ICMP message about an earlier answer.
        let Ok((n, peer)) = socket.recv_from(&mut buffer) else { continue };
        let asked = String::from_utf8_lossy(&buffer[..n]).into_owned();
        let local = local_address(socket, peer);
        let _ = socket.send_to(line(name, local, peer, &asked).as_bytes(), peer);
    }
}

/// The address that the kernel answers `peer` from: a pod has one per family.
fn local_address(socket: &UdpSocket, peer: SocketAddr) -> SocketAddr {
    let port = socket.local_addr().map_or(0, |address| address.port());
    let route = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).and_then(|probe| {
        probe.connect(peer)?;
        probe.local_addr()
    });
    SocketAddr::new(route.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |address| address.ip()), port)
}

fn line(name: &str, local: SocketAddr, peer: SocketAddr, asked: &str) -> String {
    // IPv4 through an IPv6 socket appears as a mapped address.
    let plain = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    let probe = asked.strip_prefix("echo ").unwrap_or(asked).split_whitespace().next().unwrap_or("-");
    format!("{name} local={} peer={} probe={probe}\n", plain(local), plain(peer))
}

#[cfg(test)]
mod tests {
    use super::{Reply, line};

    #[test]
    fn a_reply_is_read_as_it_was_written() {
        let line = line(
            "pod=web node=n1",
            "[::ffff:10.244.1.2]:80".parse().unwrap(),
            "[2001:db8::200]:40000".parse().unwrap(),
            "echo 17 more",
        );
        let reply = Reply::parse(&line).unwrap();
        assert_eq!((reply.pod.as_str(), reply.node.as_str(), reply.probe.as_str()), ("web", "n1", "17"));
        assert_eq!(reply.local, "10.244.1.2:80".parse().unwrap());
        assert_eq!(reply.peer, "[2001:db8::200]:40000".parse().unwrap());
        assert!(Reply::parse("pod=web").is_err());
    }
}
