//! Takes sandboxes down, whatever happens: at the end of a test, in a panic, on Ctrl-C, and after the owner was killed.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex, MutexGuard, Once, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    netns,
    process::{Privileges, Process, Spec},
    state::{self, State},
};

/// The sandboxes of this process, for the signal handler.
static LIVE: Mutex<BTreeMap<u32, Arc<Resources>>> = Mutex::new(BTreeMap::new());

/// All that a sandbox has to give back, and the gate that closes when it does.
pub(crate) struct Resources {
    pub(crate) state: State,
    /// None: closed.
    processes: Mutex<Option<Vec<Process>>>,
    keep_folder: Mutex<bool>,
}

impl Resources {
    /// Registers a sandbox, so that it is taken down if this process is told to end.
    pub(crate) fn register(state: State) -> Arc<Resources> {
        static HANDLER: Once = Once::new();
        HANDLER.call_once(handle_signals);
        let resources =
            Arc::new(Resources { state, processes: Mutex::new(Some(Vec::new())), keep_folder: Mutex::new(false) });
        live().insert(resources.state.id, resources.clone());
        resources
    }

    /// Whether it has not been taken down.
    pub(crate) fn is_open(&self) -> bool {
        self.gate().is_some()
    }

    /// Runs `make` while the sandbox cannot be taken down; refused once it is being taken down.
    pub(crate) fn while_open<T>(&self, make: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut gate = self.gate();
        self.open(&mut gate)?;
        make()
    }

    /// Registers a process and starts it.
    pub(crate) fn start(&self, spec: Spec) -> Result<Process> {
        let process = self.add(spec)?;
        self.while_open(|| process.start())?;
        Ok(process)
    }

    /// Registers a process for the take-down, without starting it.
    pub(crate) fn add(&self, mut spec: Spec) -> Result<Process> {
        if spec.privileges != Privileges::All {
            self.bring_in(&mut spec)?;
        }
        let mut gate = self.gate();
        let processes = self.open(&mut gate)?;
        let process = Process::new(spec, &self.state.folder.join("logs"));
        processes.push(process.clone());
        Ok(process)
    }

    /// Copies a process's program into the sandbox's folder: without root's privileges it could not be reached in somebody's
    /// home. Nor does a build in the meantime change what a restart starts.
    fn bring_in(&self, spec: &mut Spec) -> Result<()> {
        let Some(program) = spec.argv.first_mut().filter(|program| program.starts_with('/')) else { return Ok(()) };
        let copy = self.state.folder.join("bin").join(program.trim_start_matches('/').replace('/', "-"));
        let mut gate = self.gate();
        self.open(&mut gate)?;
        if !copy.exists() {
            fs::copy(&*program, &copy).with_context(|| format!("cannot copy {program} to {}", copy.display()))?;
        }
        *program = copy.display().to_string();
        Ok(())
    }

    /// Forgets an ended process.
    pub(crate) fn forget(&self, process: &Process) {
        if let Some(processes) = self.gate().as_mut() {
            processes.retain(|other| !other.is_same(process));
        }
    }

    pub(crate) fn processes(&self) -> Vec<Process> {
        self.gate().clone().unwrap_or_default()
    }

    /// Keeps logs and data when it is taken down.
    pub(crate) fn keep_folder(&self) {
        *self.keep_folder.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    fn gate(&self) -> MutexGuard<'_, Option<Vec<Process>>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open<'a>(&self, gate: &'a mut Option<Vec<Process>>) -> Result<&'a mut Vec<Process>> {
        match gate {
            Some(processes) => Ok(processes),
            None => bail!("sandbox {} is being taken down", self.state.id),
        }
    }

    /// Ends everything and removes every trace; a second call waits for the first and does nothing.
    pub(crate) fn take_down(&self) {
        let mut gate = self.gate();
        let Some(processes) = gate.take() else { return };
        for process in processes.iter().rev() {
            process.kill();
        }
        sweep(&self.state, *self.keep_folder.lock().unwrap_or_else(PoisonError::into_inner));
        live().remove(&self.state.id);
    }
}

fn live() -> MutexGuard<'static, BTreeMap<u32, Arc<Resources>>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes what a sandbox has on the machine: processes inside its namespaces, the namespaces, its folder, its state.
fn sweep(state: &State, keep_folder: bool) {
    netns::remove(&netns::with_prefix(&state.prefix()));
    if !keep_folder {
        let _ = fs::remove_dir_all(&state.folder);
    }
    state.remove();
}

/// Removes sandboxes whose owner is gone, and returns their numbers.
///
/// # Errors
/// When the folder of sandboxes cannot be locked: this is not root.
pub fn remove_orphans() -> Result<Vec<u32>> {
    let _lock = state::lock()?;
    let states = state::list();
    let orphans: Vec<&State> = states.iter().filter(|state| !state.owner.is_alive()).collect();
    orphans.iter().for_each(|state| sweep(state, false));
    // A namespace that could not be removed with its sandbox. States are made before namespaces and removed after them.
    let known = |id: u32| states.iter().any(|state| state.id == id);
    let mut strays = netns::with_prefix("lf-");
    strays.retain(|namespace| state::number_of(namespace).is_some_and(|id| !known(id)));
    if !strays.is_empty() {
        netns::remove(&strays);
    }
    Ok(orphans.iter().map(|state| state.id).collect())
}

/// Asks a sandbox's owner to take it down and end, and waits until it has.
///
/// # Errors
/// When it is still there after half a minute.
pub fn down(state: &State) -> Result<()> {
    if state.owner.pid == std::process::id() {
        bail!("sandbox {} belongs to this process: drop it", state.id);
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    if state.owner.is_alive() {
        kill(Pid::from_raw(state.owner.pid as i32), Signal::SIGTERM)?;
    }
    while state.owner.is_alive() && state::list().iter().any(|s| s.id == state.id && s.owner == state.owner) {
        if Instant::now() > deadline {
            bail!("process {} did not take sandbox {} down within 30 s", state.owner.pid, state.id);
        }
        thread::sleep(Duration::from_millis(20));
    }
    remove_orphans().map(drop)
}

/// From now on SIGINT, SIGTERM and SIGHUP take all sandboxes of this process down before it ends.
fn handle_signals() {
    thread::spawn(|| -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let number = runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut terminate = signal(SignalKind::terminate())?;
            let mut hangup = signal(SignalKind::hangup())?;
            anyhow::Ok(tokio::select! {
                _ = interrupt.recv() => 2,
                _ = terminate.recv() => 15,
                _ = hangup.recv() => 1,
            })
        })?;
        let all: Vec<_> = live().values().cloned().collect();
        all.iter().for_each(|resources| resources.take_down());
        std::process::exit(128 + number)
    });
}
