//! How much of a collector its profiles take: the oldest come first, and one that does not fit any more waits.

use std::collections::HashMap;

use super::{ProfileConfig, Violation, identity, namespace};
use crate::collector::FlowCollector;
use crate::limits::CHANNELS_PER_COLLECTOR;
use crate::profile::FlowProfile;

/// Whether a profile has room on its collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It has.
    Admitted,
    /// Its namespace has used up its channels.
    TenantFull(Violation),
    /// The collector counts no more channels.
    CollectorFull(Violation),
}

/// Gives each profile (with what it was rendered to) its room, in the order in which they were made. The answers stand
/// in the order of the question.
pub fn admit(collector: &FlowCollector, profiles: &[(&FlowProfile, &ProfileConfig)]) -> Vec<Admission> {
    let mut order: Vec<usize> = (0..profiles.len()).collect();
    order.sort_by_key(|&at| age(profiles[at].0));
    let mut room = Room { collector, left: CHANNELS_PER_COLLECTOR, tenants: HashMap::new() };
    let mut answers = vec![Admission::Admitted; profiles.len()];
    for at in order {
        let (profile, config) = profiles[at];
        answers[at] = room.take(profile, config.channels.len());
    }
    answers
}

/// What is left of a collector.
struct Room<'a> {
    collector: &'a FlowCollector,
    left: usize,
    /// Channels in use, by namespace.
    tenants: HashMap<String, usize>,
}

impl Room<'_> {
    fn take(&mut self, profile: &FlowProfile, channels: usize) -> Admission {
        let tenant = namespace(&profile.metadata);
        let used = self.tenants.get(tenant).copied().unwrap_or_default();
        if let Some(limit) = self.limit(tenant)
            && used + channels > limit
        {
            let whose = format!("namespace {tenant} may have {limit} channels on");
            return Admission::TenantFull(self.refusal(profile, &whose, channels, limit - used));
        }
        if channels > self.left {
            let whose = format!("{CHANNELS_PER_COLLECTOR} channels fit on");
            return Admission::CollectorFull(self.refusal(profile, &whose, channels, self.left));
        }
        self.left -= channels;
        self.tenants.insert(tenant.to_owned(), used + channels);
        Admission::Admitted
    }

    fn limit(&self, namespace: &str) -> Option<usize> {
        let tenant = self.collector.spec.tenants.iter().find(|tenant| tenant.namespace == namespace)?;
        let channels = tenant.limits.as_ref()?.channels?;
        usize::try_from(channels).ok()
    }

    fn refusal(&self, profile: &FlowProfile, whose: &str, channels: usize, left: usize) -> Violation {
        let collector = identity(&self.collector.metadata);
        Violation {
            object: format!("FlowProfile {}", identity(&profile.metadata)),
            path: "spec.channels".to_owned(),
            message: format!(
                "{whose} FlowCollector {collector}, {left} are left, and this profile has {channels}; remove channels \
                 here or in an older profile"
            ),
            within: None,
        }
    }
}

/// The oldest first; of the same second, by name. What has no time yet is the newest.
fn age(profile: &FlowProfile) -> (bool, i64, String) {
    let made = profile.metadata.creation_timestamp.as_ref().map(|time| time.0.as_second());
    (made.is_none(), made.unwrap_or_default(), identity(&profile.metadata))
}
