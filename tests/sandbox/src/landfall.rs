//! Landfall's own processes, run as its manifests run them: as their ServiceAccounts, in the nodes' networks, under their
//! capabilities.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{
    mount,
    process::{Privileges, Process, Spec},
    sandbox::Sandbox,
};

const NAMESPACE: &str = "landfall-system";

/// What becomes of the speakers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speakers {
    None,
    AtRest,
    Started,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct LandfallOptions {
    binary: PathBuf,
    manifests: Option<PathBuf>,
    controllers: u8,
    speakers: Speakers,
    controller_arguments: Vec<String>,
    speaker_arguments: Vec<String>,
    environment: BTreeMap<String, String>,
}

impl LandfallOptions {
    /// Two controllers, and a speaker on every node.
    pub fn new(binary: impl Into<PathBuf>) -> LandfallOptions {
        LandfallOptions {
            binary: binary.into(),
            manifests: None,
            controllers: 2,
            speakers: Speakers::Started,
            controller_arguments: Vec::new(),
            speaker_arguments: Vec::new(),
            environment: BTreeMap::new(),
        }
    }

    /// Applies this kustomization first; when not said, it has been applied already.
    pub fn manifests(mut self, folder: &Path) -> LandfallOptions {
        self.manifests = Some(folder.to_owned());
        self
    }

    /// How many controllers.
    pub fn controllers(mut self, count: u8) -> LandfallOptions {
        self.controllers = count;
        self
    }

    /// No speakers: addresses are given and nobody announces them.
    pub fn without_speakers(mut self) -> LandfallOptions {
        self.speakers = Speakers::None;
        self
    }

    /// Speakers that are there to be started later.
    pub fn speakers_at_rest(mut self) -> LandfallOptions {
        self.speakers = Speakers::AtRest;
        self
    }

    /// More arguments for `landfall controller`.
    pub fn controller_arguments(mut self, arguments: &[&str]) -> LandfallOptions {
        self.controller_arguments = arguments.iter().map(ToString::to_string).collect();
        self
    }

    /// More arguments for `landfall speaker`.
    pub fn speaker_arguments(mut self, arguments: &[&str]) -> LandfallOptions {
        self.speaker_arguments = arguments.iter().map(ToString::to_string).collect();
        self
    }

    /// An environment variable for all of them, such as RUST_LOG.
    pub fn env(mut self, name: &str, value: &str) -> LandfallOptions {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }
}

/// Landfall's processes on a sandbox.
#[derive(Clone, Debug)]
pub struct Landfall {
    controllers: Vec<Process>,
    speakers: BTreeMap<String, Process>,
    last_known: PathBuf,
}

impl Landfall {
    /// The controllers, named `landfall-controller-0` and so on, by which their Lease's holder begins.
    pub fn controllers(&self) -> &[Process] {
        &self.controllers
    }

    /// The speakers by node.
    pub fn speakers(&self) -> &BTreeMap<String, Process> {
        &self.speakers
    }

    /// The speaker on a node.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn speaker(&self, node: &str) -> Result<&Process> {
        self.speakers.get(node).with_context(|| format!("no speaker runs on {node:?}"))
    }

    /// The folder in which the speaker on a node keeps what is wanted.
    pub fn last_known(&self, node: &str) -> PathBuf {
        self.last_known.join(node)
    }

    /// The controller that holds the Lease, as far as the API server knows.
    ///
    /// # Errors
    /// When nobody does.
    pub fn leader(&self, sandbox: &Sandbox) -> Result<&Process> {
        let path = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/landfall-controller");
        let lease = sandbox.api().get(&path)?;
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        let leader = self.controllers.iter().find(|controller| holder.starts_with(controller.name()));
        leader.with_context(|| format!("no controller leads; the Lease's holder is {holder:?}"))
    }
}

impl Sandbox {
    /// Starts controllers (beside the control plane) and speakers (on the nodes). Returns when all have been started, which
    /// says nothing about what they have done yet.
    ///
    /// # Errors
    /// When the manifests are refused, or a process cannot be started.
    pub fn start_landfall(&self, options: &LandfallOptions) -> Result<Landfall> {
        if let Some(folder) = &options.manifests {
            self.apply_kustomize(folder)?;
        }
        let binary = options.binary.display().to_string();
        let cp = self.control_plane();
        let kubeconfig = self.kubeconfig_for(NAMESPACE, "landfall-controller", None)?;
        let mut controllers = Vec::new();
        for i in 0..options.controllers {
            let name = format!("landfall-controller-{i}");
            let argv = [binary.clone(), "controller".into()].into_iter().chain(options.controller_arguments.clone());
            let mut spec = Spec::new(&name, &cp, argv);
            spec.env.extend(options.environment.clone());
            spec.privileges = Privileges::None;
            let spec = spec.env("HOSTNAME", &name).env("KUBECONFIG", kubeconfig.display().to_string());
            controllers.push(self.start_process(spec)?);
        }
        let keys = mount::secret(self.api().clone(), self.resources().clone(), NAMESPACE, "landfall-heartbeat-keys")?;
        let last_known = self.resources().state.folder.join("last-known");
        let mut speakers = BTreeMap::new();
        for node in self.nodes().into_iter().filter(|_| options.speakers != Speakers::None) {
            let name = node.name();
            let kubeconfig = self.kubeconfig_for(NAMESPACE, "landfall-speaker", Some(name))?;
            let own = last_known.join(name);
            fs::create_dir_all(&own)?;
            let keys = format!("--heartbeat-keys={}", keys.display());
            let argv = [binary.clone(), "speaker".into(), keys, format!("--last-known={}", own.display())];
            let argv = argv.into_iter().chain(options.speaker_arguments.clone());
            let mut spec = Spec::new(format!("landfall-speaker-{name}"), &node, argv);
            spec.env.extend(options.environment.clone());
            spec.privileges = Privileges::NetRaw;
            let spec = spec.env("NODE_NAME", name).env("HOSTNAME", name);
            let spec = spec.env("KUBECONFIG", kubeconfig.display().to_string());
            let speaker = self.add_process(spec)?;
            if options.speakers == Speakers::Started {
                speaker.start()?;
            }
            speakers.insert(name.to_owned(), speaker);
        }
        Ok(Landfall { controllers, speakers, last_known })
    }
}
