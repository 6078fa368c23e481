//! A Secret as a folder, as the kubelet mounts it: its keys are files, which appear, change and go with it.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use crate::{api::Api, teardown::Resources};

/// Mounts it on a new folder, which stays empty for as long as there is no such Secret.
pub(crate) fn secret(api: Api, resources: Arc<Resources>, namespace: &str, name: &str) -> Result<PathBuf> {
    let folder = resources.state.folder.join("secrets").join(name);
    fs::create_dir_all(&folder)?;
    let mount = Mount { api, resources, folder: folder.clone(), namespace: namespace.into(), name: name.into() };
    thread::spawn(move || {
        while mount.resources.is_open() {
            // Its end is the API server's, which tests restart.
            if mount.follow().is_err() {
                thread::sleep(Duration::from_millis(200));
            }
        }
    });
    Ok(folder)
}

struct Mount {
    api: Api,
    resources: Arc<Resources>,
    folder: PathBuf,
    namespace: String,
    name: String,
}

impl Mount {
    fn follow(&self) -> Result<()> {
        let Self { namespace, name, .. } = self;
        let path = format!("/api/v1/namespaces/{namespace}/secrets?watch=1&fieldSelector=metadata.name%3D{name}");
        let process = self.resources.add(self.api.watch(&format!("secret-{name}"), &path))?;
        let pipe = self.resources.while_open(|| process.start_piped())?;
        for line in BufReader::new(pipe).lines() {
            let event: Value = serde_json::from_str(&line?)?;
            match event["type"].as_str() {
                Some("ADDED" | "MODIFIED") => write(&self.folder, &event["object"]["data"])?,
                // A mounted Secret that is deleted stays as it was.
                Some("DELETED") => {}
                _ => bail!("the watch broke off: {event}"),
            }
        }
        process.kill();
        self.resources.forget(&process);
        Ok(())
    }
}

/// Makes the folder's files those of the Secret. Each is there whole or not at all.
fn write(folder: &Path, data: &Value) -> Result<()> {
    let data: BTreeMap<String, String> = serde_json::from_value(data.clone()).unwrap_or_default();
    for (name, value) in &data {
        let new = folder.join(format!(".{name}"));
        fs::write(&new, BASE64_STANDARD.decode(value).context("a Secret's data is not base64")?)?;
        fs::rename(new, folder.join(name))?;
    }
    for file in fs::read_dir(folder)? {
        let file = file?;
        if !data.contains_key(&*file.file_name().to_string_lossy()) {
            fs::remove_file(file.path())?;
        }
    }
    Ok(())
}
