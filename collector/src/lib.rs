//! `weir`: collects NetFlow, IPFIX and sFlow where they arrive, keeps what the profiles ask for, shows it.
//!
//! A flow goes straight through, and the modules below stand in the order in which it meets them:
//!
//! ```text
//! socket > decode > enrich > filter > account > ship ==blocks==> aggregate > serve
//!    \==datagrams==> export
//! ```
//!
//! Only [`pipeline`] knows that order. A stage knows [`flow`], [`slot`], [`telemetry`], [`tls`], its own children and
//! the crate `crds`; never another stage. `serve` reads through [`aggregate::Reader`]. Stages from decode to
//! account are synchronous functions over batches; only socket, ship, aggregate and serve touch the runtime.

pub mod command;
pub mod config;
pub mod hot;
pub mod manifest;
pub mod pipeline;

pub mod cryptography;
pub mod flow;
pub mod folder;
pub mod slot;

pub mod account;
pub mod aggregate;
pub mod capture;
pub mod decode;
pub mod enrich;
pub mod export;
pub mod filter;
pub mod serve;
pub mod ship;
pub mod socket;

pub mod telemetry;
pub mod tls;
