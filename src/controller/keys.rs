//! Makes the Secret `landfall-heartbeat-keys`, and makes it again with the same keys where somebody deletes it.
//!
//! It is never overwritten: keys are the user's to change.

use crate::cluster::{
    Change,
    events::{Severity, Telling},
    keys,
    lease::Tenure,
    names, only, watch,
};
use futures::StreamExt;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client, Error,
    api::{ObjectMeta, PostParams},
};
use landfall_core::wire::seal::KEY;
use std::{collections::BTreeMap, pin::pin, time::Duration};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

/// After a call that failed.
const AGAIN: Duration = Duration::from_secs(2);

type Data = BTreeMap<String, Vec<u8>>;

/// Keeps the Secret there for as long as this replica leads; tells what is wrong with it.
pub async fn keep(client: Client, namespace: &str, tenure: Tenure, tell: impl AsyncFn(Telling)) {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let mut secrets = pin!(watch(Api::namespaced(client, namespace), only(names::KEYS), data));
    let mut known = Data::from([(keys::CURRENT.to_owned(), rand::random::<[u8; KEY]>().to_vec())]);
    let (mut is_there, mut told) = (false, None);
    while let Some(change) = secrets.next().await {
        match change {
            Change::Applied(data) => {
                let (_, fault) = keys::read(&data);
                if let Some(fault) = fault.as_ref().filter(|fault| told.as_ref() != Some(*fault)) {
                    let note = format!("the Secret {} is not as it must be: {fault}", names::KEYS);
                    tell(Telling { severity: Severity::Warning, reason: "HeartbeatKeys", note }).await;
                }
                (is_there, told, known) = (true, fault, data);
                continue;
            }
            Change::Deleted(_) => is_there = false,
            Change::Synced => {}
        }
        if !is_there {
            make(&api, &tenure, &known).await;
        }
    }
}

fn data(secret: Secret) -> Data {
    secret.data.into_iter().flatten().map(|(name, ByteString(bytes))| (name, bytes)).collect()
}

/// Repeated until it is there, whoever made it.
async fn make(api: &Api<Secret>, tenure: &Tenure, data: &Data) {
    let secret = Secret {
        metadata: ObjectMeta { name: Some(names::KEYS.into()), ..ObjectMeta::default() },
        data: Some(data.iter().map(|(name, bytes)| (name.clone(), ByteString(bytes.clone()))).collect()),
        ..Secret::default()
    };
    let params = PostParams { field_manager: Some(names::CONTROLLER.into()), ..PostParams::default() };
    loop {
        match timeout(tenure.margin(), tenure.guard(api.create(&params, &secret))).await {
            Ok(Some(Ok(_))) => {
                info!("the Secret {} is made", names::KEYS);
                return;
            }
            // Somebody else was quicker.
            Ok(Some(Err(Error::Api(status)))) if status.code == 409 => return,
            Ok(Some(Err(error))) => warn!(%error, "the Secret {} could not be made, will try again", names::KEYS),
            Ok(None) => warn!("the lease is running out, the Secret {} is not made", names::KEYS),
            Err(_) => warn!("the API server does not answer, will make the Secret {} later", names::KEYS),
        }
        sleep(AGAIN).await;
    }
}
