//! The plan as a whole: numbering, sources, biflows, errors.

use std::net::{IpAddr, Ipv4Addr};

use super::rows::{Address, Number, channel, config, flow, run, write};
use crate::filter::{Plan, PlanError};
use crate::flow::{Batch, Column as C, Hits};

fn channels_of(plan: &mut Plan, batch: &Batch, row: usize) -> (Vec<u16>, Vec<u16>) {
    let mut hits = Hits::default();
    plan.run(batch, &mut hits);
    let of = |list: &crate::flow::HitList| {
        (0..plan.channels().len() as u16).filter(|channel| list.contains(row, *channel)).collect()
    };
    (of(&hits.forward), of(&hits.reverse))
}

#[test]
fn channels_are_numbered_in_the_order_in_which_the_profiles_hold_them() {
    let mut config = config(vec![channel("a", "port 1", &[]), channel("b", "any", &[])], &[]);
    let mut second = config.profiles[0].clone();
    second.name = "default/second".to_owned();
    config.profiles.push(second);
    let plan = Plan::compile(&config).unwrap();
    let told: Vec<_> =
        plan.channels().iter().map(|c| (c.profile.as_str(), c.name.as_str(), c.index)).collect();
    assert_eq!(
        told,
        [
            ("default/test", "a", 0),
            ("default/test", "b", 1),
            ("default/second", "a", 2),
            ("default/second", "b", 3)
        ]
    );
}

#[test]
fn a_channel_restricted_to_sources_takes_no_other_flow() {
    let channels = vec![
        channel("selective", "port 53", &["a"]),
        channel("broad", "proto udp", &["b", "other"]),
        channel("automatic", "", &["198.51.100.9"]),
        channel("by-ident", "ident a", &[]),
    ];
    let mut plan = Plan::compile(&config(channels, &["a", "b"])).unwrap();
    let mut batch = flow(&[Number(C::Proto, 17), Number(C::DstPort, 53)]);
    for (source, exporter, expected) in
        [(0, 1, vec![0, 3]), (1, 1, vec![1]), (2, 1, vec![1]), (3, 9, vec![2]), (4, 8, vec![])]
    {
        batch.runs_mut()[0].source = source;
        batch.runs_mut()[0].exporter = IpAddr::V4(Ipv4Addr::new(198, 51, 100, exporter));
        assert_eq!(channels_of(&mut plan, &batch, 0).0, expected, "source {source}");
    }
}

#[test]
fn a_row_names_a_channel_once_however_many_of_its_values_lead_there() {
    let channels = vec![channel("a", "port 53 or ip 192.0.2.1", &[]), channel("b", "port in [53 54]", &[])];
    let mut plan = Plan::compile(&config(channels, &[])).unwrap();
    let batch = flow(&[Number(C::SrcPort, 53), Number(C::DstPort, 53), Address(C::SrcAddr, "192.0.2.1")]);
    let mut hits = Hits::default();
    plan.run(&batch, &mut hits);
    assert_eq!(hits.forward.pairs, [(0, 0), (0, 1)]);
}

#[test]
fn a_biflow_is_judged_a_second_time_with_its_sides_swapped() {
    let channels = vec![
        channel("to-web", "dst port 80", &[]),
        channel("from-web", "src port 80 and src ip 198.51.100.7", &[]),
        channel("large", "bytes > 1000", &[]),
        channel("out", "out bytes 100", &[]),
        channel("reset", "flags R", &[]),
    ];
    let mut plan = Plan::compile(&config(channels, &[])).unwrap();
    let values = [
        Number(C::Proto, 6),
        Number(C::SrcPort, 50_000),
        Number(C::DstPort, 80),
        Number(C::Bytes, 100),
        Number(C::RevBytes, 5000),
        Address(C::SrcAddr, "192.0.2.1"),
        Address(C::DstAddr, "198.51.100.7"),
        Number(C::TcpFlags, 2),
        Number(C::RevTcpFlags, 4),
    ];
    assert_eq!(channels_of(&mut plan, &flow(&values), 0), (vec![0], vec![1, 2, 3, 4]));
    let one_way: Vec<_> = values.iter().copied().filter(|v| !matches!(v, Number(C::RevBytes, _))).collect();
    assert_eq!(channels_of(&mut plan, &flow(&one_way), 0), (vec![0], vec![]));
}

#[test]
fn rows_of_runs_that_lack_the_column_or_the_value_are_left_out() {
    let mut plan = Plan::compile(&config(vec![channel("a", "port 53", &[])], &[])).unwrap();
    let mut batch = Batch::default();
    let mut with = run(0, 2);
    write(&mut batch, 0, Number(C::DstPort, 53));
    write(&mut batch, 1, Number(C::DstPort, 53));
    with.present.insert(C::DstPort);
    with.sparse.insert(C::DstPort);
    batch.valid_mut(C::DstPort).set(0, false);
    batch.valid_mut(C::DstPort).set(1, true);
    batch.push_run(with);
    write(&mut batch, 2, Number(C::DstPort, 53));
    batch.push_run(run(2, 1));
    let mut hits = Hits::default();
    plan.run(&batch, &mut hits);
    assert_eq!(hits.forward.pairs, [(1, 0)]);
}

#[test]
fn equal_broad_filters_share_one_mask() {
    let channels =
        vec![channel("a", "proto tcp", &[]), channel("b", "proto 6", &[]), channel("c", "proto udp", &[])];
    let mut plan = Plan::compile(&config(channels, &[])).unwrap();
    let mut hits = Hits::default();
    plan.run(&flow(&[Number(C::Proto, 6)]), &mut hits);
    let groups: Vec<_> = hits.forward.groups().map(|group| group.channels.to_vec()).collect();
    assert_eq!(groups, [[0, 1]]);
}

#[test]
fn a_filter_with_an_error_is_named_with_its_profile_and_channel() {
    let error = Plan::compile(&config(vec![channel("web", "port 80 and tcp", &[])], &[])).unwrap_err();
    assert!(
        matches!(&error, PlanError::Filter { profile, channel, .. } if profile == "default/test" && channel == "web")
    );
    assert!(error.to_string().contains("proto tcp"), "{error}");
}

#[test]
fn more_channels_than_have_numbers_are_refused() {
    let channels = vec![channel("c", "any", &[]); 65_536];
    assert!(matches!(Plan::compile(&config(channels, &[])), Err(PlanError::TooManyChannels(65_536))));
}
