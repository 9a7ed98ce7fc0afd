//! `flow-generator`: sends flows to a collector and says exactly what it sent.

fn main() {}
