//! A network namespace: the sandbox's unit of "a machine of its own". Commands run in it as processes, closures as threads
//! that move there; nothing but its own interfaces, addresses and rules can be seen from inside.

use std::{
    collections::HashSet,
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};
use nix::{
    sched::{CloneFlags, setns},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::command;

/// A named network namespace, as `ip netns` knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Netns(String);

impl Netns {
    /// The namespace of that name, whether it exists already or not.
    pub fn named(name: impl Into<String>) -> Netns {
        Netns(name.into())
    }

    /// Its name, as in `ip netns exec NAME`.
    pub fn name(&self) -> &str {
        &self.0
    }

    fn path(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(&self.0)
    }

    /// Whether it exists.
    pub fn exists(&self) -> bool {
        self.path().exists()
    }

    /// A command that will run inside; the caller adds arguments and starts it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]);
        command
    }

    /// Runs a command inside to its end and returns its standard output.
    ///
    /// # Errors
    /// When it cannot be started or fails; the message has its standard error.
    pub fn exec(&self, argv: &[&str]) -> Result<String> {
        let (program, arguments) = argv.split_first().context("an empty command")?;
        command::output(self.command(program).args(arguments))
    }

    /// Runs `ip -batch` inside: one command of iproute2 a line, without the leading `ip`.
    ///
    /// # Errors
    /// When a line fails; those after it have not been run.
    pub fn ip(&self, lines: &str) -> Result<()> {
        command::with_input(Command::new("ip").args(["-n", &self.0, "-batch", "-"]), lines)
            .with_context(|| format!("ip in namespace {}", self.0))
            .map(drop)
    }

    /// Runs `work` on a thread inside the namespace and waits for it: sockets that it opens stay there for good.
    ///
    /// # Errors
    /// When the namespace cannot be entered (it is gone, or the caller is not root).
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| self.move_thread().map(|()| work()));
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Like [`Netns::enter`], without waiting.
    pub fn spawn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<Result<T>> {
        let namespace = self.clone();
        thread::spawn(move || namespace.move_thread().map(|()| work()))
    }

    fn move_thread(&self) -> Result<()> {
        let file = File::open(self.path()).with_context(|| format!("there is no network namespace {}", self.0))?;
        setns(file, CloneFlags::CLONE_NEWNET)
            .with_context(|| format!("cannot enter network namespace {}: is this root?", self.0))
    }

    /// Sets `/proc/sys/net` values, given as paths below it.
    ///
    /// # Errors
    /// Names the path that could not be written.
    pub fn sysctl(&self, values: &[(&str, &str)]) -> Result<()> {
        self.enter(|| values.iter().try_for_each(|(path, value)| self.set(path, value)))?
    }

    /// The same, for what only some kernels have.
    pub fn sysctl_if_any(&self, values: &[(&str, &str)]) -> Result<()> {
        self.enter(|| {
            let present = values.iter().filter(|(path, _)| Path::new("/proc/sys/net").join(path).exists());
            present.into_iter().try_for_each(|(path, value)| self.set(path, value))
        })?
    }

    fn set(&self, path: &str, value: &str) -> Result<()> {
        fs::write(Path::new("/proc/sys/net").join(path), value)
            .with_context(|| format!("cannot set net/{path} to {value} in {}", self.0))
    }
}

/// Creates namespaces in one go, each with its loopback interface up.
pub(crate) fn create(namespaces: &[Netns]) -> Result<()> {
    let add: String = namespaces.iter().map(|n| format!("netns add {}\n", n.0)).collect();
    command::with_input(Command::new("ip").args(["-batch", "-"]), &add).context("cannot create network namespaces")?;
    Ok(())
}

/// The existing namespaces whose names begin with `prefix`.
pub(crate) fn with_prefix(prefix: &str) -> Vec<Netns> {
    let names = fs::read_dir("/run/netns").into_iter().flatten().flatten();
    names.filter_map(|e| e.file_name().into_string().ok()).filter(|n| n.starts_with(prefix)).map(Netns).collect()
}

/// The processes inside any of the namespaces, this one excepted.
fn processes(namespaces: &[Netns]) -> Vec<i32> {
    let inside: HashSet<(u64, u64)> =
        namespaces.iter().filter_map(|n| fs::metadata(n.path()).ok()).map(|m| (m.dev(), m.ino())).collect();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|e| e.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != std::process::id() as i32)
        .filter(|pid| fs::metadata(format!("/proc/{pid}/ns/net")).is_ok_and(|m| inside.contains(&(m.dev(), m.ino()))))
        .collect()
}

/// Ends the processes inside the namespaces and removes these; what is gone already does not matter.
pub(crate) fn remove(namespaces: &[Netns]) {
    // A few rounds: a process may be starting another while it is being ended.
    for _ in 0..50 {
        let left = processes(namespaces);
        if left.is_empty() {
            break;
        }
        for pid in left {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(10));
    }
    let lines: String = namespaces.iter().map(|n| format!("netns del {}\n", n.0)).collect();
    let _ = command::with_input(Command::new("ip").args(["-force", "-batch", "-"]), &lines);
}
