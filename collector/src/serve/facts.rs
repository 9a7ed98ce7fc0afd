//! What exporters taught, for people: templates with their age, sampling rates, names.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameters::Parameters;
use super::problem::Problem;
use crate::aggregate::view::FactsView;
use crate::slot::{NameOf, RateOf, StreamFacts};

/// The parameters of the question.
pub(super) const PARAMETERS: &[&str] = &["exporter"];

/// What every stream taught, or those of one exporter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FactsList {
    /// One a stream of which anything is known.
    pub streams: Vec<Facts>,
}

/// What one stream's templates and option tables say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// The listener's name.
    pub listener: String,
    /// The UDP source address.
    pub exporter: String,
    /// The UDP source port.
    pub port: u16,
    /// `netflow9` or `ipfix`.
    pub protocol: String,
    /// Source id or observation domain.
    pub domain: u32,
    /// The edge that takes it.
    pub edge: String,
    /// Unix ms of the stream's last datagram when this was reported.
    pub seen: u64,
    /// By number.
    pub templates: Vec<Template>,
    /// What options told of sampling.
    pub rates: Vec<Rate>,
    /// By index.
    pub interfaces: Vec<NamedInterface>,
    /// By number.
    pub vrfs: Vec<Named>,
    /// By number.
    pub samplers: Vec<Named>,
    /// How many applications have a name.
    pub applications: u64,
    /// The names were told before the edge's last start, and not since.
    pub names_restored: bool,
}

/// A template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// Its number.
    pub id: u16,
    /// It describes options, not flows.
    pub options: bool,
    /// How many fields it has.
    pub fields: u64,
    /// Unix ms at which the exporter announced it last, as far as the edge has reported.
    pub announced: u64,
    /// That was before the edge's last start, and not since.
    pub restored: bool,
}

/// A sampling rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// The observation domain that it is about.
    pub domain: u32,
    /// `any`, `sampler N`, `interface N` or `template N`.
    pub of: String,
    /// Packets stand for this many.
    pub rate: f32,
    /// Unix ms at which it was told last, as far as the edge has reported.
    pub told: u64,
    /// That was before the edge's last start, and not since.
    pub restored: bool,
}

/// An interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamedInterface {
    /// Its index: `in_if` and `out_if` of flow records.
    pub index: u64,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What its description says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A number and its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Named {
    /// The number.
    pub id: u64,
    /// The name.
    pub name: String,
}

/// Which exporter is asked for; none: all.
pub(super) fn question(given: &Parameters) -> Result<Option<IpAddr>, Problem> {
    let Some(text) = given.text("exporter") else { return Ok(None) };
    let wrong = |_| {
        Problem::parameter("exporter", format!("exporter={text} is no address; write exporter=192.0.2.1"))
    };
    text.parse().map(Some).map_err(wrong)
}

/// The answer.
pub(super) fn answer(views: Vec<FactsView>, exporter: Option<IpAddr>) -> FactsList {
    let asked =
        views.into_iter().filter(|view| exporter.is_none_or(|asked| view.facts.key.exporter == asked));
    FactsList { streams: asked.map(Facts::from).collect() }
}

impl From<FactsView> for Facts {
    fn from(view: FactsView) -> Self {
        let facts = view.facts;
        Self {
            listener: facts.key.listener.clone(),
            exporter: facts.key.exporter.to_string(),
            port: facts.key.port,
            protocol: facts.key.protocol.clone(),
            domain: facts.key.domain,
            edge: view.edge,
            seen: facts.seen_ms,
            templates: templates(&facts),
            rates: rates(&facts),
            interfaces: interfaces(&facts),
            vrfs: named(&facts, &[NameOf::Vrf]),
            samplers: named(&facts, &[NameOf::Sampler, NameOf::Selector]),
            applications: facts.names.iter().filter(|name| name.of == NameOf::Application).count() as u64,
            names_restored: facts.names_restored,
        }
    }
}

fn templates(facts: &StreamFacts) -> Vec<Template> {
    let template = |fact: &crate::slot::TemplateFact| Template {
        id: fact.id,
        options: fact.scope > 0,
        fields: fact.fields.len() as u64,
        announced: fact.announced_ms,
        restored: fact.restored,
    };
    facts.templates.iter().map(template).collect()
}

fn rates(facts: &StreamFacts) -> Vec<Rate> {
    let rate = |fact: &crate::slot::RateFact| Rate {
        domain: fact.domain,
        of: match fact.of {
            RateOf::Any => "any".to_owned(),
            RateOf::Sampler(id) => format!("sampler {id}"),
            RateOf::Interface(index) => format!("interface {index}"),
            RateOf::Template(id) => format!("template {id}"),
        },
        rate: fact.rate,
        told: fact.told_ms,
        restored: fact.restored,
    };
    facts.rates.iter().map(rate).collect()
}

fn interfaces(facts: &StreamFacts) -> Vec<NamedInterface> {
    let mut interfaces: BTreeMap<u64, NamedInterface> = BTreeMap::new();
    for fact in &facts.names {
        let place = match fact.of {
            NameOf::Interface => |interface: &mut NamedInterface, name| interface.name = Some(name),
            NameOf::InterfaceDescription => {
                |interface: &mut NamedInterface, name| interface.description = Some(name)
            }
            _ => continue,
        };
        let new = || NamedInterface { index: fact.number, ..NamedInterface::default() };
        place(interfaces.entry(fact.number).or_insert_with(new), fact.name.clone());
    }
    interfaces.into_values().collect()
}

fn named(facts: &StreamFacts, kinds: &[NameOf]) -> Vec<Named> {
    let of_kind = facts.names.iter().filter(|fact| kinds.contains(&fact.of));
    of_kind.map(|fact| Named { id: fact.number, name: fact.name.clone() }).collect()
}
