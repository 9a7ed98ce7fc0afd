//! Top-N tables: windows of days, hours and minutes, merged.

use redb::ReadOnlyTable;

use super::super::read;
use super::super::store::{StoreError, TOPS};
use super::super::tops::Window;
use super::super::view::{TopQuery, TopRow, TopTable};
use super::super::windows::{Progress, STEPS};
use super::{ReadError, Reader};

type Table = ReadOnlyTable<(u8, u64, u32, &'static str), &'static [u8]>;

/// Answers a question for a top-N table.
pub(super) fn answer(reader: &Reader, query: &TopQuery) -> Result<TopTable, ReadError> {
    if query.from_ms >= query.to_ms {
        return Err(ReadError::Range);
    }
    check(reader, query)?;
    let name = format!("{}/{}", query.element, query.order);
    let state = read(&reader.shared.state);
    let channel = state.names.channel_id(&query.profile, &query.channel);
    let transaction = reader.shared.store.read()?;
    let progress = read(&reader.shared.progress).windows.clone();
    let mut fresh: Vec<(u64, Window)> = state
        .tops
        .iter()
        .filter(|((start, id, held), _)| {
            Some(*id) == channel && *held == name && (query.from_ms..query.to_ms).contains(start)
        })
        .map(|((start, ..), window)| (*start, window.clone()))
        .collect();
    drop(state);
    fresh.sort_by_key(|(start, _)| *start);
    let mut merge = Merge::default();
    if let Some(channel) = channel {
        let table = transaction.open_table(TOPS).map_err(StoreError::from)?;
        merge.stored(&table, &progress, query, channel, &name)?;
    }
    for (start, window) in &fresh {
        merge.add(*start, STEPS[0], window);
    }
    Ok(merge.finish(query))
}

fn check(reader: &Reader, query: &TopQuery) -> Result<(), ReadError> {
    let profile = reader.profile(&query.profile)?;
    if profile.channels.iter().all(|c| c.name != query.channel) {
        let known = profile.channels.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(ReadError::Channel { profile: profile.name, name: query.channel.clone(), known });
    }
    let kept: Vec<(String, &str)> =
        profile.top.iter().flat_map(|t| t.orders.iter().map(|o| (t.element.clone(), o.name()))).collect();
    if kept.iter().any(|(element, order)| *element == query.element && *order == query.order) {
        return Ok(());
    }
    let known = kept.iter().map(|(element, order)| format!("{element} by {order}")).collect::<Vec<_>>();
    Err(ReadError::Top {
        profile: profile.name.clone(),
        element: query.element.clone(),
        order: query.order.clone(),
        known: if known.is_empty() { "none".into() } else { known.join(", ") },
    })
}

#[derive(Default)]
struct Merge {
    window: Option<Window>,
    from_ms: u64,
    to_ms: u64,
}

impl Merge {
    /// Walks the range in the longest windows that fit into it and are there. Where the shorter ones are gone,
    /// the range begins with the longer one that holds its start.
    fn stored(
        &mut self,
        table: &Table,
        progress: &Progress,
        query: &TopQuery,
        channel: u32,
        name: &str,
    ) -> Result<(), StoreError> {
        let finest = (0..STEPS.len()).find(|level| query.from_ms >= progress.deleted[*level]).unwrap_or(2);
        let mut start = query.from_ms - query.from_ms % STEPS[finest];
        while start < query.to_ms {
            let fits = |level: &usize| {
                start.is_multiple_of(STEPS[*level])
                    && (*level == 0
                        || (start < progress.merged[*level] && start + STEPS[*level] <= query.to_ms))
            };
            let level = (0..STEPS.len()).rev().find(fits).unwrap_or(0);
            if let Some(value) = table.get((level as u8, start, channel, name))? {
                self.add(start, STEPS[level], &Window::from_bytes(value.value())?);
            }
            start += STEPS[level];
        }
        Ok(())
    }

    fn add(&mut self, start: u64, length: u64, window: &Window) {
        match &mut self.window {
            Some(held) => {
                held.merge(window);
                self.from_ms = self.from_ms.min(start);
                self.to_ms = self.to_ms.max(start + length);
            }
            None => {
                self.window = Some(window.clone());
                (self.from_ms, self.to_ms) = (start, start + length);
            }
        }
    }

    fn finish(self, query: &TopQuery) -> TopTable {
        let Some(window) = self.window else {
            return TopTable {
                from_ms: query.from_ms,
                to_ms: query.from_ms,
                rows: vec![],
                absent: 0,
                total: 0,
                exact: true,
            };
        };
        let ranked = window.ranked();
        let row = |(key, lower, upper): &(String, u64, u64)| TopRow {
            key: key.clone(),
            lower: *lower,
            upper: *upper,
        };
        let rows: Vec<TopRow> = ranked.iter().take(query.limit).map(row).collect();
        let next = ranked.get(query.limit).map_or(window.absent, |(_, _, upper)| (*upper).max(window.absent));
        let uppers = rows.iter().skip(1).map(|row| row.upper).chain([next]);
        let exact = rows.iter().zip(uppers).all(|(row, next)| row.lower >= next);
        TopTable {
            from_ms: self.from_ms,
            to_ms: self.to_ms,
            rows,
            absent: window.absent,
            total: window.total,
            exact,
        }
    }
}
