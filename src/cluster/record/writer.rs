//! Writes one node's record: what changed, and nothing else.

use super::{
    Record,
    parts::{LONGEST, MOST, Part, split},
};
use crate::cluster::{config_map, names};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, Error};
use serde_json::json;
use std::time::Duration;

/// How long a write may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Writes one node's record.
pub struct RecordWriter {
    api: Api<ConfigMap>,
    node: String,
    written: Option<String>,
    /// How many objects may have a piece of a text.
    filled: usize,
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
    /// Nothing can hold it.
    #[error("it has {0} bytes, more than {MOST} objects can hold")]
    TooLong(usize),
}

impl RecordWriter {
    /// A writer of `node`'s record.
    pub fn new(client: Client, node: impl Into<String>) -> Self {
        let api = Api::namespaced(client, names::SPEAKERS_NAMESPACE);
        Self { api, node: node.into(), written: None, filled: 1 }
    }

    /// Writes `record` where it differs from what was written last; says whether there was something to write.
    pub async fn write(&mut self, record: &Record) -> Result<bool, NotWritten> {
        let text = record.encode();
        if self.written.as_ref() == Some(&text) {
            return Ok(false);
        }
        let mut parts = split(&self.node, &text, LONGEST);
        let count = parts.len();
        if count > MOST {
            return Err(NotWritten::TooLong(text.len()));
        }
        // What a longer text has left is emptied.
        let whole = parts.first().map(|part| part.whole).unwrap_or_default();
        let surplus = count..self.filled;
        parts.extend(surplus.map(|index| Part { node: self.node.clone(), index, whole, ..Part::default() }));
        // Until the answer is there nobody knows what is stored.
        self.written = None;
        self.filled = self.filled.max(count);
        for part in &parts {
            tokio::time::timeout(TIMEOUT, self.put(part)).await.map_err(|_| NotWritten::Timeout)??;
        }
        self.filled = count;
        self.written = Some(text);
        Ok(true)
    }

    async fn put(&self, part: &Part) -> Result<(), Error> {
        let name = part.name();
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": names::SPEAKER}},
            "data": part.data()
        });
        config_map::put(&self.api, &name, object, names::SPEAKER).await.map(drop)
    }
}
