//! The kinds of objects that the operator looks at, and how it finds its own among them.

use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{
    ConfigMap, Namespace, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, Role, RoleBinding};
use kube::Resource;
use kube::core::{ApiResource, GroupVersionKind};

use crds::collector::FlowCollector;
use crds::profile::FlowProfile;
use crds::target::ExportTarget;

/// Names the operator installation: `<namespace>.<release>`. Two installations never touch each other's objects.
pub const CONTROLLER: &str = "weir.dev/controller";
/// Names the FlowCollector, in the object's own namespace.
pub const COLLECTOR: &str = "weir.dev/collector";
/// UID of the FlowCollector: one that was made anew under an old name is another one.
pub const COLLECTOR_UID: &str = "weir.dev/collector-uid";
/// The FlowCollector's namespace, on objects that have none.
pub const COLLECTOR_NAMESPACE: &str = "weir.dev/collector-namespace";

/// A kind that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "Kubernetes' names")]
pub enum Kind {
    FlowCollector,
    FlowProfile,
    ExportTarget,
    Namespace,
    DaemonSet,
    Deployment,
    Pod,
    ConfigMap,
    Secret,
    Service,
    ServiceAccount,
    PersistentVolumeClaim,
    NetworkPolicy,
    Role,
    RoleBinding,
    ClusterRoleBinding,
    ControllerRevision,
    ServiceMonitor,
}

impl Kind {
    /// What the administrator writes.
    pub const OURS: [Self; 3] = [Self::FlowCollector, Self::FlowProfile, Self::ExportTarget];

    /// What the operator makes for a FlowCollector and watches. Secrets are not among them: the right to watch them is
    /// the right to read them all.
    pub const OWNED: [Self; 12] = [
        Self::DaemonSet,
        Self::Deployment,
        Self::Pod,
        Self::ConfigMap,
        Self::Service,
        Self::ServiceAccount,
        Self::PersistentVolumeClaim,
        Self::NetworkPolicy,
        Self::Role,
        Self::RoleBinding,
        Self::ClusterRoleBinding,
        Self::ControllerRevision,
    ];

    /// How the API server calls it.
    pub fn resource(self) -> ApiResource {
        match self {
            Self::FlowCollector => of::<FlowCollector>(),
            Self::FlowProfile => of::<FlowProfile>(),
            Self::ExportTarget => of::<ExportTarget>(),
            Self::Namespace => of::<Namespace>(),
            Self::DaemonSet => of::<DaemonSet>(),
            Self::Deployment => of::<Deployment>(),
            Self::Pod => of::<Pod>(),
            Self::ConfigMap => of::<ConfigMap>(),
            Self::Secret => of::<Secret>(),
            Self::Service => of::<Service>(),
            Self::ServiceAccount => of::<ServiceAccount>(),
            Self::PersistentVolumeClaim => of::<PersistentVolumeClaim>(),
            Self::NetworkPolicy => of::<NetworkPolicy>(),
            Self::Role => of::<Role>(),
            Self::RoleBinding => of::<RoleBinding>(),
            Self::ClusterRoleBinding => of::<ClusterRoleBinding>(),
            Self::ControllerRevision => of::<ControllerRevision>(),
            Self::ServiceMonitor => service_monitor(),
        }
    }

    /// Whether objects of this kind lie in namespaces.
    pub fn is_namespaced(self) -> bool {
        !matches!(self, Self::Namespace | Self::ClusterRoleBinding)
    }

    /// Whether the operator makes objects of this kind; those of others are never even loaded.
    pub fn is_owned(self) -> bool {
        Self::OWNED.contains(&self)
    }

    /// The kind that an object states.
    pub fn of(gvk: &GroupVersionKind) -> Option<Self> {
        let all = Self::OURS
            .into_iter()
            .chain([Self::Namespace, Self::Secret, Self::ServiceMonitor])
            .chain(Self::OWNED);
        all.into_iter().find(|kind| {
            let resource = kind.resource();
            resource.kind == gvk.kind && resource.group == gvk.group
        })
    }

    /// `FlowCollector`.
    pub fn name(self) -> String {
        self.resource().kind
    }
}

/// Of prometheus-operator, where that is there: nothing watches it.
fn service_monitor() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("monitoring.coreos.com", "v1", "ServiceMonitor"))
}

fn of<K: Resource<DynamicType = ()>>() -> ApiResource {
    ApiResource::erase::<K>(&())
}
