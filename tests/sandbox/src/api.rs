//! The sandbox's own requests to the API server: curl inside the control plane's namespace, with the administrator's
//! certificate. A tenth of kubectl's cost, which matters for what runs at every start and for every pod.

use std::{
    fmt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{command, netns::Netns, process::Spec, topology::API_SERVER};

/// How a body is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A whole object.
    Json,
    /// A strategic merge patch.
    StrategicMerge,
    /// A JSON merge patch (RFC 7386).
    Merge,
}

impl Content {
    fn media_type(self) -> &'static str {
        match self {
            Content::Json => "application/json",
            Content::StrategicMerge => "application/strategic-merge-patch+json",
            Content::Merge => "application/merge-patch+json",
        }
    }
}

/// The API server's refusal.
#[derive(Clone, Debug)]
pub struct Refused {
    /// HTTP's status code.
    pub code: u16,
    /// The API server's words.
    pub message: String,
    request: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.request, self.code, self.message)
    }
}

impl std::error::Error for Refused {}

/// The HTTP status of an error that the API server answered with.
pub fn status(error: &anyhow::Error) -> Option<u16> {
    error.downcast_ref::<Refused>().map(|refused| refused.code)
}

/// Access to the API server as administrator.
#[derive(Clone, Debug)]
pub struct Api {
    netns: Netns,
    pki: PathBuf,
}

impl Api {
    pub(crate) fn new(netns: Netns, pki: &Path) -> Api {
        Api { netns, pki: pki.to_owned() }
    }

    /// Reads `path`, such as `/api/v1/nodes`.
    ///
    /// # Errors
    /// [`Refused`], or that there was no answer.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.request("GET", path, None)
    }

    /// Creates an object in the collection `path`.
    ///
    /// # Errors
    /// [`Refused`], or that there was no answer.
    pub fn create(&self, path: &str, object: &Value) -> Result<Value> {
        self.request("POST", path, Some((Content::Json, object)))
    }

    /// Patches the object, or subresource, `path`.
    ///
    /// # Errors
    /// [`Refused`], or that there was no answer.
    pub fn patch(&self, path: &str, content: Content, patch: &Value) -> Result<Value> {
        self.request("PATCH", path, Some((content, patch)))
    }

    /// Deletes the object `path`, with DeleteOptions.
    ///
    /// # Errors
    /// [`Refused`], or that there was no answer.
    pub fn delete(&self, path: &str, options: &Value) -> Result<Value> {
        self.request("DELETE", path, Some((Content::Json, options)))
    }

    fn request(&self, method: &str, path: &str, body: Option<(Content, &Value)>) -> Result<Value> {
        let mut curl = self.netns.command("curl");
        curl.args(self.arguments(path)).args(["--max-time", "30", "-X", method, "-w", "\n%{http_code}"]);
        let answer = match body {
            None => command::output(&mut curl)?,
            Some((content, body)) => {
                let header = format!("Content-Type: {}", content.media_type());
                command::with_input(curl.args(["-H", &header, "--data-binary", "@-"]), &body.to_string())?
            }
        };
        let (text, code) = answer.rsplit_once('\n').context("curl printed no status")?;
        let code: u16 = code.trim().parse().context("curl printed no status")?;
        let value: Value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        if code >= 400 {
            let message = value["message"].as_str().unwrap_or(text).to_owned();
            return Err(Refused { code, message, request: format!("{method} {path}") }.into());
        }
        Ok(value)
    }

    /// A process that prints the watch `path`, one event a line, until the API server ends it.
    pub(crate) fn watch(&self, name: &str, path: &str) -> Spec {
        let argv = ["curl".to_owned(), "--no-buffer".to_owned()].into_iter().chain(self.arguments(path));
        Spec::new(name, &self.netns, argv)
    }

    fn arguments(&self, path: &str) -> Vec<String> {
        let file = |name: &str| self.pki.join(name).display().to_string();
        let url = format!("{API_SERVER}{path}");
        let (ca, cert, key) = (file("ca.crt"), file("admin.crt"), file("admin.key"));
        ["-sS", "--cacert", &ca, "--cert", &cert, "--key", &key, &url].map(str::to_owned).to_vec()
    }

    /// Whether `url` answers 2xx to a plain GET from inside `netns`.
    pub(crate) fn answers(netns: &Netns, url: &str) -> bool {
        let mut curl: Command = netns.command("curl");
        command::output(curl.args(["-sf", "--max-time", "2", "-o", "/dev/null", url])).is_ok()
    }
}
