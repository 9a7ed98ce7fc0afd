//! The charts: what Helm makes of them, with which values, and what it refuses.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fs;

use e2e::chart::{self, NAMESPACE, objects, readme, template, title};
use serde_json::Value;

#[path = "charts/monitoring.rs"]
mod monitoring;
#[path = "charts/rights.rs"]
mod rights;

/// Values that turn on everything that is off by default.
const MONITORING: &str = "monitoring.serviceMonitor.enabled=true,monitoring.prometheusRule.enabled=true,\
                          monitoring.dashboard.enabled=true";

/// Arguments of `helm template`, each a way to install.
const VARIANTS: &[&[&str]] = &[
    &[],
    &["--set", "watchNamespaces={flows,tenants}"],
    &["--set", MONITORING],
    &["--set", "crds.enabled=false"],
    &["--set", "replicas=1,rbac.shared=false,viewer.enabled=false,networkPolicy.enabled=false"],
    &["--set", "image.registry=registry.example.com/network,image.tag=1.2.3,image.pullSecrets={pull}"],
    &["--set", "priorityClassName=system-cluster-critical,nodeSelector.zone=a,podLabels.team=net"],
    &["--set", "podAnnotations.note=x,tolerations[0].operator=Exists,log.format=text,log.level=debug"],
];

fn rendered(arguments: &[&str]) -> Vec<Value> {
    objects(&template(arguments).unwrap())
}

fn file(path: &str) -> String {
    fs::read_to_string(chart::root().join(path)).unwrap()
}

/// Compares with a committed file, or writes it: `UPDATE_GOLDEN=1`.
fn assert_fresh(path: &str, expected: &str) {
    let place = chart::root().join(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&place, expected).unwrap();
    }
    let committed = fs::read_to_string(&place).unwrap_or_default();
    assert!(committed == expected, "{path} is stale: run `make generate`");
}

fn named<'a>(objects: &'a [Value], wanted: &str) -> &'a Value {
    let found = objects.iter().find(|object| title(object) == wanted);
    found
        .unwrap_or_else(|| panic!("{wanted} is missing: {:?}", objects.iter().map(title).collect::<Vec<_>>()))
}

fn has(objects: &[Value], kind: &str) -> bool {
    objects.iter().any(|object| object["kind"] == kind)
}

#[test]
fn helm_lint_finds_nothing() {
    for chart in ["charts/weir", "charts/weir-crds"] {
        chart::helm(&["lint", "--strict", chart]).unwrap();
    }
}

#[test]
fn every_variant_renders_to_distinct_named_and_labelled_objects() {
    for variant in VARIANTS {
        let objects = rendered(variant);
        let mut places: Vec<String> = objects
            .iter()
            .map(|object| format!("{} {}", title(object), object["metadata"]["namespace"]))
            .collect();
        places.sort_unstable();
        let all = places.len();
        places.dedup();
        assert_eq!(places.len(), all, "{variant:?}: an object stands twice");
        for object in objects.iter().filter(|object| object["kind"] != "CustomResourceDefinition") {
            let labels = &object["metadata"]["labels"];
            // The operator's Services must not select the pod of `helm test`.
            let hook = object["metadata"]["annotations"]["helm.sh/hook"].is_string();
            let name = if hook { "weir-test" } else { "weir-operator" };
            for (label, value) in [("name", name), ("instance", "weir"), ("part-of", "weir")] {
                let label = format!("app.kubernetes.io/{label}");
                assert_eq!(labels[label.as_str()], value, "{variant:?}: {}", title(object));
            }
        }
    }
}

#[test]
fn the_same_values_render_to_the_same_bytes() {
    for variant in VARIANTS {
        assert_eq!(template(variant), template(variant));
    }
    let templates = chart::root().join("charts/weir/templates");
    let files = [templates.clone(), templates.join("tests")].map(|folder| fs::read_dir(folder).unwrap());
    for path in files.into_iter().flatten().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        let text = fs::read_to_string(path).unwrap();
        for word in
            ["lookup", "rand", "genCA", "genSelfSigned", "genPrivateKey", "genSigned", "now ", "uuidv4"]
        {
            assert!(!text.contains(word), "a template asks for {word}: it renders differently each time");
        }
    }
}

#[test]
fn what_the_operator_makes_at_run_time_is_not_in_the_chart() {
    for variant in VARIANTS {
        let objects = rendered(variant);
        for kind in
            ["Lease", "Secret", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "Namespace"]
        {
            assert!(!has(&objects, kind), "{variant:?}: {kind}");
        }
    }
}

#[test]
fn values_that_fit_no_field_are_refused_by_the_name_of_the_field() {
    for (wrong, told) in [
        ("replica=2", "additional properties 'replica' not allowed"),
        ("replicas=0", "'/replicas': minimum"),
        ("replicas=many", "'/replicas': got string, want integer"),
        ("log.level=loud", "'/log/level': value must be one of 'error', 'warn', 'info', 'debug', 'trace'"),
        ("image.tags=1", "'/image': additional properties 'tags' not allowed"),
        ("image.weir.digest=sha256:1", "'/image/weir/digest': 'sha256:1' does not match pattern"),
        ("watchNamespaces={A_b}", "'/watchNamespaces/0': 'A_b' does not match pattern"),
        ("watchNamespaces=a", "'/watchNamespaces': got string, want array"),
        ("collectors.hostPathPrefix=var", "'/collectors/hostPathPrefix': 'var' does not match pattern"),
        ("test.seconds=5", "'/test/seconds': minimum"),
        ("resources.limits.memory=lots", "'/resources/limits/memory': 'lots' does not match pattern"),
    ] {
        let refusal = template(&["--set", wrong]).expect_err(wrong);
        assert!(refusal.contains(told), "{wrong}: {refusal}");
    }
}

#[test]
fn every_image_comes_from_the_values() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let set = format!("image.registry=registry.example.com/n,image.tag=9.9.9,image.weir.digest={digest}");
    let objects = rendered(&["--set", &set]);
    let mut images = Vec::new();
    for object in &objects {
        each(object, &mut |key, value| match (key, value) {
            ("image", Value::String(image)) => images.push(image.clone()),
            ("args", Value::Array(arguments)) => {
                let named =
                    arguments.iter().filter_map(|argument| argument.as_str()?.strip_prefix("--image="));
                images.extend(named.map(str::to_owned));
            }
            _ => {}
        });
    }
    assert!(images.contains(&"registry.example.com/n/weir-operator:9.9.9".to_owned()), "{images:?}");
    assert!(images.contains(&format!("registry.example.com/n/weir@{digest}")), "{images:?}");
    assert!(images.iter().all(|image| image.starts_with("registry.example.com/n/")), "{images:?}");
}

fn each(value: &Value, seen: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                seen(key, value);
                each(value, seen);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each(item, seen)),
        _ => {}
    }
}

#[test]
fn the_crds_come_with_the_chart_stay_when_it_goes_and_can_be_left_out() {
    let objects = rendered(&[]);
    let crds: Vec<_> = objects.iter().filter(|object| object["kind"] == "CustomResourceDefinition").collect();
    assert_eq!(crds.len(), crds::definitions().len());
    for crd in crds {
        assert_eq!(crd["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    }
    assert!(!has(&rendered(&["--set", "crds.enabled=false"]), "CustomResourceDefinition"));
}

#[test]
fn every_pod_keeps_to_the_restricted_level() {
    let objects = rendered(&[]);
    let mut pods: Vec<(String, &Value)> = Vec::new();
    for object in &objects {
        match object["kind"].as_str().unwrap() {
            "Deployment" => pods.push((title(object), &object["spec"]["template"]["spec"])),
            "Pod" => {
                assert_eq!(object["metadata"]["annotations"]["helm.sh/hook"], "test", "a pod of its own");
                pods.push((title(object), &object["spec"]));
            }
            _ => {}
        }
    }
    assert!(!pods.is_empty());
    for (name, pod) in pods {
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        assert!(pod["hostNetwork"].is_null() && pod["hostPID"].is_null(), "{name}");
        let init = pod["initContainers"].as_array().into_iter().flatten();
        for container in pod["containers"].as_array().unwrap().iter().chain(init) {
            let context = &container["securityContext"];
            assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(context["readOnlyRootFilesystem"], true, "{name}");
            assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]), "{name}");
            assert!(context["capabilities"]["add"].is_null(), "{name}");
        }
    }
}

/// Hooks are no part of the release: Helm makes them when it is asked to test.
#[test]
fn the_test_s_collector_is_one_that_weir_accepts_in_a_namespace_that_the_operator_looks_at() {
    for (variant, namespace) in [(None, NAMESPACE), (Some("watchNamespaces={flows,tenants}"), "flows")] {
        let objects = rendered(&variant.map_or(vec![], |values| vec!["--set", values]));
        let is_hook = |object: &&Value| object["metadata"]["annotations"]["helm.sh/hook"] == "test";
        let hooks: Vec<&Value> = objects.iter().filter(is_hook).collect();
        assert_eq!(hooks.len(), 4);
        let folder = tempfile::tempdir().unwrap();
        for hook in hooks {
            assert_eq!(hook["metadata"]["namespace"], namespace, "{}", title(hook));
            if hook["kind"] == "FlowCollector" {
                fs::write(folder.path().join("collector.yaml"), hook.to_string()).unwrap();
            }
        }
        let report = collector::manifest::validate(&[folder.path().to_owned()]);
        assert_eq!((report.objects, report.problems.len()), (1, 0), "{:?}", report.problems);
    }
}

#[test]
fn a_single_operator_can_be_drained_and_several_are_spread_and_guarded() {
    assert!(!has(&rendered(&["--set", "replicas=1"]), "PodDisruptionBudget"));
    let objects = rendered(&[]);
    assert_eq!(named(&objects, "PodDisruptionBudget/weir-operator")["spec"]["maxUnavailable"], 1);
    let pod = &named(&objects, "Deployment/weir-operator")["spec"]["template"]["spec"];
    assert_eq!(pod["topologySpreadConstraints"][0]["topologyKey"], "kubernetes.io/hostname");
}

#[test]
fn selectors_select_the_operators_pods_and_no_selector_holds_a_version() {
    let objects = rendered(&["--set", MONITORING]);
    let deployment = named(&objects, "Deployment/weir-operator");
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    let selectors = [
        &deployment["spec"]["selector"]["matchLabels"],
        &deployment["spec"]["template"]["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
        &named(&objects, "Service/weir-operator-enroll")["spec"]["selector"],
        &named(&objects, "Service/weir-operator-metrics")["spec"]["selector"],
        &named(&objects, "PodDisruptionBudget/weir-operator")["spec"]["selector"]["matchLabels"],
        &named(&objects, "NetworkPolicy/weir-operator")["spec"]["podSelector"]["matchLabels"],
    ];
    for selector in selectors {
        for (label, value) in selector.as_object().unwrap() {
            assert_eq!(&labels[label], value, "{selector}");
            assert!(!label.contains("version") && !label.contains("chart"), "{selector}");
        }
    }
    let monitor = named(&objects, "ServiceMonitor/weir-operator");
    let service = &named(&objects, "Service/weir-operator-metrics")["metadata"]["labels"];
    for (label, value) in monitor["spec"]["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&service[label], value);
    }
}

#[test]
fn what_artifact_hub_is_told_of_the_kinds_is_what_the_kinds_are() {
    let chart = objects(&file("charts/weir/Chart.yaml")).remove(0);
    let told = |key: &str| {
        let text = chart["annotations"][format!("artifacthub.io/{key}").as_str()].as_str().unwrap();
        objects(text).remove(0).as_array().unwrap().clone()
    };
    let mut names: Vec<String> =
        crds::definitions().iter().map(|crd| crd.metadata.name.clone().unwrap()).collect();
    let mut listed: Vec<String> =
        told("crds").iter().map(|crd| crd["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    listed.sort();
    assert_eq!(listed, names);
    let folder = tempfile::tempdir().unwrap();
    let examples = told("crdsExamples");
    for (number, example) in examples.iter().enumerate() {
        fs::write(folder.path().join(format!("{number}.yaml")), example.to_string()).unwrap();
    }
    let report = collector::manifest::validate(&[folder.path().to_owned()]);
    assert_eq!((report.objects, report.problems.len()), (names.len(), 0), "{:?}", report.problems);
}

#[test]
fn the_readme_lists_every_value_as_the_file_explains_it() {
    let values = file("charts/weir/values.yaml");
    let parsed: Value = objects(&values).remove(0);
    let expected = readme::render(&file("charts/weir/README.md.in"), &values, &parsed);
    assert_fresh("charts/weir/README.md", &expected);
}

#[test]
fn every_value_is_explained_and_stands_in_the_schema_and_the_schema_has_no_other() {
    let values = file("charts/weir/values.yaml");
    let explained = readme::documented(&values);
    let parsed = objects(&values).remove(0);
    let schema: Value = serde_json::from_str(&file("charts/weir/values.schema.json")).unwrap();
    let mut paths = Vec::new();
    leaves(&parsed, &schema, "", &mut paths);
    let mut explained: Vec<String> = explained.into_iter().map(|value| value.path).collect();
    explained.sort_unstable();
    paths.sort_unstable();
    assert_eq!(paths, explained, "values in the file, and values with a comment");
}

/// Walks values and schema together: the same keys, down to where the schema leaves keys open.
fn leaves(values: &Value, schema: &Value, path: &str, found: &mut Vec<String>) {
    let open = ["additionalProperties", "properties"].iter().all(|key| !schema[*key].is_object());
    let free = schema["additionalProperties"] != false || path == "resources";
    let (Some(fields), false) = (values.as_object(), open || free) else {
        found.push(path.to_owned());
        return;
    };
    let others = ["global", "weir-crds"];
    let known = schema["properties"].as_object().unwrap();
    for key in known.keys().filter(|key| !others.contains(&key.as_str())) {
        assert!(fields.contains_key(key), "{path}.{key} stands in the schema alone");
    }
    for (key, value) in fields {
        let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        leaves(value, known.get(key).unwrap_or_else(|| panic!("{inner} has no schema")), &inner, found);
    }
}

#[test]
fn kustomize_makes_what_helm_makes_in_a_namespace_of_the_restricted_level() {
    let rendered = template(&["--skip-tests", "--set", "crds.enabled=false"]).unwrap();
    let head = "# Made from charts/weir by `make generate`.\n";
    assert_fresh("charts/kustomize/operator.yaml", &format!("{head}{rendered}"));
    let made = objects(&chart::kustomize("charts/kustomize").unwrap());
    let mut titles: Vec<String> = made.iter().map(title).collect();
    let mut expected: Vec<String> =
        objects(&template(&["--skip-tests"]).unwrap()).iter().map(title).collect();
    expected.push(format!("Namespace/{NAMESPACE}"));
    titles.sort_unstable();
    expected.sort_unstable();
    assert_eq!(titles, expected);
    let namespace = named(&made, "Namespace/weir-system");
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
}
