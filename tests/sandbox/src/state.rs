//! Which sandboxes there are on this machine: one small file each, in one folder, written before anything else is made and
//! removed last. By it a sandbox is found from another process, and one whose owner was killed is found and removed.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::netns::{self, Netns};

const FOLDER: &str = "/run/landfall-sandbox";

/// A sandbox, as its file describes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// A small number, unique on the machine while the sandbox exists.
    pub id: u32,
    /// The process that owns it.
    pub owner: Owner,
    /// Logs, etcd's data, certificates and kubeconfigs.
    pub folder: PathBuf,
    /// The folder with kubectl and the other binaries.
    pub tools: PathBuf,
    /// How many nodes it has.
    pub nodes: u8,
}

fn prefix(id: u32) -> String {
    format!("lf-{id}-")
}

/// The number of the sandbox that a namespace belongs to, by its name.
pub(crate) fn number_of(namespace: &Netns) -> Option<u32> {
    namespace.name().strip_prefix("lf-")?.split_once('-')?.0.parse().ok()
}

/// A process, told apart from a later one with the same number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Process id.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub started: u64,
}

impl Owner {
    fn this() -> Result<Owner> {
        let pid = std::process::id();
        Ok(Owner { pid, started: start_time(pid).context("cannot read /proc/self/stat")? })
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        start_time(self.pid) == Some(self.started)
    }
}

fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, the name in parentheses, may hold anything; the start time is the 20th after it.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

impl State {
    /// What the names of all its namespaces begin with.
    pub fn prefix(&self) -> String {
        prefix(self.id)
    }

    fn path(&self) -> PathBuf {
        Path::new(FOLDER).join(format!("{}.json", self.id))
    }

    /// Takes the lowest free number for a sandbox of this process.
    pub(crate) fn create(folder: PathBuf, tools: PathBuf, nodes: u8) -> Result<State> {
        let _lock = lock()?;
        let owner = Owner::this()?;
        let taken: Vec<u32> = list().iter().map(|state| state.id).collect();
        let free = |id: &u32| !taken.contains(id) && netns::with_prefix(&prefix(*id)).is_empty();
        let id = (1..).find(free).context("no number is free")?;
        let state = State { id, owner, folder, tools, nodes };
        // Renamed into place: whoever lists the folder sees whole files only.
        let new = state.path().with_extension("new");
        fs::write(&new, serde_json::to_vec(&state)?)?;
        fs::rename(&new, state.path()).context("cannot write the sandbox's state")?;
        Ok(state)
    }

    /// Forgets it; for after everything else of it is gone.
    pub(crate) fn remove(&self) {
        let _ = fs::remove_file(self.path());
    }
}

/// All sandboxes of this machine by number, those without a living owner too.
pub fn list() -> Vec<State> {
    let files = fs::read_dir(FOLDER).into_iter().flatten().flatten();
    let mut states: Vec<State> = files
        .filter(|file| file.path().extension().is_some_and(|e| e == "json"))
        .filter_map(|file| serde_json::from_slice(&fs::read(file.path()).ok()?).ok())
        .collect();
    states.sort_by_key(|state| state.id);
    states
}

/// One process at a time takes a number or clears up after the dead; released when the file is dropped.
pub(crate) fn lock() -> Result<File> {
    match fs::create_dir(FOLDER) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => {
            return Err(e).with_context(|| format!("cannot create {FOLDER}"));
        }
        _ => {}
    }
    let file = File::create(Path::new(FOLDER).join("lock"))?;
    file.lock().context("cannot lock the folder of sandboxes")?;
    Ok(file)
}
