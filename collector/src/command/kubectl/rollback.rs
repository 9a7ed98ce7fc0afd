//! `kubectl weir rollback`: the profile as it ran before.

use clap::Args;
use crds::collector::FlowCollector;
use crds::config::hot::HotProfile;
use crds::config::{ChannelConfig, ProfileConfig, TopConfig};
use crds::profile::{Channel, Element, FlowProfile, FlowProfileSpec, Top};
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::ResourceExt;
use kube::api::PostParams;

use super::cluster::{Cluster, refused};
use super::reach::split;
use crate::command::{Failure, profile};

const EXAMPLES: &str = "\
The operator keeps the last three accepted versions of each profile. Of a profile that was refused the newest of them
is written back; of one that runs, the one before. If Git manages the profile, put it right there as well.

Examples:
  kubectl weir rollback zone1-profile
  kubectl weir rollback zone1-profile --dry-run
  kubectl weir -n flows rollback zone1-profile --to 4";

/// The UID of the profile whose version a ControllerRevision holds, as the operator labels it.
const REVISION_OF: &str = "weir.dev/revision-of";
/// The name of the FlowCollector that runs it.
const COLLECTOR: &str = "weir.dev/collector";
const MANAGER: &str = "kubectl-weir";

/// Write the last version of a profile that was accepted back into it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Rollback {
    /// `name` or `namespace/name` of a FlowProfile
    #[arg(value_name = "PROFILE")]
    profile: String,
    /// The revision to go back to [default: the last that was accepted and is not there now]
    #[arg(long, value_name = "REVISION")]
    to: Option<i64>,
    /// Print what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// One kept version.
#[derive(Clone, Debug, PartialEq)]
struct Version {
    revision: i64,
    generation: i64,
    config: ProfileConfig,
    /// `namespace/name` of the collector that kept it.
    collector: String,
}

impl Rollback {
    /// Writes the version, with a word on which.
    pub(super) async fn run(&self, cluster: &Cluster) -> Result<(), Failure> {
        let (namespace, name) = split(&self.profile, &cluster.namespace);
        let api = cluster.api::<FlowProfile>(&namespace);
        let found = api.get(&name).await.map_err(|error| refused("flowprofiles", error))?;
        let versions = versions(cluster, &found).await?;
        let version = chosen(&found, &versions, self.to)?;
        let scope = scope(cluster, &version.collector, &namespace).await?;
        let before = found.metadata.generation.unwrap_or_default();
        let profile = FlowProfile { spec: spec(version, &found, scope.as_deref()), status: None, ..found };
        if self.dry_run {
            let text =
                serde_yaml::to_string(&profile.spec).map_err(|error| Failure::System(error.to_string()))?;
            return profile::print(&text);
        }
        // Refused when somebody else wrote meanwhile: the object carries its version.
        let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let written = api.replace(&name, &parameters, &profile).await;
        let written = written.map_err(|error| refused(&format!("FlowProfile {namespace}/{name}"), error))?;
        profile::print(&format!(
            "{namespace}/{name}: generation {} is now {}, as generation {} was\n",
            before,
            written.metadata.generation.unwrap_or_default(),
            version.generation
        ))
    }
}

/// All versions that are kept of a profile, newest first. Those that cannot be read are of another version of Weir.
async fn versions(cluster: &Cluster, profile: &FlowProfile) -> Result<Vec<Version>, Failure> {
    let label = format!("{REVISION_OF}={}", profile.uid().unwrap_or_default());
    // The collector's namespace holds them, and a profile may run in another.
    let bindings = profile.status.iter().flat_map(|status| &status.bindings);
    let mut places: Vec<String> = bindings.map(|binding| split(&binding.collector, "").0).collect();
    places.extend(profile.namespace());
    places.sort_unstable();
    places.dedup();
    let mut found = Vec::new();
    for place in places {
        let revisions: Vec<ControllerRevision> = cluster.list(Some(&place), &label).await?;
        found.extend(revisions.iter().filter_map(version));
    }
    found.sort_by_key(|version| (-version.generation, -version.revision));
    Ok(found)
}

fn version(revision: &ControllerRevision) -> Option<Version> {
    let HotProfile { generation, profile, .. } = serde_json::from_value(revision.data.0.clone()).ok()?;
    let name = revision.labels().get(COLLECTOR)?;
    let collector = format!("{}/{name}", revision.namespace()?);
    Some(Version { revision: revision.revision?, generation, config: profile, collector })
}

/// The one that is asked for, or the newest that is not what the object says now.
fn chosen<'a>(
    profile: &FlowProfile,
    versions: &'a [Version],
    to: Option<i64>,
) -> Result<&'a Version, Failure> {
    let name = profile.name_any();
    let now = profile.metadata.generation.unwrap_or_default();
    let found = match to {
        Some(revision) => versions.iter().find(|version| version.revision == revision),
        None => versions.iter().find(|version| version.generation < now),
    };
    found.ok_or_else(|| {
        let kept: Vec<String> = versions.iter().map(|version| version.revision.to_string()).collect();
        let kept = if kept.is_empty() { "none".to_owned() } else { kept.join(", ") };
        match to {
            Some(revision) => {
                Failure::Input(format!("there is no revision {revision} of {name}; kept: {kept}"))
            }
            None => {
                Failure::Input(format!("there is no older version of {name} to go back to; kept: {kept}"))
            }
        }
    })
}

/// What the collector joins to every filter of the namespace.
async fn scope(cluster: &Cluster, collector: &str, namespace: &str) -> Result<Option<String>, Failure> {
    let (place, name) = split(collector, namespace);
    let found = cluster.api::<FlowCollector>(&place).get_opt(&name).await;
    let found = found.map_err(|error| refused("flowcollectors", error))?;
    let tenants = found.into_iter().flat_map(|collector| collector.spec.tenants);
    Ok(tenants.into_iter().find(|tenant| tenant.namespace == namespace).and_then(|tenant| tenant.scope))
}

/// What a user writes to get this rendering. What is not rendered stays as it is.
fn spec(version: &Version, profile: &FlowProfile, scope: Option<&str>) -> FlowProfileSpec {
    let config = version.config.clone();
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let channel = |channel: ChannelConfig| Channel {
        name: channel.name,
        filter: some(without_scope(&channel.filter, scope)),
        sources: channel.sources,
        sign: Some(channel.sign),
        color: Some(channel.color),
        order: Some(channel.order),
    };
    FlowProfileSpec {
        display_name: some(config.display_name).filter(|name| *name != profile.name_any()),
        description: some(config.description),
        group: some(config.group),
        channels: config.channels.into_iter().map(channel).collect(),
        top: config.top.into_iter().filter_map(top).collect(),
        ..profile.spec.clone()
    }
}

fn top(config: TopConfig) -> Option<Top> {
    let element = Element::ALL.iter().find(|element| element.name() == config.element)?;
    Some(Top { element: *element, orders: config.orders, size: Some(config.size) })
}

/// `(SCOPE) and (FILTER)` without the scope: it is joined again when the profile is rendered.
fn without_scope(filter: &str, scope: Option<&str>) -> String {
    let Some(scope) = scope.map(str::trim).filter(|scope| !scope.is_empty()) else {
        return filter.to_owned();
    };
    if filter.trim() == scope {
        return String::new();
    }
    let inside = |filter: &str| {
        let rest = filter.strip_prefix('(')?.strip_prefix(scope)?;
        let rest = rest.strip_prefix('\n').unwrap_or(rest).strip_prefix(") and (")?;
        Some(rest.strip_suffix(')')?.trim_end_matches('\n').to_owned())
    };
    inside(filter).unwrap_or_else(|| filter.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn profile(generation: i64) -> FlowProfile {
        serde_json::from_value(json!({
            "apiVersion": "weir.dev/v1alpha1", "kind": "FlowProfile",
            "metadata": {"name": "p", "namespace": "n", "uid": "u", "generation": generation},
            "spec": {"channels": [{"name": "bad", "filter": "prot tcp"}], "collectorRef": {"name": "zone1"}},
        }))
        .unwrap()
    }

    fn kept(revision: i64, generation: i64, filter: &str) -> Version {
        let hot = json!({
            "uid": "u", "generation": generation,
            "profile": {
                "name": "n/p", "displayName": "p", "group": "g",
                "channels": [{"name": "web", "filter": filter, "color": "#123456", "order": 1}],
                "top": [{"element": "srcip", "orders": ["bytes"], "size": 10}],
            },
        });
        let revision: ControllerRevision = serde_json::from_value(json!({
            "metadata": {"namespace": "n", "labels": {COLLECTOR: "zone1"}}, "revision": revision, "data": hot,
        }))
        .unwrap();
        version(&revision).unwrap()
    }

    #[test]
    fn a_refused_profile_goes_back_to_the_newest_accepted_and_a_running_one_to_the_one_before() {
        let versions = [kept(9, 7, "port 80"), kept(8, 5, "port 81"), kept(7, 2, "port 82")];
        let revision =
            |generation, to| chosen(&profile(generation), &versions, to).map(|version| version.revision);
        assert_eq!(revision(8, None).unwrap(), 9, "generation 8 was refused");
        assert_eq!(revision(7, None).unwrap(), 8, "generation 7 runs");
        assert_eq!(revision(8, Some(7)).unwrap(), 7);
        let gone = revision(8, Some(3)).unwrap_err().to_string();
        assert_eq!(gone, "there is no revision 3 of p; kept: 9, 8, 7");
        let none = chosen(&profile(1), &[], None).unwrap_err().to_string();
        assert_eq!(none, "there is no older version of p to go back to; kept: none");
    }

    #[test]
    fn a_written_back_profile_renders_to_what_ran_and_keeps_its_collector() {
        let spec = spec(&kept(1, 1, "port 80"), &profile(2), None);
        let expected: FlowProfileSpec = serde_json::from_value(json!({
            "group": "g", "collectorRef": {"name": "zone1"},
            "channels": [{"name": "web", "filter": "port 80", "sign": "+", "color": "#123456", "order": 1}],
            "top": [{"element": "srcip", "orders": ["bytes"], "size": 10}],
        }))
        .unwrap();
        assert_eq!(spec, expected);
    }

    #[test]
    fn the_scope_of_a_tenant_is_not_written_into_its_filters() {
        let scope = Some("src net 192.0.2.0/24 # theirs");
        let joined = "(src net 192.0.2.0/24 # theirs\n) and (port 80)";
        assert_eq!(without_scope(joined, scope), "port 80");
        assert_eq!(without_scope("(net 192.0.2.0/24) and (port 80)", Some(" net 192.0.2.0/24 ")), "port 80");
        assert_eq!(without_scope("net 192.0.2.0/24", Some("net 192.0.2.0/24")), "");
        assert_eq!(without_scope("port 80", scope), "port 80");
        assert_eq!(without_scope("(a) and (b)", None), "(a) and (b)");
    }
}
