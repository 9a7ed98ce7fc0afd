//! What accounting promises, on hand-made batches.

use std::net::{IpAddr, Ipv4Addr};

use crds::config::{ChannelConfig, ProfileConfig, Sign, TopConfig, TopOrder};

use super::*;
use crate::flow::{Column, ColumnSet, Protocol, SamplingFrom, TimeFrom, address_bits};
use crate::slot::Tally;

const AT: u64 = 1_700_000_003_000;

fn profile(channels: usize, top: Vec<TopConfig>) -> ProfileConfig {
    let channel = |index: usize| ChannelConfig {
        name: format!("c{index}"),
        filter: String::new(),
        sources: Vec::new(),
        sign: Sign::Plus,
        color: "#000000".into(),
        order: 1,
    };
    ProfileConfig {
        name: "default/p".into(),
        display_name: "p".into(),
        description: String::new(),
        group: String::new(),
        channels: (0..channels).map(channel).collect(),
        top,
    }
}

fn sources(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("s{index}")).collect()
}

#[test]
fn how_late_records_tell_of_their_flows_is_counted_by_source_and_taken_by_a_cut() {
    let mut accounts = Accounts::new(10_000, &[profile(1, vec![])]).unwrap();
    let mut batch = batch(AT, &[(6, 1, 100, 1.0), (6, 1, 100, 1.0), (6, 1, 100, 1.0)]);
    let export_ms = batch.runs()[0].export_ms;
    for (row, lag_ms) in [59_001, 60_000, 0].into_iter().enumerate() {
        batch.u64s_mut(Column::TimeStart)[row] = export_ms - lag_ms;
    }
    batch.runs_mut()[0].present.insert(Column::TimeStart);
    accounts.add(&batch, &Hits::default(), 0);
    // Times that are the time of receipt, as sFlow's, tell nothing.
    batch.runs_mut()[0].time_from = TimeFrom::Received;
    accounts.add(&batch, &Hits::default(), 0);
    let lags = accounts.cut(AT + 1_000, 1_000, &sources(2), false).lags;
    assert_eq!(lags, [SourceLags { source: 1, bins: vec![(0, 1), (60, 2)] }]);
    assert!(accounts.cut(AT + 2_000, 1_000, &sources(2), false).lags.is_empty());
}

/// One run of (proto, packets, bytes, rate) rows from source 1.
fn batch(received_ms: u64, rows: &[(u8, u64, u64, f32)]) -> Batch {
    let mut batch = Batch::default();
    for (row, (proto, packets, bytes, rate)) in rows.iter().enumerate() {
        batch.u8s_mut(Column::Proto)[row] = *proto;
        batch.u64s_mut(Column::Packets)[row] = *packets;
        batch.u64s_mut(Column::Bytes)[row] = *bytes;
        batch.f32s_mut(Column::SamplingRate)[row] = *rate;
        batch.addrs_mut(Column::SrcAddr)[row] = address_bits(IpAddr::V4(Ipv4Addr::new(192, 0, 2, row as u8)));
    }
    let present = [Column::Proto, Column::Packets, Column::Bytes, Column::SamplingRate, Column::SrcAddr];
    batch.push_run(run(received_ms, rows.len(), ColumnSet::of(&present)));
    batch
}

fn run(received_ms: u64, len: usize, present: ColumnSet) -> Run {
    Run {
        start: 0,
        len,
        protocol: Protocol::NetFlow9,
        stream: 0,
        listener: 0,
        exporter: IpAddr::V4(Ipv4Addr::LOCALHOST),
        exporter_port: 9,
        agent: None,
        domain: 0,
        received_ms,
        export_ms: received_ms,
        time_from: TimeFrom::Record,
        sampling_from: SamplingFrom::Header,
        source: 1,
        present,
        sparse: ColumnSet::default(),
    }
}

fn pairs(list: &[(u16, u16)]) -> Hits {
    let mut hits = Hits::default();
    hits.forward.pairs.extend_from_slice(list);
    hits
}

fn counters(counted: &Counted, channel: &str) -> Counters {
    let index = counted.channels.iter().position(|key| key.channel == channel).unwrap();
    let rows = counted.additions.iter().flat_map(|addition| &addition.rows);
    rows.filter(|row| row.channel as usize == index).fold(Default::default(), |mut sum, row| {
        sum.add(&row.counters);
        sum
    })
}

#[test]
fn packets_and_bytes_are_scaled_and_the_four_classes_add_up_to_all() {
    let mut accounts = Accounts::new(10_000, &[profile(1, vec![])]).unwrap();
    let batch = batch(AT, &[(6, 2, 100, 10.0), (17, 3, 50, 1.0), (58, 1, 7, 1.5), (47, 1, 1, 1.0)]);
    accounts.add(&batch, &pairs(&[(0, 0), (1, 0), (2, 0), (3, 0)]), 0);
    let counted = accounts.cut(AT, 2_000, &sources(2), false);
    let sums = counters(&counted, "c0");
    assert_eq!((sums.tcp.packets, sums.tcp.bytes), (20, 1_000));
    assert_eq!((sums.icmp.packets, sums.icmp.bytes), (2, 11));
    assert_eq!((sums.all().flows, sums.all().packets, sums.all().bytes), (4, 26, 1_062));
}

#[test]
fn every_flow_counts_in_live_under_its_source_whether_or_not_a_channel_matches() {
    let mut accounts = Accounts::new(10_000, &[profile(1, vec![])]).unwrap();
    accounts.add(&batch(AT, &[(6, 2, 100, 1.0), (6, 1, 10, 1.0)]), &Hits::default(), 0);
    let counted = accounts.cut(AT, 2_000, &sources(3), false);
    let row = &counted.additions[0].rows;
    assert_eq!(row.len(), 1);
    assert_eq!((row[0].channel, row[0].source), (2, 1), "channel 0 is the plan's, live's follow by source");
    assert_eq!((counted.channels[2].profile.as_str(), counted.channels[2].channel.as_str()), (LIVE, "s1"));
    assert_eq!(row[0].counters.all().flows, 2);
}

#[test]
fn a_cut_takes_everything_out_once() {
    let mut accounts = Accounts::new(10_000, &[profile(1, vec![])]).unwrap();
    accounts.add(&batch(AT, &[(6, 2, 100, 1.0)]), &pairs(&[(0, 0)]), 0);
    let peeked = accounts.peek(AT, 2_000);
    let counted = accounts.cut(AT, 2_000, &sources(2), false);
    assert_eq!(peeked, counted.additions);
    let again = accounts.cut(AT + 2_000, 2_000, &sources(2), false);
    assert!(again.additions.iter().all(|addition| addition.rows.is_empty()));
    assert_eq!(again.additions.iter().map(|a| a.covered_ms).sum::<u32>(), 2_000, "zeros are covered");
}

#[test]
fn an_event_without_counters_adds_an_event_and_nothing_else() {
    let mut accounts = Accounts::new(10_000, &[profile(1, vec![])]).unwrap();
    let mut batch = batch(AT, &[(6, 9, 9, 1.0)]);
    let present = &mut batch.runs_mut()[0].present;
    present.remove(Column::Packets);
    present.remove(Column::Bytes);
    accounts.add(&batch, &pairs(&[(0, 0)]), 0);
    let sums = counters(&accounts.cut(AT, 2_000, &sources(2), false), "c0");
    assert_eq!(sums.events, 1);
    assert_eq!(sums.all(), Tally::default());
}

#[test]
fn a_biflow_that_matches_both_ways_counts_both_directions_and_one_flow() {
    let mut accounts = Accounts::new(10_000, &[profile(2, vec![])]).unwrap();
    let mut batch = batch(AT, &[(6, 2, 100, 1.0)]);
    batch.u64s_mut(Column::RevPackets)[0] = 3;
    batch.u64s_mut(Column::RevBytes)[0] = 30;
    let present = &mut batch.runs_mut()[0].present;
    present.insert(Column::RevPackets);
    present.insert(Column::RevBytes);
    let mut hits = pairs(&[(0, 0)]);
    hits.reverse.pairs.extend([(0, 0), (0, 1)]);
    accounts.add(&batch, &hits, 0);
    let counted = accounts.cut(AT, 2_000, &sources(2), false);
    let both = counters(&counted, "c0").all();
    assert_eq!((both.flows, both.packets, both.bytes), (1, 5, 130));
    let reverse_only = counters(&counted, "c1").all();
    assert_eq!((reverse_only.flows, reverse_only.packets, reverse_only.bytes), (1, 3, 30));
}

#[test]
fn the_top_window_of_a_minute_is_shipped_when_the_next_minute_begins() {
    let top = TopConfig { element: "srcip".into(), orders: vec![TopOrder::Bytes], size: 2 };
    let mut accounts = Accounts::new(10_000, &[profile(1, vec![top])]).unwrap();
    accounts.add(&batch(AT, &[(6, 2, 100, 2.0), (6, 1, 10, 1.0)]), &pairs(&[(0, 0), (1, 0)]), 0);
    assert!(accounts.cut(AT, 2_000, &sources(2), false).tops.is_empty());
    accounts.add(&batch(AT + 60_000, &[(6, 1, 1, 1.0)]), &pairs(&[(0, 0)]), 0);
    let tops = accounts.cut(AT + 60_000, 2_000, &sources(2), false).tops;
    assert_eq!(tops.len(), 1);
    let rows: Vec<_> = tops[0].entries.iter().map(|e| (e.key.as_str(), e.lower, e.upper)).collect();
    assert_eq!(rows, [("192.0.2.0", 200, 200), ("192.0.2.1", 10, 10)]);
    assert_eq!((tops[0].absent, tops[0].total), (0, 210));
}

#[test]
fn an_unknown_top_element_is_refused_with_the_names_that_are_known() {
    let top = TopConfig { element: "srcipp".into(), orders: vec![TopOrder::Bytes], size: 2 };
    let error = Accounts::new(10_000, &[profile(1, vec![top])]).unwrap_err().to_string();
    assert!(error.contains("\"srcipp\"") && error.contains("dstport"), "{error}");
}

#[test]
fn channels_of_one_group_each_have_what_the_group_counted_and_what_was_looked_up_adds_to_it() {
    let mut accounts = Accounts::new(10_000, &[profile(3, vec![])]).unwrap();
    let batch = batch(AT, &[(6, 1, 100, 1.0), (17, 2, 200, 2.0), (6, 4, 400, 1.0)]);
    let mut hits = Hits::default();
    hits.forward.pairs.push((2, 0));
    let mask = hits.forward.group_mask(7, &[0, 2]);
    mask.set(0, true);
    mask.set(1, true);
    accounts.add(&batch, &hits, 0);
    accounts.add(&batch, &hits, 0);
    let counted = accounts.cut(AT, 2_000, &sources(2), false);
    let of = |channel: u32| {
        let mut rows = counted.additions[0].rows.iter().filter(|row| row.channel == channel);
        let counters = rows.next().map(|row| row.counters);
        assert_eq!(rows.count(), 0, "a channel and source stand once");
        counters
    };
    let shared = of(2).unwrap();
    assert_eq!(shared.tcp, Tally { flows: 2, packets: 2, bytes: 200 });
    assert_eq!(shared.udp, Tally { flows: 2, packets: 8, bytes: 800 });
    assert_eq!(of(0).unwrap().tcp, Tally { flows: 4, packets: 10, bytes: 1000 });
    assert_eq!(of(1), None);
}
