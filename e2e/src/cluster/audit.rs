//! What the API server's audit log says: who asked for what, and what came of it.
//!
//! The log holds each request once it was answered, but the reads of the cluster's own programs.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// For the API server's `--audit-policy-file`.
pub(crate) const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    verbs: [get, list, watch]
    users: [system:anonymous, system:apiserver, system:kube-controller-manager, system:kube-scheduler]
  - level: None
    verbs: [get, list, watch]
    userGroups: [system:nodes, system:serviceaccounts:kube-system]
  - level: Metadata
";

/// The audit log of a control plane.
#[derive(Clone, Debug)]
pub struct AuditLog {
    path: PathBuf,
}

/// A moment in the log.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

/// A request that was answered.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct Request {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// `/api/v1/namespaces/demo/configmaps/x?fieldManager=weir-operator`
    #[serde(rename = "requestURI")]
    pub uri: String,
    /// The program, as it calls itself.
    pub user_agent: String,
    /// Who it is: `system:serviceaccount:weir-system:weir-operator`.
    pub user: User,
    /// What it is about; empty for `/readyz` and the like.
    #[serde(rename = "objectRef")]
    pub object: Object,
    /// What was answered.
    #[serde(rename = "responseStatus")]
    pub answer: Answer,
    /// When it came: RFC 3339 with microseconds.
    #[serde(rename = "requestReceivedTimestamp")]
    pub received: String,
}

/// Who asked.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct User {
    /// `system:admin`, `system:serviceaccount:NAMESPACE:NAME`.
    #[serde(rename = "username")]
    pub name: String,
}

/// What a request is about. Fields that do not apply are empty; a created object has its name in the answer only,
/// if the server chose it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct Object {
    /// `apps`; empty for the core group.
    pub api_group: String,
    /// `deployments`
    pub resource: String,
    /// `status`, `token`
    pub subresource: String,
    /// `demo`
    pub namespace: String,
    /// `edge`
    pub name: String,
}

/// What was answered.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct Answer {
    /// The HTTP status: 200, 201, 403, 409 ...
    pub code: u16,
}

impl AuditLog {
    pub(crate) fn of(folder: &Path) -> Self {
        Self { path: folder.join("audit.log") }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The end of the log as it is now. A request is logged before its answer is sent: what was answered is before
    /// the mark.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.text().len())
    }

    /// The requests since a mark, in the order of their answers; a watch counts when it ends.
    ///
    /// # Panics
    /// When a line is no audit event.
    #[must_use]
    pub fn since(&self, mark: Mark) -> Vec<Request> {
        let text = self.text();
        let whole = text.rfind('\n').map_or(0, |end| end + 1).max(mark.0);
        let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        text[mark.0..whole].lines().map(read).collect()
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).expect("the API server writes its audit log")
    }
}

impl Request {
    /// Whether it may have changed something: neither a read, nor a question in the form of an object (a review).
    #[must_use]
    pub fn writes(&self) -> bool {
        let reads = ["get", "list", "watch"].contains(&self.verb.as_str());
        let asks = self.object.resource.ends_with("reviews");
        !reads && !asks
    }

    /// Whether it renews, takes or gives up a Lease.
    #[must_use]
    pub fn is_of_a_lease(&self) -> bool {
        self.object.api_group == "coordination.k8s.io" && self.object.resource == "leases"
    }

    /// Whether the API server refused it for want of a right.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.answer.code == 403
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"kind":"Event","level":"Metadata","stage":"ResponseComplete","requestURI":"/api/v1/x","verb":"patch","user":{"username":"a","groups":["b"]},"userAgent":"weir","objectRef":{"resource":"leases","apiGroup":"coordination.k8s.io","name":"n"},"responseStatus":{"metadata":{},"code":403}}"#;

    #[test]
    fn a_line_that_is_still_being_written_is_left_for_later() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::of(folder.path());
        fs::write(log.path(), "").unwrap();
        let start = log.mark();
        fs::write(log.path(), format!("{LINE}\n{}", &LINE[..40])).unwrap();
        let requests = log.since(start);
        assert_eq!(requests.len(), 1);
        assert!(requests[0].writes() && requests[0].is_of_a_lease() && requests[0].is_forbidden());
    }
}
