//! What a speaker tells the API server about itself: one ConfigMap, written when it changed and never otherwise.
//!
//! It is named after the node, and an admission policy lets a speaker write that one alone. Services, nodes and everything
//! else stay out of a speaker's reach.

use super::names;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Error,
    api::{Patch, PatchParams, PostParams},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{collections::BTreeMap, net::IpAddr, time::Duration};

/// How long a write may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A speaker's view.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Landfall's version.
    pub version: String,
    /// What keeps the whole node from announcing, if anything does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub excluded: Option<String>,
    /// Its interfaces, by name.
    pub interfaces: BTreeMap<String, Interface>,
}

/// One interface of a speaker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Interface {
    /// Its link-layer address, as text.
    pub mac: String,
    /// Its own addresses.
    pub addresses: Vec<IpAddr>,
    /// The addresses that it answers for.
    pub owned: Vec<IpAddr>,
    /// The speakers that it hears.
    pub peers: Vec<String>,
}

/// Writes one node's record.
pub struct RecordWriter {
    api: Api<ConfigMap>,
    node: String,
    written: Option<String>,
}

/// Why a record was not written. It is to be tried again later, with whatever is true by then.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// The API server did not answer in time.
    #[error("the API server did not answer within {} s", TIMEOUT.as_secs())]
    Timeout,
    /// It refused.
    #[error(transparent)]
    Refused(#[from] Error),
}

impl RecordWriter {
    /// A writer of `node`'s record.
    pub fn new(client: Client, node: impl Into<String>) -> Self {
        Self { api: Api::namespaced(client, names::SPEAKERS_NAMESPACE), node: node.into(), written: None }
    }

    /// Writes `record` where it differs from what was written last; says whether there was something to write.
    pub async fn write(&mut self, record: &Record) -> Result<bool, NotWritten> {
        let text = serde_json::to_string(record).map_err(Error::SerdeError)?;
        if self.written.as_ref() == Some(&text) {
            return Ok(false);
        }
        // Until the answer is there nobody knows what is stored.
        self.written = None;
        tokio::time::timeout(TIMEOUT, self.put(&text)).await.map_err(|_| NotWritten::Timeout)??;
        self.written = Some(text);
        Ok(true)
    }

    async fn put(&self, text: &str) -> Result<(), Error> {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": self.node, "labels": {"app.kubernetes.io/managed-by": names::SPEAKER}},
            "data": {names::RECORD_KEY: text}
        });
        let params = PatchParams { field_manager: Some(names::SPEAKER.into()), ..PatchParams::default() };
        match self.api.patch(&self.node, &params, &Patch::Merge(&object)).await {
            Err(Error::Api(status)) if status.code == 404 => {
                let object = serde_json::from_value(object).map_err(Error::SerdeError)?;
                let params = PostParams { field_manager: Some(names::SPEAKER.into()), ..PostParams::default() };
                self.api.create(&params, &object).await.map(drop)
            }
            result => result.map(drop),
        }
    }
}
