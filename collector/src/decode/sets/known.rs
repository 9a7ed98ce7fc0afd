//! What is known of a stream beside its datagrams: kept over restarts, told to those who ask, contradicted.

use std::time::Duration;

use super::super::output::Output;
use super::super::resume::{self, Return};
use super::super::streams::{Key, Streams};
use super::super::template;
use super::{Message, Sets, When};
use crate::slot::StreamFacts;
use crate::telemetry::Repeated;

/// How often a conflict of templates is said in the log.
const SAY: Duration = Duration::from_secs(60);

impl Sets {
    /// Keeps what was known of a stream before a restart of the edge, until it comes back.
    pub(in super::super) fn keep(&mut self, key: Key, facts: StreamFacts) {
        self.saved.keep(key, facts);
    }

    /// Completes a stream's facts.
    pub(in super::super) fn facts(&self, stream: u32, mut facts: StreamFacts) -> StreamFacts {
        facts.templates = self.templates.facts(stream);
        self.facts.report(stream, &mut facts);
        facts
    }

    /// The exporter started anew, or the edge did.
    pub(super) fn turn(
        &mut self,
        message: &mut Message,
        back: Option<Return>,
        restarted: bool,
        streams: &mut Streams,
        output: &mut Output<'_>,
    ) {
        let (at, key) = (message.stream, message.key);
        streams.change(at);
        if restarted {
            self.templates.distrust(at, &key);
        }
        let Some(saved) = back.and_then(|back| self.saved.take(&key, back)) else { return };
        self.facts.restore(at, &key, &saved);
        message.clock.init_ms = self.facts.init_ms(at);
        for template in &saved.templates {
            self.fields.clear();
            self.fields.extend(resume::fields(template));
            if template::is_sound(template.id, template.scope, &self.fields) {
                let when = When { at_ms: template.announced_ms, restored: true };
                self.learn(message, (template.id, template.scope), when, streams, output);
            }
        }
    }

    pub(super) fn say_conflict(&mut self, key: &Key, template: u16) {
        let conflicts = self.conflicts.get_or_insert_with(|| Repeated::every(SAY));
        if let Some(unsaid) = conflicts.pass() {
            tracing::warn!(exporter = %key.exporter, domain = key.domain, template, unsaid,
                "ports of one exporter announce different templates under one number: each is used for its own port only");
        }
    }
}
