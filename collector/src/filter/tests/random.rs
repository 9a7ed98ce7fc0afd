//! On random filters and random flows, the plan finds exactly what the plain evaluation finds.

use proptest::prelude::*;
use proptest::sample::select;

use super::rows::{channel, config, run};
use crate::filter::{Plan, RowFilter};
use crate::flow::{Batch, Column, Hits, Kind, Run};

const SOURCES: [&str; 2] = ["a", "b"];

/// Values are drawn from few, so that filters meet them.
fn number() -> impl Strategy<Value = u64> {
    select(vec![0, 1, 2, 6, 17, 18, 53, 64, 80, 128, 129, 200])
}

fn address() -> impl Strategy<Value = &'static str> {
    select(vec![
        "10.1.1.1",
        "10.1.1.2",
        "10.1.2.1",
        "10.2.0.1",
        "192.0.2.1",
        "2001:db8::1",
        "2001:db8:1::2",
        "::1",
    ])
}

fn net() -> impl Strategy<Value = String> {
    let v4 = (
        select(vec!["10.1.1.1", "10.1.2.1", "10.2.0.1", "192.0.2.1"]),
        select(vec![0, 7, 8, 16, 24, 31, 32]),
    );
    let v6 = (select(vec!["2001:db8::1", "2001:db8:1::2", "::1"]), select(vec![0, 8, 32, 48, 64, 127, 128]));
    prop_oneof![v4.prop_map(|(a, n)| format!("{a}/{n}")), v6.prop_map(|(a, n)| format!("{a}/{n}"))]
}

fn term() -> impl Strategy<Value = String> {
    let side = select(vec!["", "src ", "dst ", "src and dst "]);
    let way = select(vec!["", "in ", "out "]);
    let compare = select(vec!["", "> ", "< ", ">= ", "<= ", "!= "]);
    let plain = select(vec![
        "flows",
        "pps",
        "bps",
        "bpp",
        "duration",
        "icmp type",
        "icmp code",
        "fwdstat",
        "engine type",
        "engine id",
        "observation domain id",
        "observation point id",
        "mpls label1",
        "mpls exp2",
        "mpls any",
        "mpls eos",
        "min ttl",
        "max ttl",
        "etherType",
        "client latency",
        "asa event",
        "asa xevent",
        "nat event",
        "ingress vrf",
        "nat pblock start",
        "flags",
        "ingress acl",
        "egress ace",
        "prev as",
        "next as",
    ]);
    let small = number().prop_map(|number| number % 8);
    prop_oneof![
        4 => (side.clone(), compare.clone(), number()).prop_map(|(d, c, n)| format!("{d}port {c}{n}")),
        2 => (side.clone(), prop::collection::vec(number(), 1..4)).prop_map(|(d, l)| format!("{d}port in {l:?}")),
        2 => (side.clone(), number()).prop_map(|(d, n)| format!("{d}as {n}")),
        1 => (side.clone(), prop::collection::vec(number(), 1..4)).prop_map(|(d, l)| format!("{d}as in {l:?}")),
        1 => (way.clone(), compare.clone(), number()).prop_map(|(d, c, n)| format!("{d}if {c}{n}")),
        1 => (side.clone(), select(vec!["vlan", "tos", "nport"]), compare.clone(), number())
            .prop_map(|(d, f, c, n)| format!("{d}{f} {c}{n}")),
        1 => (side.clone(), compare.clone(), 0..100_u8).prop_map(|(d, c, n)| format!("{d}mask {c}{n}")),
        2 => (way, select(vec!["packets", "bytes"]), compare.clone(), number())
            .prop_map(|(d, f, c, n)| format!("{d}{f} {c}{n}")),
        3 => (plain, compare, small).prop_map(|(f, c, n)| format!("{f} {c}{n}")),
        9 => address_term(),
        1 => (select(vec!["", "in ", "out ", "src ", "dst ", "in src ", "out dst "]), number())
            .prop_map(|(d, n)| format!("{d}mac 0:0:0:0:0:{n:x}")),
        3 => "flags =? ?[AFPRSUXEC]{1,3}",
        2 => select(vec![
            "any", "proto tcp", "proto udp", "proto icmp", "inet", "inet6", "dir egress", "dir ingress",
            "fwdstat Forw", "fwdstat Drop", "fwdstat Ukwn", "ident a", "ident other", "ident nobody",
            "first seen > 1970-01-01T00:00:00.060Z", "last seen < 1970-01-01T00:00:00.100Z", "port in pblock",
            "src and dst port in pblock", "as path contains 6", "community 6:17",
        ]).prop_map(str::to_owned),
    ]
}

fn address_term() -> impl Strategy<Value = String> {
    let side = select(vec!["", "src ", "dst ", "src and dst "]);
    prop_oneof![
        3 => (side.clone(), address()).prop_map(|(d, a)| format!("{d}ip {a}")),
        3 => (side.clone(), net()).prop_map(|(d, n)| format!("{d}net {n}")),
        2 => (side.clone(), prop::collection::vec(net(), 1..5))
            .prop_map(|(d, l)| format!("{d}ip in [{}]", l.join(" "))),
        1 => (select(vec!["next ip", "bgp next ip", "exporter ip", "src nat ip", "nat ip"]), address())
            .prop_map(|(f, a)| format!("{f} {a}")),
    ]
}

fn filter() -> impl Strategy<Value = String> {
    term().prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|part| format!("not ({part})")),
        ]
    })
}

/// What one run holds: a seed for its values, its length, its source, and one bit for each column that it
/// carries, and carries sometimes.
type Shape = (u64, usize, u16, u128, u128);

fn shape() -> impl Strategy<Value = Shape> {
    let columns = (any::<u128>(), any::<u128>()).prop_map(|(some, more)| some | more);
    let sparse = (any::<u128>(), any::<u128>()).prop_map(|(some, fewer)| some & fewer);
    (any::<u64>(), 1..90_usize, 0..5_u16, columns, sparse)
}

/// A small generator of our own, so that a shape gives the same rows again.
struct Values(u64);

impl Values {
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        from[(self.0 >> 33) as usize % from.len()]
    }
}

const NUMBERS: [u64; 12] = [0, 1, 2, 6, 17, 18, 53, 64, 80, 128, 129, 200];
const ADDRESSES: [u128; 9] = [
    0xffff_0a01_0101,
    0xffff_0a01_0102,
    0xffff_0a01_0201,
    0xffff_0a02_0001,
    0xffff_c000_0201,
    0x2001_0db8_0000_0000_0000_0000_0000_0001,
    0x2001_0db8_0001_0000_0000_0000_0000_0002,
    1,
    0,
];

fn fill(batch: &mut Batch, run: &mut Run, shape: &Shape) {
    let mut values = Values(shape.0);
    for (at, column) in Column::ALL.iter().enumerate().filter(|(at, _)| shape.3 >> at & 1 == 1) {
        run.present.insert(*column);
        for row in run.rows() {
            cell(batch, *column, row, &mut values);
        }
        if shape.4 >> at & 1 == 1 {
            run.sparse.insert(*column);
            for row in run.rows() {
                batch.valid_mut(*column).set(row, values.pick(&[true, true, false]));
            }
        }
    }
}

fn cell(batch: &mut Batch, column: Column, row: usize, values: &mut Values) {
    match column.kind() {
        Kind::U8 => batch.u8s_mut(column)[row] = values.pick(&NUMBERS) as u8,
        Kind::U16 if column == Column::EType => {
            batch.u16s_mut(column)[row] = values.pick(&[0x0800, 0x86dd, 0x0806]);
        }
        Kind::U16 => batch.u16s_mut(column)[row] = values.pick(&NUMBERS) as u16,
        Kind::U32 if (Column::MplsLabel1..=Column::MplsLabel10).contains(&column) => {
            // The bottom of the stack comes last, as decode leaves it.
            let bottom = u32::from(column == Column::MplsLabel10);
            batch.u32s_mut(column)[row] = (values.pick(&NUMBERS) as u32) << 1 | bottom;
        }
        Kind::U32 => batch.u32s_mut(column)[row] = values.pick(&NUMBERS) as u32,
        Kind::U64 | Kind::Mac => batch.u64s_mut(column)[row] = values.pick(&NUMBERS),
        Kind::F32 => batch.f32s_mut(column)[row] = values.pick(&[1.0, 1.5, 100.0]),
        Kind::Addr => batch.addrs_mut(column)[row] = values.pick(&ADDRESSES),
        Kind::Text => {
            let text = values.pick(&["", "6 {17 18}", "6:17 6:18", "00000001-00000002-00000006", "\u{e4}"]);
            let text = batch.keep_text(text.as_bytes());
            batch.texts_mut(column)[row] = text;
        }
    }
}

fn batch(shapes: &[Shape]) -> Batch {
    let mut batch = Batch::default();
    for shape in shapes {
        let mut run = run(batch.len(), shape.1);
        run.source = shape.2;
        run.domain = u32::from(shape.2);
        fill(&mut batch, &mut run, shape);
        batch.push_run(run);
    }
    batch
}

/// The (row, channel) pairs of a list, masks spelled out.
fn pairs(list: &crate::flow::HitList, rows: usize) -> Vec<(u16, u16)> {
    let broad = list.broad().flat_map(|(channel, mask)| {
        (0..rows).filter(|row| mask.get(*row)).map(move |row| (row as u16, channel))
    });
    let mut pairs: Vec<_> = list.pairs.iter().copied().chain(broad).collect();
    pairs.sort_unstable();
    pairs
}

fn judge(filters: &[(String, bool)], shapes: &[Shape]) {
    let named = |at: &usize| format!("{at}");
    let channels = filters.iter().enumerate().map(|(at, (filter, restricted))| {
        channel(&named(&at), filter, if *restricted { &SOURCES[..1] } else { &[] })
    });
    let mut plan = Plan::compile(&config(channels.collect(), &SOURCES)).expect("a filter that is checked");
    let names: Vec<String> = SOURCES.iter().map(|name| (*name).to_owned()).collect();
    let plain: Vec<_> = filters
        .iter()
        .map(|(filter, _)| RowFilter::new(&crds::filter::parse(filter).unwrap(), &names))
        .collect();
    let mut batch = batch(shapes);
    let mut hits = Hits::default();
    // Twice: what one batch leaves behind must not show in the next.
    for _ in 0..2 {
        hits.clear();
        plan.run(&batch, &mut hits);
    }
    assert!(hits.forward.pairs.is_sorted_by_key(|(row, _)| *row), "pairs come in row order");
    let (mut forward, mut reverse) = (Vec::new(), Vec::new());
    for run in batch.runs() {
        for row in run.rows() {
            for (at, filter) in plain.iter().enumerate() {
                let taken = !filters[at].1 || run.source == 0;
                if taken && filter.matches(&batch, run, row) {
                    forward.push((row as u16, at as u16));
                }
                if taken && filter.matches_reverse(&batch, run, row) {
                    reverse.push((row as u16, at as u16));
                }
            }
        }
    }
    assert_eq!(pairs(&hits.forward, batch.len()), forward, "as sent: {filters:?}");
    assert_eq!(pairs(&hits.reverse, batch.len()), reverse, "swapped: {filters:?}");
    for run in batch.runs_mut() {
        run.present = run.present.intersection(&plan.columns());
    }
    hits.clear();
    plan.run(&batch, &mut hits);
    assert_eq!(pairs(&hits.forward, batch.len()), forward, "with no other columns: {filters:?}");
    assert_eq!(pairs(&hits.reverse, batch.len()), reverse, "swapped, with no other columns: {filters:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_plan_finds_what_the_plain_evaluation_finds(
        filters in prop::collection::vec((filter(), prop::bool::weighted(0.2)), 1..8),
        shapes in prop::collection::vec(shape(), 1..5),
    ) {
        judge(&filters, &shapes);
    }
}
