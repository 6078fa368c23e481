//! What a table is made of, as text: a speaker that starts while the API server is away goes on from it.
//!
//! Only what counts for a table is in it: of EndpointSlices those of Services with `externalTrafficPolicy: Local`. Whether the node's
//! data path is sound is asked anew. That an address was announced before is not believed: a host may have got it since, so it is
//! looked for again.

use super::inputs::{InForce, Inputs};
use crate::cluster::{endpoints::LocalEndpoints, node::Node, service::Announced};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeSet, net::IpAddr};

/// The form of the text. Another one is not read.
const FORMAT: u32 = 1;

#[derive(Deserialize)]
struct Header {
    format: u32,
}

#[derive(Serialize, Deserialize)]
struct Text<'a> {
    format: u32,
    cluster: Cow<'a, str>,
    config: Cow<'a, str>,
    node: Cow<'a, Node>,
    #[serde(default)]
    nodes: Cow<'a, BTreeSet<IpAddr>>,
    services: Vec<Cow<'a, Announced>>,
    slices: Vec<Cow<'a, LocalEndpoints>>,
}

/// Why a text is not understood.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is no such text, or damaged.
    #[error(transparent)]
    Text(#[from] serde_json::Error),
    /// It is another version's.
    #[error("its format is {0}, and this version knows {FORMAT}")]
    Format(u32),
    /// Its configuration is not understood.
    #[error("its configuration: {0}")]
    Config(String),
}

impl Inputs {
    /// The text; none while there is no node or no configuration.
    ///
    /// # Errors
    /// Where it cannot be written as JSON.
    pub fn to_text(&self) -> serde_json::Result<Option<Vec<u8>>> {
        let (Some(node), Some(accepted)) = (&self.node, &self.accepted) else { return Ok(None) };
        let local = self.services.values().filter(|service| service.local);
        let slices = local.filter_map(|service| self.slices.get(&service.key)).flat_map(|slices| slices.values());
        let text = Text {
            format: FORMAT,
            cluster: Cow::Borrowed(&accepted.cluster),
            config: Cow::Borrowed(&accepted.text),
            node: Cow::Borrowed(node),
            nodes: Cow::Borrowed(&self.nodes),
            services: self.services.values().map(Cow::Borrowed).collect(),
            slices: slices.map(Cow::Borrowed).collect(),
        };
        serde_json::to_vec(&text).map(Some)
    }

    /// What a text says.
    ///
    /// # Errors
    /// Why it is not understood.
    pub fn from_text(text: &[u8]) -> Result<Self, Unreadable> {
        let Header { format } = serde_json::from_slice(text)?;
        if format != FORMAT {
            return Err(Unreadable::Format(format));
        }
        let Text { cluster, config, node, nodes, services, slices, .. } = serde_json::from_slice(text)?;
        let accepted = InForce::new(cluster.into_owned(), config.into_owned()).map_err(Unreadable::Config)?;
        let mut inputs = Self::default();
        (inputs.node, inputs.accepted) = (Some(node.into_owned()), Some(accepted));
        inputs.nodes = nodes.into_owned();
        for service in services {
            let service = Announced { announced: Vec::new(), ..service.into_owned() };
            inputs.services.insert(service.key.clone(), service);
        }
        slices.into_iter().for_each(|slice| inputs.see_slice(slice.into_owned()));
        Ok(inputs)
    }
}
