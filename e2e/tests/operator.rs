//! The operator on a real control plane: what it makes of the kinds, that it leaves alone what is right, and that
//! nothing throws it off. No pod runs here; `e2e/tests/cluster.rs` has those.

#[path = "operator/cut.rs"]
mod cut;
#[path = "operator/drift.rs"]
mod drift;
#[path = "operator/fixture.rs"]
mod fixture;
#[path = "operator/health.rs"]
mod health;
#[path = "operator/kubectl.rs"]
mod kubectl;
#[path = "operator/leader.rs"]
mod leader;
#[path = "operator/objects.rs"]
mod objects;
#[path = "operator/profiles.rs"]
mod profiles;
#[path = "operator/proxy.rs"]
mod proxy;
#[path = "operator/rights.rs"]
mod rights;
#[path = "operator/weather.rs"]
mod weather;
