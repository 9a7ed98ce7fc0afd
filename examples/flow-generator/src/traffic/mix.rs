//! Which service comes next, and how the rate follows the day.

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use super::SERVICES;
use crate::arguments::Traffic;

/// How much one step pulls a share back to its usual size.
const RETURN: f64 = 0.06;
/// The largest relative change of a share in one step.
const STEP: f64 = 0.12;
/// Chance that a service bursts in a step, and how often its usual share it then has.
const BURST: (f64, f64) = (0.004, 6.0);

/// The shares of the services. They wander with the number of flows, not with time, so that a seed repeats them.
#[derive(Debug, Clone)]
pub(super) struct Mix {
    traffic: Traffic,
    factors: [f64; SERVICES.len()],
    flows_a_step: u64,
    flows_left: u64,
}

impl Mix {
    /// Shares that take one step every `flows_a_step` flows: about once a second at the asked rate.
    pub(super) fn new(traffic: Traffic, flows_a_step: u64) -> Self {
        Self { traffic, factors: [1.0; SERVICES.len()], flows_a_step: flows_a_step.max(1), flows_left: 0 }
    }

    /// The index of the next flow's service.
    pub(super) fn next(&mut self, random: &mut Xoshiro256PlusPlus) -> usize {
        if self.traffic == Traffic::Uniform {
            return random.random_range(0..SERVICES.len());
        }
        if self.flows_left == 0 {
            self.wander(random);
            self.flows_left = self.flows_a_step;
        }
        self.flows_left -= 1;
        self.choose(random)
    }

    fn wander(&mut self, random: &mut Xoshiro256PlusPlus) {
        for factor in &mut self.factors {
            let noise: f64 = random.random_range(-STEP..=STEP);
            *factor += RETURN * (1.0 - *factor) + noise * *factor;
            if random.random_bool(BURST.0) {
                *factor *= BURST.1;
            }
            *factor = factor.clamp(0.2, 2.0 * BURST.1);
        }
    }

    fn choose(&self, random: &mut Xoshiro256PlusPlus) -> usize {
        let weight = |index: usize| SERVICES[index].share * self.factors[index];
        let total: f64 = (0..SERVICES.len()).map(weight).sum();
        let mut place = random.random_range(0.0..total);
        for index in 0..SERVICES.len() {
            place -= weight(index);
            if place < 0.0 {
                return index;
            }
        }
        SERVICES.len() - 1
    }
}

/// The rate at a time of day (UTC) against the day's mean of 1: 0.5 at 03:00, 1.5 at 15:00; even for uniform.
#[must_use]
pub fn rate_factor(traffic: Traffic, unix_ms: u64) -> f64 {
    const DAY_MS: u32 = 86_400_000;
    if traffic == Traffic::Uniform {
        return 1.0;
    }
    let of_day = u32::try_from(unix_ms % u64::from(DAY_MS)).unwrap_or(0);
    let turn = f64::from(of_day) / f64::from(DAY_MS);
    1.0 + 0.5 * (std::f64::consts::TAU * (turn - 9.0 / 24.0)).sin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_busy_in_the_afternoon_and_quiet_at_night() {
        let at = |hour: u64| rate_factor(Traffic::Demo, hour * 3_600_000);
        assert!((at(3) - 0.5).abs() < 1e-9 && (at(15) - 1.5).abs() < 1e-9);
        let mean = (0..24).map(at).sum::<f64>() / 24.0;
        assert!((mean - 1.0).abs() < 1e-9);
    }
}
