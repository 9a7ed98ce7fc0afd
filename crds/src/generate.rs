//! The CRDs as files.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use crate::collector::FlowCollector;
use crate::profile::FlowProfile;
use crate::target::ExportTarget;

/// The CRDs, as the API server is given them.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    [FlowCollector::crd(), FlowProfile::crd(), ExportTarget::crd()].into_iter().map(kept).collect()
}

/// File names (`<plural>.yaml`) and texts, as they stand in the chart.
///
/// # Panics
/// Never: a CRD is plain data.
#[allow(clippy::expect_used, reason = "see Panics")]
pub fn manifests() -> Vec<(String, String)> {
    let text = |crd: &CustomResourceDefinition| serde_yaml::to_string(crd).expect("a CRD is plain data");
    let file = |crd: CustomResourceDefinition| (format!("{}.yaml", crd.spec.names.plural), text(&crd));
    definitions().into_iter().map(file).collect()
}

/// Removing the chart must not remove every collector and profile with it.
fn kept(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let annotations = crd.metadata.annotations.get_or_insert_default();
    annotations.insert("helm.sh/resource-policy".to_owned(), "keep".to_owned());
    crd
}
