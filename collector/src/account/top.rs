//! The largest keys of each `top[]` element, by windows of a minute.
//!
//! One heavy-hitter sketch per channel, element and order over all sources. A window is shipped when it
//! closes: the keys above the sketch's error, each with a lower and an upper value, and the most that a key
//! can have that is not listed.

mod element;
mod heavy;
mod values;

use crds::config::{ProfileConfig, TopConfig, TopOrder};

pub use self::element::{Element, UnknownElement};
use self::heavy::{Heavy, Listed};
use self::values::Values;
use super::measure::Measure;
use crate::flow::{Batch, ColumnSet, Run};
use crate::slot::{TopEntry, TopWindow};

/// A window's length; aligned to it on Unix time.
const WINDOW_MS: u64 = 60_000;

/// All sketches together take at most this much memory: profiles past it are refused with a message.
const MAX_SKETCH_BYTES: usize = 32 << 20;

#[derive(Debug)]
struct Sketch {
    channel: u16,
    element: Element,
    /// Where the keys of each side stand.
    source: Option<usize>,
    destination: Option<usize>,
    order: TopOrder,
    /// Entries shipped a window.
    ship: usize,
    entries: Heavy,
}

/// All sketches of one plan.
#[derive(Debug)]
pub(super) struct Tops {
    sketches: Vec<Sketch>,
    /// `first[channel]..first[channel + 1]` are the sketches of a channel.
    first: Vec<u32>,
    /// What the sketches read of the batch at hand, each column once.
    values: Vec<Values>,
    window: u64,
    closed: Vec<TopWindow>,
}

impl Tops {
    pub(super) fn new(profiles: &[ProfileConfig]) -> Result<Self, UnknownElement> {
        let (mut sketches, mut values) = (Vec::new(), Vec::new());
        let mut first = vec![0];
        let channels = profiles.iter().flat_map(|profile| profile.channels.iter().map(move |_| &profile.top));
        for (channel, tops) in channels.enumerate() {
            for top in tops {
                let channel = u16::try_from(channel).unwrap_or(u16::MAX);
                push_sketches(&mut sketches, &mut values, channel, top)?;
            }
            first.push(u32::try_from(sketches.len()).unwrap_or(u32::MAX));
        }
        Ok(Self { sketches, first, values, window: 0, closed: Vec::new() })
    }

    /// Closes the window when `slot` lies past it.
    pub(super) fn roll(&mut self, slot_start_ms: u64) {
        let window = slot_start_ms - slot_start_ms % WINDOW_MS;
        if window != self.window {
            self.close();
            self.window = window;
        }
    }

    /// The columns that keys are read from.
    pub(super) fn columns(&self) -> ColumnSet {
        let none = ColumnSet::default();
        self.sketches.iter().fold(none, |set, sketch| set.union(&sketch.element.columns()))
    }

    /// Whether any channel has something to rank.
    #[inline]
    pub(super) fn rank_any(&self) -> bool {
        !self.sketches.is_empty()
    }

    /// Reads the keys of a batch, column by column, before its rows are added.
    pub(super) fn take(&mut self, batch: &Batch) {
        for values in &mut self.values {
            values.take(batch);
        }
    }

    /// Adds one row of a channel, as sent.
    #[inline]
    pub(super) fn add(&mut self, channel: u16, row: usize, measure: &Measure) {
        let Self { sketches, first, values, .. } = self;
        for sketch in of_channel(sketches, first, channel) {
            let key = |side: Option<usize>| values.get(side?)?.get(row);
            sketch.add(key(sketch.source), key(sketch.destination), measure);
        }
    }

    /// Adds one row of a channel, a biflow, with its two sides swapped.
    pub(super) fn add_reverse(
        &mut self,
        channel: u16,
        batch: &Batch,
        run: &Run,
        row: usize,
        measure: &Measure,
    ) {
        for sketch in of_channel(&mut self.sketches, &self.first, channel) {
            let [source, destination] = sketch.element.reverse_keys(batch, run, row);
            sketch.add(source, destination, measure);
        }
    }

    /// The windows that closed since the last call; with `last` also the running one.
    pub(super) fn closed(&mut self, last: bool) -> Vec<TopWindow> {
        if last {
            self.close();
        }
        std::mem::take(&mut self.closed)
    }

    fn close(&mut self) {
        for sketch in self.sketches.iter_mut().filter(|sketch| sketch.entries.total() > 0) {
            self.closed.push(window(sketch, self.window));
            sketch.entries.clear();
        }
    }
}

impl Sketch {
    /// Adds a row under both its keys, once if they are equal.
    #[inline]
    fn add(&mut self, source: Option<u128>, destination: Option<u128>, measure: &Measure) {
        let weight = match self.order {
            TopOrder::Flows => measure.tally.flows,
            TopOrder::Packets => measure.tally.packets,
            TopOrder::Bytes => measure.tally.bytes,
        };
        if let Some(key) = source {
            self.entries.add(key, weight);
        }
        if let Some(key) = destination
            && source != destination
        {
            self.entries.add(key, weight);
        }
    }
}

#[inline]
fn of_channel<'a>(sketches: &'a mut [Sketch], first: &[u32], channel: u16) -> &'a mut [Sketch] {
    let at = usize::from(channel);
    let (Some(from), Some(to)) = (first.get(at), first.get(at + 1)) else { return &mut [] };
    sketches.get_mut(*from as usize..*to as usize).unwrap_or_default()
}

fn push_sketches(
    sketches: &mut Vec<Sketch>,
    values: &mut Vec<Values>,
    channel: u16,
    top: &TopConfig,
) -> Result<(), UnknownElement> {
    let element = Element::named(&top.element)?;
    let size = top.size as usize;
    let capacity = (8 * size).clamp(8, 1024);
    for order in &top.orders {
        if (sketches.len() + 1) * Heavy::bytes(capacity) > MAX_SKETCH_BYTES {
            return Err(UnknownElement::NoMemory);
        }
        let [source, destination] = element.sides().map(|column| Some(Values::of(column?, values)));
        let entries = Heavy::new(capacity);
        let order = *order;
        sketches.push(Sketch { channel, element, source, destination, order, ship: 4 * size, entries });
    }
    Ok(())
}

fn window(sketch: &Sketch, start_ms: u64) -> TopWindow {
    let rows = sketch.entries.listed();
    let dropped = rows.get(sketch.ship).map_or(0, |row| row.upper);
    let entry =
        |row: &Listed| TopEntry { key: sketch.element.text(row.key), lower: row.lower, upper: row.upper };
    TopWindow {
        channel: u32::from(sketch.channel),
        element: sketch.element.name().to_owned(),
        order: order_name(sketch.order).to_owned(),
        start_ms,
        length_ms: u32::try_from(WINDOW_MS).unwrap_or(u32::MAX),
        absent: dropped.max(sketch.entries.error()),
        total: sketch.entries.total(),
        entries: rows.iter().take(sketch.ship).map(entry).collect(),
    }
}

const fn order_name(order: TopOrder) -> &'static str {
    match order {
        TopOrder::Flows => "flows",
        TopOrder::Packets => "packets",
        TopOrder::Bytes => "bytes",
    }
}
