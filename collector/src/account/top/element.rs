//! The elements that a `top[]` ranks, by nfdump's names (`-s`): which columns they read, how a key is shown.

use crate::flow::{Batch, Column, ColumnSet, Run, address_of};

/// Why a `top[]` cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownElement {
    /// No such element.
    #[error("top element {0:?} is unknown; known are {known}", known = Element::names())]
    Name(String),
    /// The sketches of all profiles together would pass their memory bound.
    #[error(
        "the top[] tables of all profiles need more than 32 MiB at an edge; ask for fewer or smaller ones"
    )]
    NoMemory,
}

/// How a key is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Show {
    Address,
    Number,
}

/// One element: a name, the column of each side and how a key is shown. An element with two columns counts
/// a row under both values, once if they are equal.
#[derive(Clone, Copy, Debug)]
pub struct Element {
    name: &'static str,
    source: Option<Column>,
    destination: Option<Column>,
    show: Show,
}

const fn element(
    name: &'static str,
    source: Option<Column>,
    destination: Option<Column>,
    show: Show,
) -> Element {
    Element { name, source, destination, show }
}

const fn one(name: &'static str, column: Column) -> Element {
    element(name, Some(column), None, Show::Number)
}

use Column as C;

/// The elements, in the order of nfdump's manual.
const ELEMENTS: &[Element] = &[
    element("srcip", Some(C::SrcAddr), None, Show::Address),
    element("dstip", None, Some(C::DstAddr), Show::Address),
    element("ip", Some(C::SrcAddr), Some(C::DstAddr), Show::Address),
    element("nhip", Some(C::NextHop), None, Show::Address),
    element("nhbip", Some(C::BgpNextHop), None, Show::Address),
    element("srcport", Some(C::SrcPort), None, Show::Number),
    element("dstport", None, Some(C::DstPort), Show::Number),
    element("port", Some(C::SrcPort), Some(C::DstPort), Show::Number),
    one("tos", C::IpTos),
    one("srctos", C::IpTos),
    element("dsttos", None, Some(C::DstTos), Show::Number),
    one("dir", C::Direction),
    element("srcas", Some(C::SrcAs), None, Show::Number),
    element("dstas", None, Some(C::DstAs), Show::Number),
    element("as", Some(C::SrcAs), Some(C::DstAs), Show::Number),
    element("inif", Some(C::InIf), None, Show::Number),
    element("outif", None, Some(C::OutIf), Show::Number),
    element("if", Some(C::InIf), Some(C::OutIf), Show::Number),
    element("srcmask", Some(C::SrcMask), None, Show::Number),
    element("dstmask", None, Some(C::DstMask), Show::Number),
    element("srcvlan", Some(C::SrcVlan), None, Show::Number),
    element("dstvlan", None, Some(C::DstVlan), Show::Number),
    element("vlan", Some(C::SrcVlan), Some(C::DstVlan), Show::Number),
    one("proto", C::Proto),
];

impl Element {
    /// The element of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self, UnknownElement> {
        let found = ELEMENTS.iter().find(|element| element.name == name);
        found.copied().ok_or_else(|| UnknownElement::Name(name.to_owned()))
    }

    /// All names, joined for a message.
    pub fn names() -> String {
        ELEMENTS.iter().map(|element| element.name).collect::<Vec<_>>().join(", ")
    }

    /// nfdump's name.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The columns of the two sides.
    pub(super) fn sides(self) -> [Option<Column>; 2] {
        [self.source, self.destination]
    }

    /// A row's keys with its two sides swapped, where the element has sides.
    pub(super) fn reverse_keys(self, batch: &Batch, run: &Run, row: usize) -> [Option<u128>; 2] {
        let key = |column: Option<Column>| {
            let column = column?.reversed();
            batch.has(run, column, row).then(|| value(batch, column, row))
        };
        self.sides().map(key)
    }

    /// The columns that keys are read from, of either direction.
    pub(super) fn columns(&self) -> ColumnSet {
        let sides = [self.source, self.destination].into_iter().flatten();
        ColumnSet::of(&sides.flat_map(|column| [column, column.reversed()]).collect::<Vec<_>>())
    }

    /// A key as text.
    pub(super) fn text(&self, key: u128) -> String {
        match self.show {
            Show::Address => address_of(key).to_string(),
            Show::Number => key.to_string(),
        }
    }
}

fn value(batch: &Batch, column: Column, row: usize) -> u128 {
    use crate::flow::Kind;
    match column.kind() {
        Kind::Addr => batch.addrs(column)[row],
        Kind::U8 => u128::from(batch.u8s(column)[row]),
        Kind::U16 => u128::from(batch.u16s(column)[row]),
        Kind::U64 | Kind::Mac => u128::from(batch.u64s(column)[row]),
        _ => u128::from(batch.u32s(column)[row]),
    }
}
