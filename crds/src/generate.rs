//! The CRDs as files.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::json;

use crate::collector::FlowCollector;
use crate::profile::FlowProfile;
use crate::target::ExportTarget;

/// The CRDs, as the API server is given them.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    let made = [FlowCollector::crd(), FlowProfile::crd(), ExportTarget::crd()];
    made.into_iter().map(kept).map(unobserved).map(plain).collect()
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

/// An object that no operator has looked at yet says so: tools that wait for a status (kstatus) see a generation
/// behind the spec's, and not an object that is done.
fn unobserved(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let schema = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
        let properties = schema.and_then(|schema| schema.properties.as_mut());
        if let Some(status) = properties.and_then(|properties| properties.get_mut("status")) {
            status.default = Some(JSON(json!({ "observedGeneration": -1 })));
        }
    }
    crd
}

/// What the derives say in Rust's way, said in Kubernetes' way.
fn plain(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let schemas = crd.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut());
    for schema in schemas.filter_map(|schema| schema.open_api_v3_schema.as_mut()) {
        each(schema, &mut |schema| {
            // A field without a value is absent: the API server drops null where the schema does not speak of it.
            // (Where it allows null it keeps it, and an enumeration refuses it.)
            schema.nullable = None;
            // `kubectl explain` breaks lines itself, and keeps those that are there.
            schema.description = schema.description.take().map(|text| text.replace('\n', " "));
        });
    }
    crd
}

/// Calls `change` with a schema and all inside of it.
fn each(schema: &mut JSONSchemaProps, change: &mut impl FnMut(&mut JSONSchemaProps)) {
    change(schema);
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        each(property, change);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        each(items, change);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        each(values, change);
    }
}
