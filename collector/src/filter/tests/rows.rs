//! Flows by hand, and the verdict on them.

use std::net::{IpAddr, Ipv4Addr};

use crds::config::{ChannelConfig, EdgeConfig, ProfileConfig, Sign, SourceConfig};
use crds::filter::{Context, check};

use crate::filter::{Plan, RowFilter};
use crate::flow::{
    Batch, Column, ColumnSet, Hits, Kind, Protocol, Run, SamplingFrom, TimeFrom, address_bits,
};

/// A column's value in a flow made by hand.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Number(Column, u64),
    Address(Column, &'static str),
    Text(Column, &'static str),
}

pub(super) use Value::{Address, Number, Text};

pub(super) fn run(start: usize, len: usize) -> Run {
    Run {
        start,
        len,
        protocol: Protocol::Ipfix,
        stream: 0,
        listener: 0,
        exporter: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 254)),
        exporter_port: 50_000,
        agent: None,
        domain: 5,
        received_ms: 1_767_225_600_000,
        export_ms: 1_767_225_600_000,
        time_from: TimeFrom::Record,
        sampling_from: SamplingFrom::None,
        source: 0,
        present: ColumnSet::default(),
        sparse: ColumnSet::default(),
    }
}

pub(super) fn write(batch: &mut Batch, row: usize, value: Value) -> Column {
    match value {
        Number(column, number) => {
            match column.kind() {
                Kind::U8 => batch.u8s_mut(column)[row] = number as u8,
                Kind::U16 => batch.u16s_mut(column)[row] = number as u16,
                Kind::U32 => batch.u32s_mut(column)[row] = number as u32,
                Kind::F32 => batch.f32s_mut(column)[row] = number as f32,
                _ => batch.u64s_mut(column)[row] = number,
            }
            column
        }
        Address(column, address) => {
            batch.addrs_mut(column)[row] = address_bits(address.parse().unwrap());
            column
        }
        Text(column, text) => {
            let text = batch.keep_text(text.as_bytes());
            batch.texts_mut(column)[row] = text;
            column
        }
    }
}

/// A batch of one flow that carries exactly these columns.
pub(super) fn flow(values: &[Value]) -> Batch {
    let mut batch = Batch::default();
    let mut run = run(0, 1);
    for value in values {
        let column = write(&mut batch, 0, *value);
        run.present.insert(column);
    }
    batch.push_run(run);
    batch
}

pub(super) fn channel(name: &str, filter: &str, sources: &[&str]) -> ChannelConfig {
    ChannelConfig {
        name: name.to_owned(),
        filter: filter.to_owned(),
        sources: sources.iter().map(|source| (*source).to_owned()).collect(),
        sign: Sign::Plus,
        color: "#000000".to_owned(),
        order: 1,
    }
}

pub(super) fn config(channels: Vec<ChannelConfig>, sources: &[&str]) -> EdgeConfig {
    let source = |name: &&str| SourceConfig { name: (*name).to_owned(), ..SourceConfig::default() };
    EdgeConfig {
        version: crds::config::CONFIG_VERSION.to_owned(),
        collector: "default/weir".to_owned(),
        slot_ms: 10_000,
        receive: crds::config::ReceiveConfig::default(),
        listeners: Vec::new(),
        sources: sources.iter().map(source).collect(),
        targets: Vec::new(),
        profiles: vec![ProfileConfig {
            name: "default/test".to_owned(),
            display_name: "test".to_owned(),
            description: String::new(),
            group: String::new(),
            channels,
            top: Vec::new(),
        }],
    }
}

/// Whether the flow passes, in the opinion of the evaluator and of the plan, which must be the same.
pub(super) fn passes(filter: &str, values: &[Value]) -> bool {
    let batch = flow(values);
    let expr = check(filter, Context::PROFILE).unwrap_or_else(|errors| panic!("{filter}: {}", errors[0]));
    let sources = ["lab".to_owned()];
    let plain = RowFilter::new(&expr, &sources).matches(&batch, &batch.runs()[0], 0);
    let mut plan = Plan::compile(&config(vec![channel("c", filter, &[])], &["lab"])).unwrap();
    let mut hits = Hits::default();
    plan.run(&batch, &mut hits);
    assert_eq!(hits.forward.contains(0, 0), plain, "plan and evaluator differ on {filter} for {values:?}");
    plain
}

#[track_caller]
pub(super) fn assert_passes(filter: &str, values: &[Value]) {
    assert!(passes(filter, values), "`{filter}` should pass {values:?}");
}

#[track_caller]
pub(super) fn assert_fails(filter: &str, values: &[Value]) {
    assert!(!passes(filter, values), "`{filter}` should not pass {values:?}");
}
