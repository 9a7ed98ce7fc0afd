//! What exporters say that they lost themselves: totals in options data, of which the growth counts (RFC 7011, 4.2
//! and 4.3).

use std::hash::BuildHasher;

use hashbrown::HashMap;

use super::program::Program;
use super::records::{Records, number};
use super::tally::Tally;
use crate::slot::Declared;

/// Processes of exporters whose totals are remembered; past it new ones are not looked at.
const MOST: usize = 4096;

/// The last totals of each process.
#[derive(Debug, Default)]
pub(super) struct Declarations {
    /// By stream and scope.
    totals: HashMap<u64, [u64; 5], foldhash::fast::RandomState>,
}

/// Whether records of a template declare losses (elements 164 to 168).
pub(super) fn declares(program: &Program) -> bool {
    program.fields.iter().any(|field| field.enterprise == 0 && (164..=168).contains(&field.element))
}

impl Declarations {
    /// Adds what the first `count` records say has been lost since the last time.
    pub(super) fn learn(
        &mut self,
        stream: u32,
        program: &Program,
        records: Records<'_>,
        count: usize,
        tally: &mut Tally,
    ) {
        for record in 0..count {
            let mut scope = Vec::new();
            let mut now = [None; 5];
            for (at, (field, place)) in program.fields.iter().zip(&program.places).enumerate() {
                let bytes = records.field(*place, record);
                if at < usize::from(program.scope) {
                    scope.push(bytes);
                }
                let total = usize::from(field.element).checked_sub(164).filter(|_| field.enterprise == 0);
                if let Some(total) = total.and_then(|at| now.get_mut(at)) {
                    *total = Some(number(bytes));
                }
            }
            let who = self.totals.hasher().hash_one((stream, scope));
            self.grow(who, now, tally);
        }
    }

    fn grow(&mut self, who: u64, now: [Option<u64>; 5], tally: &mut Tally) {
        let Some(before) = self.totals.get_mut(&who) else {
            if self.totals.len() < MOST {
                self.totals.insert(who, now.map(Option::unwrap_or_default));
            }
            return;
        };
        let mut grown = [0; 5];
        for ((now, before), grown) in now.into_iter().zip(before).zip(&mut grown) {
            let Some(now) = now else { continue };
            // A total that went back started anew.
            *grown = now.checked_sub(*before).unwrap_or(now);
            *before = now;
        }
        let [ignored_packets, ignored_bytes, not_sent_flows, not_sent_packets, not_sent_bytes] = grown;
        let said =
            Declared { ignored_packets, ignored_bytes, not_sent_flows, not_sent_packets, not_sent_bytes };
        tally.declared.add(&said);
    }
}
