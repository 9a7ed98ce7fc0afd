//! Which step a question gets, and from which level it is read.

use super::super::level::{LEVELS, Levels, MINUTE, RAW};
use super::super::view::{SeriesQuery, Value};
use super::ReadError;

/// Points of one series, at most.
const POINTS: u64 = 20_000;
/// Points of all series of an answer, at most.
const VALUES: u64 = 1_000_000;
/// Stored buckets that one answer may be made from.
const BUCKETS: u64 = 100_000;
/// What a question without a step should get at most.
const USUAL_POINTS: u64 = 1_000;

/// Whether a step is no finer than the steps in which long flows are reported. A quarter is granted: exporters
/// look only every few seconds for flows whose timeout is over.
fn is_no_comb(step_ms: u64, within_ms: Option<u64>) -> bool {
    within_ms.is_none_or(|within| within <= step_ms + step_ms / 4)
}

/// Multiples of the slot that divide a minute, then steps that people use, in milliseconds.
fn usual(levels: &Levels) -> impl Iterator<Item = u64> {
    let slot = levels.step[RAW];
    let raw =
        [1, 2, 3].into_iter().map(move |n| n * slot).filter(|step| *step < 60_000 && 60_000 % step == 0);
    let minutes = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720];
    let days = [1, 2, 7, 14, 28, 56, 112, 224, 448, 896];
    raw.chain(minutes.into_iter().map(|n| n * 60_000)).chain(days.into_iter().map(|n| n * 86_400_000))
}

/// A range in whole steps, and the level that it is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// First point's start.
    pub(super) from_ms: u64,
    /// Last point's end.
    pub(super) to_ms: u64,
    /// Milliseconds of a point.
    pub(super) step_ms: u64,
    /// The coarsest level whose buckets make up a point.
    pub(super) level: usize,
    /// Whether maxima are those of averages over `level`, which is coarser than a minute.
    pub(super) averages: bool,
}

impl Plan {
    /// Chooses the step, or checks the one that was asked for.
    pub(super) fn new(
        query: &SeriesQuery,
        lines: usize,
        levels: &Levels,
        deleted: &[u64; LEVELS],
        within_ms: Option<u64>,
    ) -> Result<Self, ReadError> {
        if query.from_ms >= query.to_ms {
            return Err(ReadError::Range);
        }
        let fits = |step: u64| plan_for(query, step, lines, levels, deleted);
        let Some(step_ms) = query.step_ms else {
            let all: Vec<Self> = usual(levels).filter_map(|step| fits(step).ok()).collect();
            return chosen(&all, query.value, levels, within_ms).ok_or(ReadError::Range);
        };
        if step_ms == 0 || level_of(step_ms, levels).is_none() {
            let slot = levels.step[RAW];
            let kept = levels.step.map(|step| step.to_string()).join(", ");
            return Err(ReadError::Step { step_ms, kept, next_ms: step_ms.next_multiple_of(slot).max(slot) });
        }
        fits(step_ms).map_err(|why| match why {
            Unfit::Maximum => ReadError::Maximum,
            Unfit::TooFine(why) => {
                let smallest = usual(levels).find(|step| *step > step_ms && fits(*step).is_ok());
                ReadError::TooFine { step_ms, why, smallest_ms: smallest.unwrap_or(896 * 86_400_000) }
            }
        })
    }

    /// How many points.
    pub(super) fn points(&self) -> usize {
        ((self.to_ms - self.from_ms) / self.step_ms) as usize
    }
}

/// The finest of the steps that fit with not too many points, and for rates and maxima no comb.
fn chosen(all: &[Plan], value: Value, levels: &Levels, within_ms: Option<u64>) -> Option<Plan> {
    let few = |plan: &Plan| (plan.to_ms - plan.from_ms) / plan.step_ms <= USUAL_POINTS;
    let finest = all.iter().find(|plan| few(plan)).or(all.first());
    match value {
        Value::Sum => finest.copied(),
        Value::Rate => {
            let even = all.iter().find(|plan| few(plan) && is_no_comb(plan.step_ms, within_ms));
            even.or(all.last()).copied()
        }
        Value::Max => {
            let level = (MINUTE..LEVELS).find(|level| is_no_comb(levels.step[*level], within_ms));
            let level = level.unwrap_or(LEVELS - 1);
            let whole = |plan: &&Plan| few(plan) && plan.step_ms.is_multiple_of(levels.step[level]);
            let even = all.iter().find(whole).copied();
            let over =
                |plan: Plan| if level == MINUTE { plan } else { Plan { level, averages: true, ..plan } };
            even.map(over).or(finest.copied())
        }
    }
}

enum Unfit {
    Maximum,
    TooFine(String),
}

fn level_of(step_ms: u64, levels: &Levels) -> Option<usize> {
    (0..LEVELS).rev().find(|level| step_ms.is_multiple_of(levels.step[*level]))
}

fn plan_for(
    query: &SeriesQuery,
    step_ms: u64,
    lines: usize,
    levels: &Levels,
    deleted: &[u64; LEVELS],
) -> Result<Plan, Unfit> {
    let level = level_of(step_ms, levels).unwrap_or(RAW);
    if query.value == Value::Max && level < MINUTE {
        return Err(Unfit::Maximum);
    }
    let from_ms = query.from_ms - query.from_ms % step_ms;
    let to_ms = query.to_ms.checked_next_multiple_of(step_ms).unwrap_or(query.to_ms - query.to_ms % step_ms);
    let points = (to_ms - from_ms) / step_ms;
    if points > POINTS || points.saturating_mul(lines as u64) > VALUES {
        return Err(Unfit::TooFine(format!("{points} points for each of {lines} series")));
    }
    if (to_ms - from_ms) / levels.step[level] > BUCKETS {
        return Err(Unfit::TooFine("more stored values than one answer may read".into()));
    }
    if query.to_ms <= deleted[level] && level + 1 < LEVELS {
        return Err(Unfit::TooFine("values that are no longer kept".into()));
    }
    Ok(Plan { from_ms, to_ms, step_ms, level, averages: false })
}
