//! What a record looks like in JSON, CSV and a table.

use super::*;

/// The columns that the first record has.
const FILLED: [Column; 16] = [
    Column::Packets,
    Column::Bytes,
    Column::SamplingRate,
    Column::Proto,
    Column::SrcAddr,
    Column::DstAddr,
    Column::SrcPort,
    Column::DstPort,
    Column::TcpFlags,
    Column::SrcMac,
    Column::InIf,
    Column::OutIfState,
    Column::MplsLabel1,
    Column::MplsLabel2,
    Column::Username,
    Column::CountersFrom,
];

fn run(start: usize, present: &[Column]) -> Run {
    Run {
        start,
        len: 1,
        protocol: Protocol::Ipfix,
        stream: 1,
        listener: 0,
        exporter: [192, 0, 2, 1].into(),
        exporter_port: 40_000,
        agent: None,
        domain: 7,
        received_ms: 1_767_225_600_123,
        export_ms: 1_767_225_600_000,
        time_from: TimeFrom::Record,
        sampling_from: SamplingFrom::None,
        source: 0,
        present: ColumnSet::of(present),
        sparse: ColumnSet::default(),
    }
}

/// A batch of two runs: a TCP record with lists and extras, and a record that has next to nothing.
fn batch() -> Batch {
    use Column as C;
    let mut batch = Batch::with_extras();
    batch.u64s_mut(C::Packets)[0] = 10;
    batch.u64s_mut(C::Bytes)[0] = u64::MAX;
    batch.f32s_mut(C::SamplingRate)[0] = 611.0 / 305.0;
    batch.u8s_mut(C::Proto)[0] = 6;
    batch.addrs_mut(C::SrcAddr)[0] = address_bits([198, 51, 100, 7].into());
    batch.addrs_mut(C::DstAddr)[0] = address_bits("2001:db8::7".parse().unwrap());
    batch.u16s_mut(C::SrcPort)[0] = 443;
    batch.u16s_mut(C::DstPort)[0] = 50_000;
    batch.u16s_mut(C::TcpFlags)[0] = 0x12;
    batch.u64s_mut(C::SrcMac)[0] = 0x0200_0000_00ff;
    batch.u32s_mut(C::InIf)[0] = 3;
    batch.u32s_mut(C::OutIfState)[0] = 0x4000_0102;
    batch.u32s_mut(C::MplsLabel1)[0] = 16 << 4 | 5 << 1;
    batch.u32s_mut(C::MplsLabel2)[0] = 1_048_575 << 4 | 1;
    let user = batch.keep_text(b"a \"b\", c\xff");
    batch.texts_mut(C::Username)[0] = user;
    batch.keep_extra(0, 0, 82, b"eth0");
    batch.keep_extra(0, 35_632, 80, &[1, 2]);
    batch.keep_extra(0, 0, 82, b"eth1");
    let name = batch.keep_text(b"queueDepth");
    batch.keep_learned_extra(0, (64_496, 7, Some(Learned { name, kind: 3 })), &[1, 0]);
    batch.u8s_mut(C::CountersFrom)[0] = CountersFrom::Total as u8;
    let mut first = run(0, &FILLED);
    first.sampling_from = SamplingFrom::Options;
    first.agent = Some([192, 0, 2, 2].into());
    batch.push_run(first);
    batch.push_run(run(1, &[]));
    batch
}

fn written(write: impl Fn(Row<'_>, &mut Vec<u8>)) -> Vec<String> {
    let mut out = Vec::new();
    rows::<()>(&batch(), &mut |row| {
        write(row, &mut out);
        Ok(())
    })
    .unwrap();
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn json_has_the_records_names_and_forms_and_no_key_for_what_is_absent() {
    let lines = written(|row, out| write_json(row, out).unwrap());
    assert_eq!(
        lines[0],
        concat!(
            r#"{"type":"ipfix","time_received_ms":1767225600123,"exporter":"192.0.2.1","exporter_port":40000,"#,
            r#""agent":"192.0.2.2","domain_id":7,"time_export_ms":1767225600000,"time_from":"record","#,
            r#""packets":10,"bytes":18446744073709551615,"sampling_rate":2.0032787,"sampling_from":"options","#,
            r#""counters_from":"total","proto":6,"src_addr":"198.51.100.7","dst_addr":"2001:db8::7","#,
            r#""src_port":443,"dst_port":50000,"tcp_flags":18,"src_mac":"02:00:00:00:00:ff","in_if":3,"#,
            r#""out_if_state":"discarded:258","mpls_labels":[16,1048575],"mpls_exp":[5,0],"#,
            r#""username":"a \"b\", c�","extra":{"interfaceName":["eth0","eth1"],"35632.80":"0x0102","queueDepth":256}}"#,
        )
    );
    assert_eq!(
        lines[1],
        concat!(
            r#"{"type":"ipfix","time_received_ms":1767225600123,"exporter":"192.0.2.1","exporter_port":40000,"#,
            r#""domain_id":7,"time_export_ms":1767225600000,"time_from":"record","sampling_from":"none"}"#,
        )
    );
}

#[test]
fn csv_has_every_column_in_every_line_and_quotes_what_needs_it() {
    let mut head = Vec::new();
    write_csv_header(&mut head);
    let head = String::from_utf8(head).unwrap();
    let columns = head.trim_end().split(',').count();
    assert!(head.starts_with("type,time_received_ms,exporter,") && head.contains(",mpls_labels,mpls_exp,"));
    let lines = written(write_csv);
    assert_eq!(lines[1].split(',').count(), columns);
    assert!(lines[0].contains(r#","a ""b"", c�","#), "{}", lines[0]);
    assert!(lines[0].contains(",16 1048575,5 0,"));
    assert!(lines[0].ends_with(
        r#","{""interfaceName"":[""eth0"",""eth1""],""35632.80"":""0x0102"",""queueDepth"":256}""#
    ));
}

#[test]
fn a_table_is_aligned_and_leaves_out_what_no_record_has() {
    let mut out = Vec::new();
    write_table(&batch(), &|_| true, &mut out);
    let text = String::from_utf8(out.clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains("sampling") && lines[0].contains("out"));
    assert!(lines[1].contains("tcp") && lines[1].contains("198.51.100.7:443  >  [2001:db8::7]:50000"));
    assert!(lines[1].contains("2026-01-01 00:00:00.123") && lines[1].contains("...A..S."));
    out.clear();
    write_table(&batch(), &|row| row.index == 1, &mut out);
    let short = String::from_utf8(out).unwrap();
    assert!(short.lines().count() == 2 && !short.contains("tcp"), "{short}");
    let mut out = Vec::new();
    write_table(&batch(), &|_| false, &mut out);
    assert!(out.is_empty());
}

#[test]
fn a_list_that_is_too_long_for_a_text_ends_with_a_whole_value() {
    let mut batch = Batch::default();
    let all = batch.keep_list([1, 2, 3]);
    let long = batch.keep_list(std::iter::repeat_n("a text of 24 bytes, each", 20));
    let none = batch.keep_list::<u8>([]);
    assert_eq!(batch.text(all), b"1 2 3");
    assert_eq!(batch.text(long).len(), 10 * 25 - 1);
    assert_eq!(batch.text(none), b"");
}
