//! Rights: what the roles hold, line by line.

use std::fmt::Write;

use super::{Value, assert_fresh, has, named, rendered, title};

fn words(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// One line a role, group, resource and name.
fn lines(objects: &[Value]) -> String {
    let mut text = String::new();
    for object in
        objects.iter().filter(|object| ["Role", "ClusterRole"].contains(&object["kind"].as_str().unwrap()))
    {
        let namespace =
            object["metadata"]["namespace"].as_str().map(|name| format!(" in {name}")).unwrap_or_default();
        _ = writeln!(text, "{}{namespace}", title(object));
        for rule in object["rules"].as_array().unwrap() {
            let names = words(&rule["resourceNames"]);
            let only = if names.is_empty() { String::new() } else { format!(" only {}", names.join(" ")) };
            for group in words(&rule["apiGroups"]) {
                for resource in words(&rule["resources"]) {
                    let group = if group.is_empty() { "core" } else { group };
                    _ = writeln!(text, "  {group} {resource}{only}: {}", words(&rule["verbs"]).join(" "));
                }
            }
        }
    }
    text
}

#[test]
fn the_rights_are_the_ones_that_were_looked_at() {
    let all = lines(&rendered(&[]));
    let narrow = lines(&rendered(&["--set", "watchNamespaces={flows},rbac.shared=false"]));
    let text = format!("# Every namespace\n{all}\n# watchNamespaces: [flows], rbac.shared: false\n{narrow}");
    assert_fresh("e2e/tests/charts/rights.golden", &text);
}

#[test]
fn nobody_gets_every_verb_or_resource_and_the_operator_never_lists_secrets_or_escalates() {
    for values in ["rbac.shared=true", "watchNamespaces={flows}", "monitoring.serviceMonitor.enabled=true"] {
        let text = lines(&rendered(&["--set", values]));
        for line in text.lines() {
            assert!(
                !line.contains('*') && !line.contains("escalate") && !line.contains("impersonate"),
                "{line}"
            );
            let listed = line.contains("core secrets:") && (line.contains("list") || line.contains("watch"));
            assert!(!listed, "Secrets that nobody named: {line}");
            assert!(!line.contains(" bind") || line.contains("only weir-aggregator"), "{line}");
        }
    }
}

#[test]
fn those_who_edit_a_namespace_get_profiles_and_targets_and_never_collectors_nor_data() {
    for role in rendered(&[]).iter().filter(|object| object["kind"] == "ClusterRole") {
        let labels = role["metadata"]["labels"].as_object().unwrap();
        if labels.keys().any(|label| label.starts_with("rbac.authorization.k8s.io/aggregate-to")) {
            let text = lines(std::slice::from_ref(role));
            assert!(text.contains("flowprofiles") && text.contains("exporttargets"), "{text}");
            assert!(!text.contains("flowcollectors") && !text.contains("/data"), "{text}");
        }
    }
}

#[test]
fn watched_namespaces_get_roles_and_nothing_but_the_small_role_is_for_the_cluster() {
    let objects = rendered(&["--set", "watchNamespaces={flows,tenants}"]);
    let binding = |object: &&Value| object["kind"] == "ClusterRoleBinding";
    let bound: Vec<String> = objects.iter().filter(binding).map(title).collect();
    assert_eq!(bound, ["ClusterRoleBinding/weir-operator"]);
    for namespace in ["flows", "tenants"] {
        for name in ["weir-operator-collectors", "weir-operator-viewer"] {
            let found = objects.iter().any(|object| {
                object["kind"] == "RoleBinding"
                    && object["metadata"]["namespace"] == namespace
                    && object["metadata"]["name"] == name
            });
            assert!(found, "{name} in {namespace}");
        }
    }
    let arguments =
        &named(&objects, "Deployment/weir-operator")["spec"]["template"]["spec"]["containers"][0]["args"];
    assert!(words(arguments).contains(&"--watch-namespaces=flows,tenants"), "{arguments}");
    assert!(has(&objects, "Role"));
}
