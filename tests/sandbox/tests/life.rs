//! A sandbox takes nothing from another, and leaves nothing behind, however it ends. Needs root: `make test` runs it.

use std::{
    fs,
    io::{BufRead, BufReader},
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use landfall_sandbox::{PodSpec, Sandbox, list, remove_orphans, wait_for};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// What there is of a sandbox on the machine.
struct Traces {
    id: u32,
    folder: PathBuf,
    pids: Vec<u32>,
}

impl Traces {
    fn of(sandbox: &Sandbox) -> Traces {
        let pids = sandbox.processes().iter().filter_map(|process| process.pid()).collect();
        Traces { id: sandbox.id(), folder: sandbox.folder().to_owned(), pids }
    }

    fn namespaces(&self) -> usize {
        let prefix = format!("lf-{}-", self.id);
        let names = fs::read_dir("/run/netns").into_iter().flatten().flatten();
        names.filter(|name| name.file_name().to_string_lossy().starts_with(&prefix)).count()
    }

    fn assert_present(&self) {
        assert!(self.namespaces() > 0 && self.folder.exists() && !self.pids.is_empty());
        assert!(list().iter().any(|state| state.id == self.id));
    }

    /// Its processes that are still there; one that nobody has waited for yet is not.
    fn running(&self) -> Vec<u32> {
        let state = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let runs = |pid: &&u32| state(pid).rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'));
        self.pids.iter().filter(runs).copied().collect()
    }

    /// Everything is gone.
    fn gone(&self) -> Result<()> {
        ensure!(self.namespaces() == 0, "{} namespaces are left", self.namespaces());
        ensure!(!self.folder.exists(), "{} is left", self.folder.display());
        ensure!(list().iter().all(|state| state.id != self.id), "its state is left");
        let left = self.running();
        ensure!(left.is_empty(), "processes {left:?} are left");
        Ok(())
    }
}

#[test]
fn two_stand_side_by_side_and_end_one_by_one() {
    let one = Sandbox::builder().nodes(1).up().unwrap();
    let other = Sandbox::builder().nodes(1).up().unwrap();
    assert_ne!(one.id(), other.id());
    // The same names and addresses in both, and each sees its own.
    let here = one.add_pod(&PodSpec::echo("here").on("n1")).unwrap();
    let there = other.add_pod(&PodSpec::echo("there").on("n1")).unwrap();
    assert_eq!(here.addresses, there.addresses);
    let url = format!("http://{}:8080", there.addresses[0]);
    assert!(other.node("n1").unwrap().exec(&["curl", "-sS", &url]).unwrap().contains("pod=there"));
    assert!(one.node("n1").unwrap().exec(&["curl", "-sS", &url]).unwrap().contains("pod=here"));

    let traces = Traces::of(&one);
    traces.assert_present();
    drop(one);
    traces.gone().unwrap();
    assert!(other.kubectl(&["get", "pod", "there"]).unwrap().contains("Running"));
    let traces = Traces::of(&other);
    drop(other);
    traces.gone().unwrap();
}

#[test]
fn a_panic_takes_it_down() {
    let mut traces = None;
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let sandbox = Sandbox::builder().nodes(1).up().unwrap();
        sandbox.add_pod(&PodSpec::nginx("web")).unwrap();
        traces.insert(Traces::of(&sandbox)).assert_present();
        panic!("as a failed assertion would");
    }));
    assert!(panic.is_err());
    traces.unwrap().gone().unwrap();
}

#[test]
fn ctrl_c_takes_the_commands_sandbox_down() {
    let (mut running, traces) = start_command().unwrap();
    kill(Pid::from_raw(running.command.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(running.command.wait().unwrap().code(), Some(130));
    traces.gone().unwrap();
}

#[test]
fn what_a_killed_process_left_is_found_and_removed() {
    let (mut running, traces) = start_command().unwrap();
    running.command.kill().unwrap();
    running.command.wait().unwrap();
    // Its processes go with it, by the kernel's hand.
    wait_for("its processes to be gone", Duration::from_secs(10), || {
        let left = traces.running();
        ensure!(left.is_empty(), "{left:?} are left");
        Ok(())
    })
    .unwrap();
    assert!(traces.namespaces() > 0, "there is something to remove");
    assert!(remove_orphans().unwrap().contains(&traces.id));
    traces.gone().unwrap();
}

/// The command, and the pipe with its words, which it may go on to fill.
struct Running {
    command: Child,
    _words: BufReader<ChildStdout>,
}

/// Runs `sandbox up` until it says that it is.
fn start_command() -> Result<(Running, Traces)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
    let mut command = command.args(["up", "--nodes", "1"]).stdout(Stdio::piped()).spawn()?;
    let mut words = BufReader::new(command.stdout.take().context("a pipe")?);
    let mut line = String::new();
    words.read_line(&mut line)?;
    ensure!(line.contains("is up"), "it says {line:?}");
    let state = list().into_iter().find(|state| state.owner.pid == command.id()).context("it has no state")?;
    let mut pids = Vec::new();
    // Children belong to the thread that starts them.
    for task in fs::read_dir(format!("/proc/{}/task", command.id()))?.flatten() {
        let children = fs::read_to_string(task.path().join("children"))?;
        pids.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    let traces = Traces { id: state.id, folder: state.folder, pids };
    traces.assert_present();
    Ok((Running { command, _words: words }, traces))
}
