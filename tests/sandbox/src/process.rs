//! Long-running processes of the sandbox: etcd, the API server, kube-proxies, Landfall, what pods run.
//!
//! Each is started in a namespace, writes to a log of its own, and dies with the process that owns the sandbox, however
//! that one ends. The kernel sends that parting signal when the *thread* that started the child ends; so one thread, which
//! lives as long as the process, starts them all.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        mpsc::{Sender, SyncSender, channel, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::netns::Netns;

/// What a process may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Privileges {
    /// Everything that root may.
    #[default]
    All,
    /// User 0 with CAP_NET_RAW alone and no way to more, as a DaemonSet with `drop: [ALL], add: [NET_RAW]` runs it.
    NetRaw,
    /// No capability, and user 65532, as a Deployment with `drop: [ALL]` and `runAsNonRoot` runs it.
    None,
}

/// A change of user takes the signal of the owner's death away, so it is asked for once more.
const DROP: [&str; 3] = ["setpriv", "--pdeathsig=KILL", "--no-new-privs"];

/// How to start a process.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Names the process and its log, `<name>.log`.
    pub name: String,
    /// Where it runs.
    pub netns: Netns,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Its whole environment, but for PATH, which it inherits.
    pub env: BTreeMap<String, String>,
    /// What it may do.
    pub privileges: Privileges,
    /// A folder to show it in the place of `/run`, as a container has one of its own.
    pub run: Option<PathBuf>,
}

impl Spec {
    /// A process with all privileges and an empty environment.
    pub fn new(name: impl Into<String>, netns: &Netns, argv: impl IntoIterator<Item = impl Into<String>>) -> Spec {
        Spec {
            name: name.into(),
            netns: netns.clone(),
            argv: argv.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            privileges: Privileges::All,
            run: None,
        }
    }

    /// Adds one environment variable.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Spec {
        self.env.insert(name.to_owned(), value.into());
        self
    }

    // Each of these programs replaces itself by the next, so that the child's pid is the program's.
    fn command(&self) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "ip", "netns", "exec", self.netns.name()]);
        if let Some(run) = &self.run {
            let script = r#"mount --bind "$0" /run && exec "$@""#;
            command.args(["sh", "-c", script]).arg(run);
        }
        match self.privileges {
            Privileges::All => &mut command,
            Privileges::NetRaw => command.args(DROP).args(["--bounding-set=-all,+net_raw", "--inh-caps=-all,+net_raw"]),
            Privileges::None => {
                let user = ["--reuid=65532", "--regid=65532", "--clear-groups"];
                command.args(DROP).args(["--bounding-set=-all", "--inh-caps=-all"]).args(user)
            }
        };
        command.args(&self.argv).env_clear().envs(&self.env);
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        // A Ctrl-C at the terminal goes to the owner alone, which then ends the others in order.
        command.process_group(0).stdin(Stdio::null());
        command
    }
}

/// A process of the sandbox; clones are the same process. It can be ended, paused and started again.
#[derive(Clone, Debug)]
pub struct Process(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    spec: Spec,
    log: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Process {
    pub(crate) fn new(spec: Spec, logs: &Path) -> Process {
        let log = logs.join(format!("{}.log", spec.name));
        Process(Arc::new(Inner { spec, log, child: Mutex::new(None) }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.spec.name
    }

    pub(crate) fn is_same(&self, other: &Process) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The file with its output, of all its starts.
    pub fn log_path(&self) -> &Path {
        &self.0.log
    }

    /// All it has printed so far.
    pub fn log(&self) -> String {
        fs::read(&self.0.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Starts it; one that runs is left alone.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(&self) -> Result<()> {
        let log = self.open_log()?;
        self.start_into(log.into()).map(drop)
    }

    /// Starts it with its standard output in a pipe rather than in the log.
    pub(crate) fn start_piped(&self) -> Result<ChildStdout> {
        self.start_into(Stdio::piped())?.with_context(|| format!("{} runs already", self.0.spec.name))
    }

    fn start_into(&self, stdout: Stdio) -> Result<Option<ChildStdout>> {
        let mut slot = self.child();
        if matches!(slot.as_mut().map(Child::try_wait), Some(Ok(None))) {
            return Ok(None);
        }
        let mut command = self.0.spec.command();
        command.stdout(stdout).stderr(self.open_log()?);
        let mut child = spawn(command).with_context(|| format!("cannot start {}", self.0.spec.name))?;
        let pipe = child.stdout.take();
        *slot = Some(child);
        Ok(pipe)
    }

    fn open_log(&self) -> Result<File> {
        let log = OpenOptions::new().create(true).append(true).open(&self.0.log);
        log.with_context(|| format!("cannot write {}", self.0.log.display()))
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        let mut child = self.child();
        let child = child.as_mut()?;
        matches!(child.try_wait(), Ok(None)).then(|| child.id())
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.pid().is_some()
    }

    /// Ends it at once (SIGKILL), and returns when it is gone.
    pub fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to end (SIGTERM) and does not wait.
    ///
    /// # Errors
    /// When it does not run.
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::SIGTERM)
    }

    /// Stops its time (SIGSTOP) until [`Process::resume`].
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets it run on after [`Process::pause`].
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Waits until it has ended, and tells how.
    ///
    /// # Errors
    /// When it still runs at the end of `timeout`.
    pub fn wait(&self, timeout: Duration) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + timeout;
        loop {
            match self.child().as_mut().map(Child::try_wait).transpose()? {
                None => return Ok(None),
                Some(Some(status)) => return Ok(Some(status)),
                Some(None) if Instant::now() >= deadline => {
                    bail!("{} still runs after {timeout:?}", self.0.spec.name)
                }
                Some(None) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Asks it to end, waits, and starts it again.
    ///
    /// # Errors
    /// When it does not end within `grace`, or cannot be started.
    pub fn restart(&self, grace: Duration) -> Result<()> {
        if self.is_running() {
            self.terminate()?;
            self.wait(grace)?;
        }
        self.start()
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid().with_context(|| format!("{} does not run", self.0.spec.name))?;
        kill(Pid::from_raw(pid as i32), signal).with_context(|| format!("cannot send {signal} to {}", self.0.spec.name))
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.0.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Order {
    command: Command,
    answer: SyncSender<io::Result<Child>>,
}

/// Starts a command from the thread that never ends.
fn spawn(command: Command) -> io::Result<Child> {
    static STARTER: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        // Each caller waits for its answer, so at most one order per calling thread is in this queue.
        let (orders, inbox) = channel::<Order>();
        thread::spawn(move || {
            for mut order in inbox {
                let _ = order.answer.send(order.command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (answer, result) = sync_channel(1);
    let gone = || io::Error::other("the thread that starts processes is gone");
    starter.lock().unwrap_or_else(PoisonError::into_inner).send(Order { command, answer }).map_err(|_| gone())?;
    result.recv().map_err(|_| gone())?
}
