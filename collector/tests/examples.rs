//! The examples are complete and right: every object of our kinds in them is accepted.

use std::fs;
use std::path::{Path, PathBuf};

use collector::manifest;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// Every folder below `examples` that holds YAML.
fn scenarios() -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![examples()]);
    while let Some(folder) = open.pop() {
        let entries: Vec<PathBuf> =
            fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
        if entries.iter().any(|path| path.extension().is_some_and(|end| end == "yaml")) {
            found.push(folder);
        }
        open.extend(entries.into_iter().filter(|path| path.is_dir()));
    }
    found.sort();
    found
}

#[test]
fn every_object_in_the_examples_is_accepted_and_what_is_not_ours_is_all_that_is_passed_over() {
    let mut objects = 0;
    for folder in scenarios() {
        let report = manifest::validate(std::slice::from_ref(&folder));
        let problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, [""; 0], "{}", folder.display());
        for note in report.notes.iter().map(ToString::to_string) {
            let harmless = ["is none of Weir's kinds", "not a Kubernetes object", "acts in a cluster only"];
            assert!(harmless.iter().any(|part| note.contains(part)), "{note}");
        }
        objects += report.objects;
    }
    assert!(objects > 10, "only {objects} objects were found");
}

#[test]
fn every_scenario_says_what_it_is_for() {
    for folder in scenarios().iter().filter(|folder| !folder.ends_with("quickstart")) {
        let text = fs::read_to_string(folder.join("README.md")).unwrap_or_default();
        assert!(text.starts_with("# ") && text.contains("```sh"), "{}: README.md", folder.display());
        for entry in fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let told = name == "README.md" || text.contains(&name) || text.contains(&folder_argument(folder));
            assert!(told, "{}: README.md does not speak of {name}", folder.display());
        }
    }
}

/// `examples/teams`, as a README has it in a command.
fn folder_argument(folder: &Path) -> String {
    let inside = folder.strip_prefix(examples()).unwrap_or(folder);
    format!("-f examples/{}\n", inside.display())
}

#[test]
fn argo_cd_gets_the_same_script_for_each_kind() {
    let folder = examples().join("gitops/argocd");
    let script = fs::read_to_string(folder.join("health.lua")).unwrap();
    let patch: serde_yaml::Value =
        serde_yaml::from_str(&fs::read_to_string(folder.join("health.yaml")).unwrap()).unwrap();
    let data = patch["data"].as_mapping().unwrap();
    let kinds: Vec<String> = crds::definitions().into_iter().map(|crd| crd.spec.names.kind).collect();
    assert_eq!(data.len(), kinds.len());
    for kind in kinds {
        let key = format!("resource.customizations.health.weir.dev_{kind}");
        assert_eq!(data.get(key.as_str()).and_then(|text| text.as_str()), Some(script.as_str()), "{kind}");
    }
}
