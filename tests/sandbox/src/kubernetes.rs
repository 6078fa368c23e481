//! Which release of Kubernetes a sandbox runs, and all that is done differently for the oldest one that Landfall is made for.

use std::env;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Says which: `1.37`, as where it is not set, or `1.30`.
const VARIABLE: &str = "LANDFALL_KUBERNETES";

/// A release whose programs `tests/tools/install.sh` builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// 1.37.
    Newest,
    /// 1.30.
    Oldest,
}

impl Release {
    /// The one that the environment asks for.
    pub(crate) fn asked() -> Result<Release> {
        env::var_os(VARIABLE).map_or(Ok(Release::Newest), |name| Release::named(&name.to_string_lossy()))
    }

    fn named(name: &str) -> Result<Release> {
        match name {
            "1.37" => Ok(Release::Newest),
            "1.30" => Ok(Release::Oldest),
            _ => bail!("there are no programs of Kubernetes {name:?}: unset {VARIABLE} (1.37), or set it to 1.30"),
        }
    }

    /// The name of its programs, as `install.sh` has it.
    pub(crate) fn tools(self) -> &'static str {
        match self {
            Release::Newest => "sandbox",
            Release::Oldest => "sandbox-1.30",
        }
    }

    /// The API server's own flags.
    pub(crate) fn api_server(self) -> &'static [&'static str] {
        match self {
            Release::Newest => &[],
            // A Pod's token names its node by default, and that is what Landfall relies on. The sandbox's shortcut, a token
            // bound to the Node itself, was still to be asked for.
            Release::Oldest => &["--feature-gates=ServiceAccountTokenNodeBinding=true"],
        }
    }

    /// How kube-proxy writes its rules: as the clusters of that time do. In 1.30 the mode nftables was an experiment.
    pub(crate) fn proxy_mode(self) -> &'static str {
        match self {
            Release::Newest => "nftables",
            Release::Oldest => "iptables",
        }
    }

    /// Fails where an API server that says it is of `version` wants the other one's treatment: LANDFALL_TOOLS may name any
    /// folder, and a test of the one would silently be a test of the other.
    pub(crate) fn check(self, version: &Value) -> Result<()> {
        let minor = version["minor"].as_str().context("the API server tells no version")?;
        let found = if minor == "30" { Release::Oldest } else { Release::Newest };
        ensure!(
            found == self,
            "the API server is {}, and {VARIABLE} asks for another: set both {VARIABLE} and LANDFALL_TOOLS (the folder that \
             `tests/tools/install.sh {}` prints), or neither",
            version["gitVersion"],
            self.tools()
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Release;
    use serde_json::json;

    #[test]
    fn a_release_is_named_exactly() {
        assert_eq!(Release::named("1.37").unwrap(), Release::Newest);
        assert_eq!(Release::named("1.30").unwrap(), Release::Oldest);
        for name in ["", "1.3", "1.29", "v1.30", "newest"] {
            let refusal = Release::named(name).unwrap_err().to_string();
            assert!(refusal.contains(name) && refusal.contains("LANDFALL_KUBERNETES"), "{refusal}");
        }
    }

    #[test]
    fn programs_of_another_release_are_noticed() {
        let (old, new) = (json!({"minor": "30", "gitVersion": "v1.30.14"}), json!({"minor": "37"}));
        Release::Oldest.check(&old).unwrap();
        Release::Newest.check(&new).unwrap();
        Release::Oldest.check(&new).unwrap_err();
        let refusal = Release::Newest.check(&old).unwrap_err().to_string();
        assert!(refusal.contains("v1.30.14") && refusal.contains("install.sh sandbox`"), "{refusal}");
    }
}
