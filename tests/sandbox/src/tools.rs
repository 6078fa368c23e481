//! Finds the programs that a sandbox runs: Kubernetes' own, built once, and the machine's packages.

use std::{env, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail, ensure};

use crate::kubernetes::Release;

/// Kubernetes' and etcd's binaries, as `tests/tools/install.sh` builds them.
const BINARIES: [&str; 5] = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kubectl"];

/// Programs of the machine, each with its package on Debian and Ubuntu; `preflight.sh` installs by the same list.
const PROGRAMS: &str = include_str!("../programs");

/// The packages (Debian's names) that are missing on this machine.
pub fn preflight() -> Vec<&'static str> {
    let programs = PROGRAMS.lines().filter_map(|line| line.split_once(' '));
    let mut missing: Vec<_> = programs.filter(|(program, _)| !in_path(program)).map(|(_, package)| package).collect();
    missing.dedup();
    missing
}

fn in_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(usual).any(|folder| folder.join(program).is_file())
}

/// The folder of Kubernetes' binaries: LANDFALL_TOOLS where it is set, else what `tests/tools/install.sh` builds and prints.
///
/// # Errors
/// Names all that is missing.
fn folder(release: Release) -> Result<PathBuf> {
    let folder = match env::var_os("LANDFALL_TOOLS") {
        Some(folder) => PathBuf::from(folder),
        None => {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/install.sh");
            let output = as_caller(script)
                .arg(release.tools())
                .stderr(std::process::Stdio::inherit())
                .output()
                .with_context(|| format!("cannot run {script}"))?;
            ensure!(output.status.success(), "{script} failed: {}; its messages are above", output.status);
            PathBuf::from(String::from_utf8(output.stdout)?.trim())
        }
    };
    let missing: Vec<_> = BINARIES.iter().filter(|name| !folder.join(name).is_file()).copied().collect();
    if !missing.is_empty() {
        bail!(
            "{} lacks {}: set LANDFALL_TOOLS to a folder that has them, or unset it",
            folder.display(),
            missing.join(", ")
        );
    }
    Ok(folder)
}

/// A command as the user who called sudo, with that user's cache, where root is here by sudo.
fn as_caller(program: &str) -> Command {
    let Some(user) = env::var_os("SUDO_USER").filter(|user| user != "root") else { return Command::new(program) };
    let mut path = std::ffi::OsString::from("PATH=");
    path.push(env::var_os("PATH").unwrap_or_default());
    let mut command = Command::new("sudo");
    command.arg("-H").arg("-u").arg(user).arg("env").arg(path).arg(program);
    command
}

/// A program of this workspace: built beside the one that runs, or, for a test, in the folder above.
///
/// # Errors
/// When it is not built.
pub fn sibling(name: &str) -> Result<PathBuf> {
    let own = env::current_exe()?;
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.with_context(|| {
        format!("there is no {name} beside {}: build it with `cargo build --workspace --bins`", own.display())
    })
}

/// Checks everything that a sandbox needs before anything is started.
pub(crate) fn check(release: Release) -> Result<PathBuf> {
    ensure!(
        nix::unistd::Uid::effective().is_root(),
        "a sandbox makes network namespaces, which takes root: run it with sudo"
    );
    let missing = preflight();
    if !missing.is_empty() {
        let packages = missing.join(" ");
        bail!("programs are missing: run tests/sandbox/preflight.sh, or: apt-get install {packages}");
    }
    folder(release)
}
