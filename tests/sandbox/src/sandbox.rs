//! A sandbox and its life: up in a few seconds, taken down when dropped.

use std::{
    collections::BTreeSet,
    env,
    fs::{self, Permissions},
    ops::Deref,
    os::unix::fs::PermissionsExt,
    sync::Arc,
    thread,
};

use anyhow::{Context, Result, ensure};

use crate::{
    cluster::Cluster,
    control_plane,
    kubelet::{
        self,
        image::{Container, Images},
    },
    kubernetes::Release,
    process::{Process, Spec},
    state::State,
    teardown::{self, Resources},
    tools,
    topology::{self, MAX_NODES},
};

/// A cluster that this process owns. Dropping it takes it down. After a panic the tails of all logs are printed first, and
/// with LANDFALL_KEEP=1 its folder stays.
pub struct Sandbox {
    cluster: Cluster,
    resources: Arc<Resources>,
}

/// What kind of sandbox.
#[derive(Clone, Debug)]
pub struct Builder {
    nodes: u8,
    images: Images,
    unmanaged: BTreeSet<String>,
    kube_proxies: bool,
}

impl Builder {
    /// How many nodes; 3 when not said.
    pub fn nodes(mut self, nodes: u8) -> Builder {
        self.nodes = nodes;
        self
    }

    /// Says what to run for an image, named by its repository in full or by its last part. The images of `docs/examples/`
    /// are known already, and so are `landfall-echo` and `debian` (the Pod's own command).
    pub fn image(
        mut self,
        image: &str,
        launcher: impl Fn(&Container) -> Result<Vec<String>> + Send + Sync + 'static,
    ) -> Builder {
        self.images.add(image, Arc::new(launcher));
        self
    }

    /// Leaves the Pods of a namespace alone: they stay Pending. So it is with `landfall-system`, whose processes are
    /// started explicitly.
    pub fn unmanaged(mut self, namespace: &str) -> Builder {
        self.unmanaged.insert(namespace.to_owned());
        self
    }

    /// No kube-proxies: nothing is forwarded to Services. With thousands of them each of those would fill a core.
    pub fn without_kube_proxies(mut self) -> Builder {
        self.kube_proxies = false;
        self
    }

    /// Brings it up: a ready API server, ready nodes, kube-proxy's rules in place.
    ///
    /// # Errors
    /// What is missing on the machine, or which process did not come up, with the tails of the logs.
    pub fn up(self) -> Result<Sandbox> {
        ensure!((1..=MAX_NODES).contains(&self.nodes), "a sandbox has 1 to {MAX_NODES} nodes, not {}", self.nodes);
        let release = Release::asked()?;
        let tools = tools::check(release)?;
        teardown::remove_orphans()?;
        let folder = tempfile::Builder::new().prefix("landfall-").tempdir_in(env::temp_dir())?.keep();
        // The administrator's keys are for root alone; accounts' kubeconfigs also for processes that run as somebody else.
        for (name, mode) in
            [("", 0o755), ("logs", 0o755), ("bin", 0o755), ("accounts", 0o755), ("pods", 0o755), ("pki", 0o700)]
        {
            fs::create_dir_all(folder.join(name))?;
            fs::set_permissions(folder.join(name), Permissions::from_mode(mode))?;
        }
        let state = State::create(folder, tools, self.nodes)?;
        let sandbox = Sandbox { cluster: Cluster::new(state.clone()), resources: Resources::register(state) };
        sandbox.start(release, self).with_context(|| {
            sandbox.keep_if_asked();
            format!("sandbox {} did not come up\n{}", sandbox.id(), sandbox.log_tails(8))
        })?;
        Ok(sandbox)
    }
}

impl Sandbox {
    /// How a sandbox is ordered.
    pub fn builder() -> Builder {
        let unmanaged = BTreeSet::from(["landfall-system".to_owned()]);
        Builder { nodes: 3, images: Images::default(), unmanaged, kube_proxies: true }
    }

    fn start(&self, release: Release, order: Builder) -> Result<()> {
        let state = &self.resources.state;
        self.resources.while_open(|| topology::build(&state.prefix(), state.nodes))?;
        control_plane::start(&self.resources, self.api(), release, order.kube_proxies)?;
        kubelet::start(self.api().clone(), self.resources.clone(), order.images, order.unmanaged);
        Ok(())
    }

    pub(crate) fn resources(&self) -> &Arc<Resources> {
        &self.resources
    }

    /// Starts a process that ends with the sandbox; its output goes to `logs/<name>.log` in the sandbox's folder.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_process(&self, spec: Spec) -> Result<Process> {
        self.resources.start(spec)
    }

    /// The same, for whoever starts it later.
    ///
    /// # Errors
    /// When the sandbox is being taken down.
    pub fn add_process(&self, spec: Spec) -> Result<Process> {
        self.resources.add(spec)
    }

    /// The processes of the sandbox: control plane, kube-proxies, what has been started since.
    pub fn processes(&self) -> Vec<Process> {
        self.resources.processes()
    }

    fn keep_if_asked(&self) {
        if env::var_os("LANDFALL_KEEP").is_some_and(|value| value == "1") {
            self.resources.keep_folder();
            eprintln!("sandbox {}: logs and data stay in {}", self.id(), self.folder().display());
        }
    }
}

impl Deref for Sandbox {
    type Target = Cluster;
    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("sandbox {}: the ends of its logs:\n{}", self.id(), self.log_tails(12));
            self.keep_if_asked();
        }
        self.resources.take_down();
    }
}
