//! Weir's kinds, installed from the chart as its users get them.

use std::fs;
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};

use super::ControlPlane;
use crate::deadline::eventually;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/weir-crds/templates");

impl ControlPlane {
    /// Installs the kinds of `charts/weir-crds` and waits until they are served. Gives their names.
    ///
    /// # Panics
    /// When the API server refuses one, or does not accept its names within half a minute.
    pub async fn install_crds(&self) -> Vec<String> {
        let api: Api<CustomResourceDefinition> = Api::all(self.client().await);
        let mut names = Vec::new();
        for kind in chart() {
            let name = kind.name_any();
            let force = PatchParams::apply("weir-e2e").force();
            let applied = api.patch(&name, &force, &Patch::Apply(&kind)).await;
            applied.unwrap_or_else(|error| panic!("{name}: {error}"));
            names.push(name);
        }
        for name in &names {
            let established = async || api.get(name).await.ok().filter(is_established);
            eventually(&format!("the kind {name}"), Duration::from_secs(30), established).await;
        }
        names
    }
}

fn chart() -> Vec<CustomResourceDefinition> {
    let files = fs::read_dir(CHART).expect("the chart is in the repository");
    let read = |path: &std::path::Path| fs::read_to_string(path).expect("the chart is readable");
    let parse = |text: &str| serde_yaml::from_str(text).expect("a CRD");
    files.map(|file| parse(&read(&file.expect("the chart is readable").path()))).collect()
}

fn is_established(kind: &CustomResourceDefinition) -> bool {
    let conditions = kind.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Established" && condition.status == "True")
}
