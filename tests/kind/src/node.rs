//! A node as the container that it is: it can be stopped, frozen, and looked into.

use crate::command;
use anyhow::{Context, Result};
use std::fmt;

/// A node of the cluster, which has the name of its container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    name: String,
    mac: String,
}

impl Node {
    /// The node of that name.
    ///
    /// # Errors
    /// In docker's words.
    pub fn named(name: &str) -> Result<Self> {
        let mac = command::run(&["docker", "inspect", "-f", "{{.NetworkSettings.Networks.kind.MacAddress}}", name])?;
        Ok(Self { name: name.to_owned(), mac: mac.trim().to_owned() })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The hardware address of its interface on the nodes' network.
    pub fn mac(&self) -> &str {
        &self.mac
    }

    /// `docker stop`, `kill`, `start`, `pause`, `unpause`.
    ///
    /// # Errors
    /// In docker's words.
    pub fn docker(&self, verb: &str) -> Result<()> {
        command::run(&["docker", verb, &self.name]).map(drop)
    }

    /// Runs a command on it.
    ///
    /// # Errors
    /// In the command's words.
    pub fn exec(&self, argv: &[&str]) -> Result<String> {
        let docker = ["docker", "exec", &self.name];
        command::run(&[&docker, argv].concat()).with_context(|| format!("on {self}"))
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
