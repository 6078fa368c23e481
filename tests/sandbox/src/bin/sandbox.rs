//! A sandbox for work by hand: one terminal holds it up, others look around in it.

use std::{os::unix::process::CommandExt, path::PathBuf, process::Command, thread};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use landfall_sandbox::{Cluster, LandfallOptions, PodSpec, Sandbox, down, list, remove_orphans};

/// A real Kubernetes cluster on network namespaces of this machine.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Which sandbox, where several run (`sandbox status` lists them)
    #[arg(long, global = true)]
    id: Option<u32>,
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Brings a sandbox up, and takes it down on Ctrl-C
    Up {
        /// How many nodes
        #[arg(long, default_value_t = 3)]
        nodes: u8,
        /// Runs this Landfall binary on it
        #[arg(long, requires = "manifests")]
        landfall: Option<PathBuf>,
        /// The manifests to apply for it
        #[arg(long)]
        manifests: Option<PathBuf>,
    },
    /// Takes a sandbox down that another process holds up
    Down {
        /// Every sandbox of this machine, and what was left by killed ones
        #[arg(long)]
        all: bool,
    },
    /// Lists the sandboxes of this machine
    Status,
    /// Opens a shell, or runs a command, on a machine of the sandbox
    Shell {
        /// client, cp, lan, or a node
        #[arg(default_value = "client")]
        machine: String,
        /// What to run in place of a shell
        #[arg(trailing_var_arg = true)]
        command: Vec<String>,
    },
    /// Runs kubectl as administrator
    Kubectl {
        /// kubectl's arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Starts a pod and waits until it is ready
    AddPod {
        /// Its name, also its label `app`
        name: String,
        /// landfall-echo or nginx
        #[arg(long, default_value = "landfall-echo")]
        image: String,
        /// Its node
        #[arg(long)]
        node: Option<String>,
    },
    /// Pulls a node's cable
    Pull {
        /// The node
        node: String,
    },
    /// Plugs a node's cable in again
    Plug {
        /// The node
        node: String,
    },
}

fn main() -> Result<()> {
    let Args { id, command } = Args::parse();
    match command {
        Action::Up { nodes, landfall, manifests } => up(nodes, landfall.zip(manifests)),
        Action::Down { all } => take_down(id, all),
        Action::Status => {
            for state in list() {
                let owner = if state.owner.is_alive() { "held up by process" } else { "left by process" };
                println!(
                    "{}\t{} nodes\t{owner} {}\t{}",
                    state.id,
                    state.nodes,
                    state.owner.pid,
                    state.folder.display()
                );
            }
            Ok(())
        }
        Action::Shell { machine, command } => {
            let cluster = Cluster::attach(id)?;
            let shell = vec!["bash".to_owned()];
            let command = if command.is_empty() { shell } else { command };
            replace(
                cluster
                    .netns(&machine)?
                    .command(&command[0])
                    .args(&command[1..])
                    .env("KUBECONFIG", cluster.kubeconfig()),
            )
        }
        Action::Kubectl { arguments } => replace(Cluster::attach(id)?.kubectl_command().args(arguments)),
        Action::AddPod { name, image, node } => {
            let mut pod = match image.as_str() {
                "landfall-echo" => PodSpec::echo(&name),
                "nginx" => PodSpec::nginx(&name),
                _ => PodSpec::new(&name, &image),
            };
            if let Some(node) = node {
                pod = pod.on(&node);
            }
            let pod = Cluster::attach(id)?.add_pod(&pod)?;
            println!("pod {} is ready on {}: {:?}", pod.name, pod.node, pod.addresses);
            Ok(())
        }
        Action::Pull { node } => Cluster::attach(id)?.node(&node)?.pull_cable(),
        Action::Plug { node } => Cluster::attach(id)?.node(&node)?.plug_cable(),
    }
}

fn up(nodes: u8, landfall: Option<(PathBuf, PathBuf)>) -> Result<()> {
    let sandbox = Sandbox::builder().nodes(nodes).up()?;
    if let Some((binary, manifests)) = landfall {
        sandbox.start_landfall(&LandfallOptions::new(binary).manifests(&manifests))?;
    }
    println!("sandbox {} is up. From another terminal, as root:", sandbox.id());
    println!("  {0} kubectl get nodes\n  {0} shell client\nLogs: {1}/logs", own_name(), sandbox.folder().display());
    println!("Ctrl-C takes it down.");
    // The library's own handler takes the sandbox down on a signal and ends the process.
    loop {
        thread::park();
    }
}

fn take_down(id: Option<u32>, all: bool) -> Result<()> {
    for orphan in remove_orphans()? {
        println!("sandbox {orphan} had no owner any more: removed");
    }
    let mut states = list();
    if !all {
        let one = Cluster::attach(id)?.id();
        states.retain(|state| state.id == one);
    }
    for state in &states {
        down(state)?;
        println!("sandbox {} is down", state.id);
    }
    Ok(())
}

/// Becomes that command.
fn replace(command: &mut Command) -> Result<()> {
    let error = command.exec();
    Err(error).with_context(|| format!("cannot run {}", command.get_program().to_string_lossy()))
}

fn own_name() -> String {
    std::env::args().next().unwrap_or_else(|| "sandbox".to_owned())
}
