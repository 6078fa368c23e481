//! The echo server behind test Services, as a program: see `landfall_sandbox::echo`.

use clap::Parser;

/// Answers every client with one line that names the pod, the node and both addresses.
#[derive(Parser)]
struct Args {
    /// The pod's name
    #[arg(long, default_value = "-")]
    pod: String,
    /// The node's name
    #[arg(long, default_value = "-")]
    node: String,
    /// A TCP port to serve; may be repeated
    #[arg(long)]
    tcp: Vec<u16>,
    /// A UDP port to serve; may be repeated
    #[arg(long)]
    udp: Vec<u16>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    landfall_sandbox::echo::serve(&args.pod, &args.node, &args.tcp, &args.udp)
}
