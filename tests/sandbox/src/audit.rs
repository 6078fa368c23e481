//! What the API server wrote down about everyone's requests, and how that compares with the rights they were granted.

use std::{
    collections::BTreeSet,
    fmt,
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::cluster::Cluster;

/// One request, as the API server logged it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// The user: `system:serviceaccount:NAMESPACE:NAME` for a ServiceAccount.
    pub user: String,
    /// Kubernetes' verb: get, list, watch, create, update, patch, delete, deletecollection.
    pub verb: String,
    /// API group; empty for the core.
    pub group: String,
    /// Resource with its subresource, such as `services/status`; the path where the request is for none.
    pub resource: String,
    /// Empty for a request across the cluster.
    pub namespace: String,
    /// Empty where the request names none.
    pub name: String,
    /// HTTP's status code.
    pub code: u64,
    /// The API server's words about a refusal.
    pub message: String,
    /// The id of the token that it came with; empty where that was none of a ServiceAccount's.
    pub credential: String,
    /// When the API server received it, since 1970.
    pub received: Duration,
    /// When it had been answered, since 1970; of a watch, when that began.
    pub answered: Duration,
}

/// One right of a ServiceAccount: a rule of one of its roles, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The verb.
    pub verb: String,
    /// API group; empty for the core.
    pub group: String,
    /// Resource with its subresource.
    pub resource: String,
    /// None: in all namespaces.
    pub namespace: Option<String>,
    /// None: whatever the name.
    pub name: Option<String>,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in {namespace}"),
            None => f.write_str(" everywhere"),
        }
    }
}

impl Grant {
    fn admits(&self, request: &Request) -> bool {
        self.verb == request.verb
            && self.group == request.group
            && self.resource == request.resource
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == request.namespace)
            && self.name.as_ref().is_none_or(|name| *name == request.name)
    }
}

/// A ServiceAccount's rights beside what it did.
#[derive(Clone, Debug)]
pub struct Rights {
    /// All that it may do by roles bound to it by name.
    pub granted: BTreeSet<Grant>,
    /// Those of them that no request has used.
    pub unused: Vec<Grant>,
    /// Its requests that were refused (403).
    pub refused: Vec<Request>,
}

/// What the API server writes down from some moment on.
#[derive(Clone, Debug)]
pub struct AuditTail {
    path: PathBuf,
    /// So many bytes of it.
    read: u64,
}

impl AuditTail {
    /// What was answered since this was asked last.
    ///
    /// # Errors
    /// When the audit log cannot be read.
    pub fn read(&mut self) -> Result<Vec<Request>> {
        Ok(Self::requests(&self.lines()?))
    }

    /// The same as it is written, which costs next to nothing: for [`AuditTail::requests`].
    ///
    /// # Errors
    /// When the audit log cannot be read.
    pub fn lines(&mut self) -> Result<String> {
        let mut text = String::new();
        let mut log = File::open(&self.path).context("cannot read the audit log")?;
        log.seek(SeekFrom::Start(self.read))?;
        log.read_to_string(&mut text)?;
        // The last line may still be being written.
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        self.read += text.len() as u64;
        Ok(text)
    }

    /// The requests that these lines are about.
    pub fn requests(lines: &str) -> Vec<Request> {
        lines.lines().filter_map(|line| serde_json::from_str(line).ok()).map(|entry| request(&entry)).collect()
    }
}

impl Cluster {
    /// All requests so far, in the order of their answers. A watch is there from its start.
    ///
    /// # Errors
    /// When the audit log cannot be read.
    pub fn audit(&self) -> Result<Vec<Request>> {
        AuditTail { path: self.audit_path(), read: 0 }.read()
    }

    /// Follows the requests that are answered from now on.
    ///
    /// # Errors
    /// When the audit log cannot be read.
    pub fn audit_tail(&self) -> Result<AuditTail> {
        let path = self.audit_path();
        let read = fs::metadata(&path).context("cannot read the audit log")?.len();
        Ok(AuditTail { path, read })
    }

    fn audit_path(&self) -> PathBuf {
        self.folder().join("audit.log")
    }

    /// Compares what ServiceAccount `namespace`/`name` may do with what it has done so far.
    ///
    /// # Errors
    /// When roles or audit log cannot be read.
    pub fn rights(&self, namespace: &str, name: &str) -> Result<Rights> {
        let user = format!("system:serviceaccount:{namespace}:{name}");
        let own: Vec<Request> = self.audit()?.into_iter().filter(|request| request.user == user).collect();
        let (refused, used): (Vec<_>, Vec<_>) = own.into_iter().partition(|request| request.code == 403);
        let granted = self.granted(namespace, name)?;
        let unused = granted.iter().filter(|grant| !used.iter().any(|request| grant.admits(request)));
        Ok(Rights { unused: unused.cloned().collect(), refused, granted })
    }

    fn granted(&self, namespace: &str, name: &str) -> Result<BTreeSet<Grant>> {
        const API: &str = "/apis/rbac.authorization.k8s.io/v1";
        let mut granted = BTreeSet::new();
        for bindings in ["clusterrolebindings", "rolebindings"] {
            for binding in items(&self.api().get(&format!("{API}/{bindings}"))?) {
                let bound = items_of(&binding["subjects"]).iter().any(|subject| {
                    subject["kind"] == "ServiceAccount" && subject["namespace"] == namespace && subject["name"] == name
                });
                if !bound {
                    continue;
                }
                let scope = binding["metadata"]["namespace"].as_str();
                let role = word(&binding["roleRef"]["name"]);
                let path = match (word(&binding["roleRef"]["kind"]).as_str(), scope) {
                    ("Role", Some(scope)) => format!("{API}/namespaces/{scope}/roles/{role}"),
                    _ => format!("{API}/clusterroles/{role}"),
                };
                for rule in items_of(&self.api().get(&path)?["rules"]) {
                    granted.extend(take_apart(rule, scope));
                }
            }
        }
        Ok(granted)
    }
}

/// A rule's rights one by one.
fn take_apart(rule: &Value, namespace: Option<&str>) -> Vec<Grant> {
    let words = |key: &str| items_of(&rule[key]).iter().map(word).collect::<Vec<_>>();
    let names = words("resourceNames");
    let names = if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() };
    let mut grants = Vec::new();
    for verb in words("verbs") {
        for group in words("apiGroups") {
            for resource in words("resources") {
                for name in &names {
                    grants.push(Grant {
                        verb: verb.clone(),
                        group: group.clone(),
                        resource: resource.clone(),
                        namespace: namespace.map(str::to_owned),
                        name: name.clone(),
                    });
                }
            }
        }
    }
    grants
}

fn request(entry: &Value) -> Request {
    let object = &entry["objectRef"];
    let resource = match (object["resource"].as_str(), object["subresource"].as_str()) {
        (Some(resource), Some(subresource)) => format!("{resource}/{subresource}"),
        (Some(resource), None) => resource.to_owned(),
        (None, _) => word(&entry["requestURI"]),
    };
    Request {
        user: word(&entry["user"]["username"]),
        verb: word(&entry["verb"]),
        group: word(&object["apiGroup"]),
        resource,
        namespace: word(&object["namespace"]),
        name: word(&object["name"]),
        code: entry["responseStatus"]["code"].as_u64().unwrap_or(0),
        message: word(&entry["responseStatus"]["message"]),
        credential: word(&entry["user"]["extra"]["authentication.kubernetes.io/credential-id"][0]),
        received: since_1970(&entry["requestReceivedTimestamp"]),
        answered: since_1970(&entry["stageTimestamp"]),
    }
}

fn since_1970(time: &Value) -> Duration {
    let parsed = time.as_str().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    let nanos = parsed.map_or(0, OffsetDateTime::unix_timestamp_nanos);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or_default())
}

fn items(list: &Value) -> &[Value] {
    items_of(&list["items"])
}

fn items_of(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::{request, take_apart};

    #[test]
    fn a_grant_admits_what_the_api_server_would_allow() {
        let rule = json!({"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["landfall"],
            "verbs": ["list", "watch"]});
        let grants = take_apart(&rule, Some("landfall-system"));
        assert_eq!(grants.len(), 2);
        let entry = |verb: &str, namespace: &str, name: &str| {
            request(&json!({"verb": verb, "user": {"username": "u"}, "responseStatus": {"code": 200},
                "objectRef": {"resource": "configmaps", "namespace": namespace, "name": name}}))
        };
        for (verb, namespace, name, admitted) in [
            ("list", "landfall-system", "landfall", true),
            ("watch", "landfall-system", "landfall", true),
            ("get", "landfall-system", "landfall", false),
            ("list", "landfall-system", "", false),
            ("list", "landfall-system", "other", false),
            ("list", "default", "landfall", false),
        ] {
            let request = entry(verb, namespace, name);
            assert_eq!(grants.iter().any(|grant| grant.admits(&request)), admitted, "{request:?}");
        }
    }

    #[test]
    fn a_request_has_its_times() {
        let entry = json!({"requestReceivedTimestamp": "2026-11-26T10:00:00.000250Z",
            "stageTimestamp": "2026-11-26T10:00:01.500000Z"});
        let request = request(&entry);
        assert_eq!(request.answered - request.received, Duration::from_micros(1_499_750));
        assert_eq!(request.received.as_secs(), 1_795_687_200);
    }

    #[test]
    fn a_subresource_is_a_resource_of_its_own() {
        let grants =
            take_apart(&json!({"apiGroups": [""], "resources": ["services/status"], "verbs": ["patch"]}), None);
        let object = json!({"resource": "services", "subresource": "status", "namespace": "default", "name": "web"});
        let status = request(&json!({"verb": "patch", "objectRef": object}));
        let whole = request(&json!({"verb": "patch", "objectRef": {"resource": "services", "namespace": "default"}}));
        assert!(grants[0].admits(&status));
        assert!(!grants[0].admits(&whole));
    }
}
