//! What a table is made of, as text: a speaker that starts while the API server is away goes on from it.
//!
//! Only what counts for a table is in it: of EndpointSlices those of Services with `externalTrafficPolicy: Local`.

use super::inputs::{InForce, Inputs};
use crate::cluster::{endpoints::LocalEndpoints, node::Node, service::Announced};
use serde::{Deserialize, Serialize};

/// The form of the text. Another one is not read.
const FORMAT: u32 = 1;

#[derive(Deserialize)]
struct Header {
    format: u32,
}

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    cluster: &'a str,
    config: &'a str,
    node: &'a Node,
    services: Vec<&'a Announced>,
    slices: Vec<&'a LocalEndpoints>,
}

#[derive(Deserialize)]
struct Read {
    cluster: String,
    config: String,
    node: Node,
    services: Vec<Announced>,
    slices: Vec<LocalEndpoints>,
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
    /// The text; none while there is no table.
    pub fn to_text(&self) -> Option<Vec<u8>> {
        let (node, InForce { cluster, text, .. }) = (self.node.as_ref()?, self.accepted.as_ref()?);
        let local = self.services.values().filter(|service| service.local);
        let slices = local.filter_map(|service| self.slices.get(&service.key)).flat_map(|slices| slices.values());
        let written = Written {
            format: FORMAT,
            cluster,
            config: text,
            node,
            services: self.services.values().collect(),
            slices: slices.collect(),
        };
        serde_json::to_vec(&written).ok()
    }

    /// What a text says: everything but whether the node's data path is sound, which is to be asked anew.
    ///
    /// # Errors
    /// Why it is not understood.
    pub fn from_text(text: &[u8]) -> Result<Self, Unreadable> {
        let Header { format } = serde_json::from_slice(text)?;
        if format != FORMAT {
            return Err(Unreadable::Format(format));
        }
        let Read { cluster, config, node, services, slices } = serde_json::from_slice(text)?;
        let accepted = InForce::new(cluster, config).map_err(Unreadable::Config)?;
        let mut inputs = Self::default();
        (inputs.node, inputs.accepted) = (Some(node), Some(accepted));
        inputs.services.extend(services.into_iter().map(|service| (service.key.clone(), service)));
        slices.into_iter().for_each(|slice| inputs.see_slice(slice));
        inputs.complete_all();
        Ok(inputs)
    }
}
