//! Elements without a column, for batches that people read record by record (`weir decode`): their bytes, and the
//! names and types that exporters themselves told of them (RFC 5610).

use std::net::IpAddr;

use hashbrown::HashMap;

use super::program::{Place, Program};
use super::records::{Ends, Records};
use super::streams::Key;
use super::template::Field;
use crate::flow::{Batch, Learned, Protocol, Run, TEXT_LIMIT};

/// Elements of which exporters may tell something, in all.
const MOST: usize = 4096;

/// privateEnterpriseNumber, informationElementId, informationElementDataType and informationElementName.
const ENTERPRISE: u16 = 346;
const ELEMENT: u16 = 303;
const DATA_TYPE: u16 = 339;
const NAME: u16 = 341;

/// An exporter's element: who tells, in which domain, enterprise, number.
type Which = (IpAddr, Protocol, u32, u32, u16);

/// What exporters told of their elements.
#[derive(Debug, Default)]
pub(super) struct Types {
    known: HashMap<Which, (Box<[u8]>, u8), foldhash::fast::RandomState>,
}

impl Types {
    /// Learns from the records of an options set, if it tells of elements.
    pub(super) fn learn(&mut self, key: &Key, program: &Program, body: &[u8], ends: &mut Ends) {
        let place = |element: u16| {
            let is = |field: &Field| field.enterprise == 0 && field.element == element;
            let at = program.fields.iter().position(is);
            at.and_then(|at| program.places.get(at)).copied()
        };
        let (Some(enterprise), Some(element), Some(name)) = (place(ENTERPRISE), place(ELEMENT), place(NAME))
        else {
            return;
        };
        let (records, count) = match body.len().checked_div(program.stride) {
            Some(count) => (Records::Fixed { data: body, stride: program.stride }, count),
            None => {
                let count = ends.walk(program, body, usize::MAX).records;
                (Records::Variable { data: body, ends }, count)
            }
        };
        let number = |place: Place, record| records.number(place, record);
        for record in 0..count {
            let name = super::execute::trimmed(records.field(name, record));
            let enterprise = u32::try_from(number(enterprise, record)).unwrap_or(0);
            // The highest bit of an element's number says that there is an enterprise.
            let element = (number(element, record) & 0x7fff) as u16;
            let kind = place(DATA_TYPE).map_or(0, |place| number(place, record).min(255) as u8);
            let which = (key.exporter, key.protocol, key.domain, enterprise, element);
            let has_room = self.known.len() < MOST || self.known.contains_key(&which);
            if !name.is_empty() && enterprise != 0 && has_room {
                let name = name.get(..TEXT_LIMIT).unwrap_or(name);
                self.known.insert(which, (name.into(), kind));
            }
        }
    }

    /// Keeps the elements without a column of a set's rows.
    pub(super) fn keep(
        &self,
        key: &Key,
        program: &Program,
        records: Records<'_>,
        batch: &mut Batch,
        run: &Run,
    ) {
        if !batch.keeps_extras() {
            return;
        }
        for (field, place) in &program.extras {
            let which = (key.exporter, key.protocol, key.domain, field.enterprise, field.element);
            let learned = self.known.get(&which);
            let learned = learned.map(|(name, kind)| Learned { name: batch.keep_text(name), kind: *kind });
            for (record, row) in run.rows().enumerate() {
                let bytes = records.field(*place, record);
                batch.keep_learned_extra(row, (field.enterprise, field.element, learned), bytes);
            }
        }
    }
}
