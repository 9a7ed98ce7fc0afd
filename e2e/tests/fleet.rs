//! Weir on a real cluster, as its users meet it: Helm, kubectl apply, an edge on every node, flows from exporters
//! outside, numbers at the aggregator, and a status that tells the truth.

#[path = "fleet/faults.rs"]
mod faults;
#[path = "fleet/fixture.rs"]
mod fixture;
#[path = "fleet/hot.rs"]
mod hot;
#[path = "fleet/walk.rs"]
mod walk;
