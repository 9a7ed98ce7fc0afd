//! Datagrams become rows: what each protocol's ordinary case gives, and what is counted.

#[path = "decoding/applications.rs"]
mod applications;
#[path = "decoding/ceilings.rs"]
mod ceilings;
#[path = "decoding/corners.rs"]
mod corners;
#[path = "decoding/counters.rs"]
mod counters;
#[path = "decoding/differential.rs"]
mod differential;
#[path = "decoding/headers.rs"]
mod headers;
#[path = "decoding/hostile.rs"]
mod hostile;
#[path = "decoding/ipfix.rs"]
mod ipfix;
#[path = "decoding/ledger.rs"]
mod ledger;
#[path = "decoding/message.rs"]
mod message;
#[path = "decoding/netflow5.rs"]
mod netflow5;
#[path = "decoding/netflow9.rs"]
mod netflow9;
#[path = "decoding/option_tables.rs"]
mod option_tables;
#[path = "decoding/restart.rs"]
mod restart;
#[path = "decoding/rig.rs"]
mod rig;
#[path = "decoding/sampling.rs"]
mod sampling;
#[path = "decoding/sections.rs"]
mod sections;
#[path = "decoding/sequence.rs"]
mod sequence;
#[path = "decoding/session.rs"]
mod session;
#[path = "decoding/template_state.rs"]
mod template_state;
#[path = "decoding/templates.rs"]
mod templates;
#[path = "decoding/times.rs"]
mod times;
#[path = "decoding/translation.rs"]
mod translation;
#[path = "decoding/wanted.rs"]
mod wanted;
