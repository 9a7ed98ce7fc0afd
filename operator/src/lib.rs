//! The operator: turns FlowCollectors and FlowProfiles into running collectors.
//!
//! A change in the cluster goes one way: [`watch`] sees it, [`cache`] keeps it, [`queue`] says when, [`reconcile`] makes
//! the cluster what it should be: [`dereference`] gathers, [`validate`] judges, [`build`] writes down what is to be,
//! [`apply`] makes it so, [`status`] tells. [`controller`] wires them; [`command`] is the program around it.

pub mod apply;
pub mod build;
pub mod cache;
pub mod command;
pub mod context;
pub mod controller;
pub mod dereference;
pub mod enroll;
pub mod event;
pub mod facts;
pub mod fleet;
pub mod kind;
pub mod lease;
pub mod queue;
pub mod reconcile;
pub mod revision;
pub mod secrets;
pub mod status;
pub mod telemetry;
pub mod validate;
pub mod watch;
