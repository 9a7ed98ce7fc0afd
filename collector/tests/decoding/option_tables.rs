//! Option tables: names of interfaces and applications, where records are read one by one.

use super::message::{Message, Spec, record};
use super::rig::{Rig, expect};

const FLOW: &[Spec] = &[(10, 4, 0), (14, 4, 0), (95, 4, 0), (2, 4, 0)];

/// A flow between two interfaces, of an application of engine 3.
fn flow(input: u64, output: u64, application: u64) -> Vec<u8> {
    record(&[(input, 4), (output, 4), (3, 1), (application, 3), (1, 4)])
}

/// A number and texts of fixed lengths.
fn row(number: (u64, usize), texts: &[(&str, usize)]) -> Vec<u8> {
    let mut row = record(&[number]);
    for (text, length) in texts {
        row.extend(text.bytes().chain(std::iter::repeat(0)).take(*length));
    }
    row
}

fn interfaces(rig: &mut Rig, exporter: &str, port: u16, domain: u32, names: &[(u64, &str, &str)]) {
    let options = Message::v9(0).domain(domain).options(301, &[(2, 4, 0)], &[(82, 16, 0), (83, 32, 0)]);
    let rows: Vec<_> =
        names.iter().map(|(index, name, about)| row((*index, 4), &[(name, 16), (about, 32)])).collect();
    rig.feed_from(exporter, port, &options.data(301, &rows).bytes());
}

#[test]
fn interfaces_have_the_name_that_options_gave_them_and_else_its_description() {
    let mut rig = Rig::new();
    interfaces(&mut rig, "192.0.2.1", 1, 7, &[(10, "Gi0/0/1", "to the core"), (20, "", "a customer")]);
    let flows = Message::v9(1).template(256, FLOW).data(256, &[flow(10, 20, 1), flow(20, 99, 1)]);
    rig.feed_from("192.0.2.1", 1, &flows.bytes());
    expect(&rig.rows[0], &[("in_if_name", "Gi0/0/1"), ("out_if_name", "a customer")]);
    expect(&rig.rows[1], &[("in_if_name", "a customer"), ("out_if_name", "-"), ("out_if", "99")]);
    let counts = rig.report().counts;
    assert_eq!((counts.records, counts.options_records, counts.undecodable.len()), (2, 2, 0));
}

#[test]
fn the_index_of_a_named_interface_stands_in_the_scope_or_in_any_interface_field() {
    for element in [10, 14, 252, 253] {
        for in_scope in [true, false] {
            let mut rig = Rig::new();
            let index = [(element, 4, 0)];
            let options = match in_scope {
                true => Message::ipfix(0).options(301, &index, &[(82, 16, 0)]),
                false => Message::ipfix(0).options(301, &[(143, 4, 0)], &[index[0], (82, 16, 0)]),
            };
            let mut body = if in_scope { vec![] } else { vec![0, 0, 0, 1] };
            body.extend(row((10, 4), &[("ge-0/0/0", 16)]));
            rig.feed(&options.data(301, &[body]).bytes());
            rig.feed(&Message::ipfix(1).template(256, FLOW).data(256, &[flow(10, 0, 0)]).bytes());
            expect(&rig.rows[0], &[("in_if_name", "ge-0/0/0")]);
        }
    }
}

#[test]
fn applications_have_the_name_of_the_exporter_s_table_unless_the_record_names_them() {
    let mut rig = Rig::new();
    let options = Message::v9(0).options(302, &[(1, 4, 0)], &[(95, 4, 0), (96, 24, 0), (94, 55, 0)]);
    let application =
        |id, name, about| [vec![0; 4], vec![3], row((id, 3), &[(name, 24), (about, 55)])].concat();
    let table = [application(80, "http", "the World Wide Web"), application(53, "", "Domain Names")];
    rig.feed(&options.data(302, &table).bytes());
    let flows = [flow(1, 2, 80), flow(1, 2, 53), flow(1, 2, 9)];
    rig.feed(&Message::v9(1).template(256, FLOW).data(256, &flows).bytes());
    expect(&rig.rows[0], &[("app_id", "3:80"), ("app_name", "http")]);
    expect(&rig.rows[1], &[("app_id", "3:53"), ("app_name", "Domain Names")]);
    expect(&rig.rows[2], &[("app_id", "3:9"), ("app_name", "-")]);
    let own: Vec<Spec> = FLOW.iter().copied().chain([(96, 8, 0)]).collect();
    let named = |name| [flow(1, 2, 80), row((0, 0), &[(name, 8)])].concat();
    rig.feed(&Message::v9(2).template(257, &own).data(257, &[named("web"), named("")]).bytes());
    expect(&rig.rows[3], &[("app_name", "web")]);
    expect(&rig.rows[4], &[("app_name", "http")]);
}

#[test]
fn names_of_one_exporter_hold_for_its_other_ports_and_domains_while_they_agree() {
    let mut rig = Rig::new();
    let flows = |domain| Message::v9(0).domain(domain).template(256, FLOW).data(256, &[flow(10, 20, 1)]);
    interfaces(&mut rig, "192.0.2.1", 1, 0, &[(10, "eth0", ""), (20, "eth1", "")]);
    rig.feed_from("192.0.2.1", 2, &flows(7).bytes());
    interfaces(&mut rig, "192.0.2.1", 3, 0, &[(10, "eth0", ""), (20, "lo", "")]);
    rig.feed_from("192.0.2.1", 4, &flows(8).bytes()).feed_from("192.0.2.2", 2, &flows(7).bytes());
    expect(&rig.rows[0], &[("in_if_name", "eth0"), ("out_if_name", "eth1")]);
    expect(&rig.rows[1], &[("in_if_name", "eth0"), ("out_if_name", "-")]);
    expect(&rig.rows[2], &[("in_if_name", "-"), ("out_if_name", "-")]);
}

#[test]
fn a_name_told_anew_replaces_the_old_one_and_long_names_are_cut() {
    let mut rig = Rig::new();
    let long = "x".repeat(300);
    let options = Message::ipfix(0).options(301, &[(10, 4, 0)], &[(82, 65_535, 0)]);
    let name = |index: u64, text: &str| {
        let length = [&[255_u8][..], &(text.len() as u16).to_be_bytes()].concat();
        [record(&[(index, 4)]), length, text.as_bytes().to_vec()].concat()
    };
    rig.feed(&options.data(301, &[name(10, "old"), name(20, &long), name(10, "new")]).bytes());
    rig.feed(&Message::ipfix(3).template(256, FLOW).data(256, &[flow(10, 20, 1)]).bytes());
    expect(&rig.rows[0], &[("in_if_name", "new"), ("out_if_name", &long[..255])]);
}
