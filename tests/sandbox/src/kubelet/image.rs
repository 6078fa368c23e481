//! What image names stand for on this machine: a program to start.

use std::{
    collections::BTreeMap,
    fmt, fs,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, ensure};

/// A container that is about to be started.
#[derive(Clone, Debug)]
pub struct Container {
    /// The Pod's name.
    pub pod: String,
    /// The Pod's namespace.
    pub namespace: String,
    /// The node's name.
    pub node: String,
    /// The Pod's addresses, IPv4 and IPv6.
    pub addresses: [IpAddr; 2],
    /// The container's name.
    pub name: String,
    /// Its image, as written.
    pub image: String,
    /// Its `command` and `args`, in one.
    pub command: Vec<String>,
    /// Its declared ports.
    pub ports: Vec<Port>,
    /// Its environment: what the Pod says (values and `fieldRef`s), and what in-cluster clients look for.
    pub env: BTreeMap<String, String>,
    /// A folder of its own to write in.
    pub folder: PathBuf,
    /// A kubeconfig with the token of the Pod's ServiceAccount, where it names one; KUBECONFIG points there too.
    pub kubeconfig: Option<PathBuf>,
    /// The folder with Kubernetes' and the examples' programs.
    pub tools: PathBuf,
}

/// A declared container port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its number.
    pub number: u16,
    /// UDP, else TCP.
    pub udp: bool,
}

/// Prepares a container's folder and says what to run.
pub type Launcher = Arc<dyn Fn(&Container) -> Result<Vec<String>> + Send + Sync>;

/// Programs by image: by the repository in full, or by its last part.
#[derive(Clone)]
pub(crate) struct Images(BTreeMap<String, Launcher>);

impl Default for Images {
    fn default() -> Images {
        let mut images = Images(BTreeMap::new());
        images.add("nginx", Arc::new(nginx));
        images.add("landfall-echo", Arc::new(echo));
        // These tell who answers and for whom, as the echo server does; the examples use them.
        images.add("whoami", Arc::new(echo));
        images.add("agnhost", Arc::new(echo));
        images.add("traefik", Arc::new(traefik));
        // A plain system: whatever command the Pod gives, from this machine.
        images.add("debian", Arc::new(|container| Ok(container.command.clone())));
        images
    }
}

impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Images {
    pub(crate) fn add(&mut self, image: &str, launcher: Launcher) {
        self.0.insert(image.to_owned(), launcher);
    }

    /// What to run for a container.
    pub(crate) fn launch(&self, container: &Container) -> Result<Vec<String>> {
        let repository = repository(&container.image);
        let last = repository.rsplit('/').next().unwrap_or_default();
        let launcher = self.0.get(repository).or_else(|| self.0.get(last)).with_context(|| {
            let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
            format!("no local program stands for image {:?}; there are: {}", container.image, known.join(", "))
        })?;
        let argv = launcher(container)?;
        ensure!(!argv.is_empty(), "container {} of image {:?} needs a command", container.name, container.image);
        Ok(argv)
    }
}

/// An image reference without its tag and digest.
fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or_default();
    match image.rsplit_once(':') {
        // A colon before the last slash belongs to the registry's port.
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => image,
    }
}

/// Debian's nginx on port 80, with a default page that names the Pod.
fn nginx(container: &Container) -> Result<Vec<String>> {
    let folder = &container.folder;
    let page = format!(
        "<!DOCTYPE html>\n<title>Welcome to nginx!</title>\n<h1>Welcome to nginx!</h1>\n<p>pod={} node={}</p>\n",
        container.pod, container.node
    );
    let html = folder.join("html");
    fs::create_dir_all(&html)?;
    fs::write(html.join("index.html"), page)?;
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {}; ", folder.join(kind).display()))
        .collect();
    let configuration = format!(
        "daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;\n\
         events {{ }}\n\
         http {{ access_log {folder}/access.log; {temporary}\n\
         server {{ listen 80; listen [::]:80; root {folder}/html; default_type text/html; }} }}\n",
        folder = folder.display()
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, configuration)?;
    let argument = |path: &Path| path.display().to_string();
    // Without `-e`, which the nginx of Ubuntu 22.04 does not know.
    Ok(vec!["nginx".into(), "-p".into(), argument(folder), "-c".into(), argument(&file)])
}

/// Traefik, as `tools/install.sh` builds it, with the Pod's own arguments.
fn traefik(container: &Container) -> Result<Vec<String>> {
    let program = container.tools.join("traefik").display().to_string();
    Ok([vec![program], container.command.clone()].concat())
}

/// The sandbox's echo server on every declared port.
fn echo(container: &Container) -> Result<Vec<String>> {
    let program = crate::tools::sibling("landfall-echo")?;
    let mut argv = vec![program.display().to_string(), "--pod".into(), container.pod.clone()];
    argv.extend(["--node".into(), container.node.clone()]);
    for port in &container.ports {
        argv.extend([if port.udp { "--udp" } else { "--tcp" }.into(), port.number.to_string()]);
    }
    Ok(argv)
}

#[cfg(test)]
mod tests {
    use super::repository;

    #[test]
    fn an_images_repository_is_without_tag_and_digest() {
        for (image, expected) in [
            ("nginx", "nginx"),
            ("nginx:1.27-alpine", "nginx"),
            ("docker.io/library/nginx@sha256:00ff", "docker.io/library/nginx"),
            ("registry:5000/team/echo:v1@sha256:00ff", "registry:5000/team/echo"),
            ("registry:5000/team/echo", "registry:5000/team/echo"),
        ] {
            assert_eq!(repository(image), expected, "{image}");
        }
    }
}
