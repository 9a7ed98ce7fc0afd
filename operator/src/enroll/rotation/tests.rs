//! The rotation, step by step and as a cluster that everything happens to.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

fn policy() -> Policy {
    Policy { leaf_lifetime: HOUR, ca_lifetime: HOUR * 12, rotate_every: HOUR * 3, ..Policy::default() }
}

/// A root whose PEM is its number: the rotation never looks inside.
fn root(number: u32, policy: &Policy, now: Timestamp) -> Signer {
    let (from, until) = (now - policy.clock_skew, now + policy.ca_lifetime);
    let certificate = format!("root {number};");
    Signer {
        root: Root { certificate, from, until, longest_leaf: policy.leaf_lifetime },
        key: format!("key {number}"),
    }
}

fn take(state: State, step: Step, policy: &Policy, now: Timestamp, number: u32) -> State {
    state.after(step, policy, now, || Ok::<_, ()>(root(number, policy, now))).unwrap()
}

fn running(bundle: &str, root: &str) -> Running {
    Running { bundle: bundle.to_owned(), root: hash(root), ..Running::default() }
}

fn seen(since: Timestamp, running: &[Running]) -> Fleet<'_> {
    Fleet { since, running }
}

fn start() -> (State, Policy, Timestamp) {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    (State::new(root(1, &policy(), now)), policy(), now)
}

#[test]
fn one_rotation_goes_through_its_phases_when_and_only_when_everybody_follows() {
    let (state, policy, born) = start();
    let nobody = Fleet { since: born, running: &[] };
    assert_eq!(due(&state, &policy, born + HOUR, &nobody), None);

    let now = born + policy.rotate_every;
    assert_eq!(due(&state, &policy, now, &nobody), Some(Step::Publish));
    let state = take(state, Step::Publish, &policy, now, 2);
    assert_eq!((state.bundle().pem.as_str(), state.signer.key.as_str()), ("root 1;root 2;", "key 1"));

    let (both, later) = (state.bundle().hash, now + HOUR);
    let (late, early) = (running("other", "root 1;"), running(&both, "root 1;"));
    assert_eq!(due(&state, &policy, later, &seen(born, &[early.clone(), late])), None);
    assert_eq!(due(&state, &policy, later, &seen(born, std::slice::from_ref(&early))), Some(Step::Sign));
    let state = take(state, Step::Sign, &policy, later, 3);
    assert_eq!((state.bundle().hash, state.signer.key.as_str()), (both.clone(), "key 2"));

    let end = later + policy.leaf_lifetime + policy.clock_skew + MINUTE;
    let renewed = running(&both, "root 2;");
    assert_eq!(due(&state, &policy, later + MINUTE, &seen(born, std::slice::from_ref(&renewed))), None);
    assert_eq!(
        due(&state, &policy, end, &seen(born, std::slice::from_ref(&early))),
        None,
        "one still uses the old root"
    );
    assert_eq!(due(&state, &policy, end, &seen(born, std::slice::from_ref(&renewed))), Some(Step::Drop));
    let state = take(state, Step::Drop, &policy, end, 3);
    assert_eq!((state.bundle().pem.as_str(), state.phase), ("root 2;", Phase::Steady));
}

#[test]
fn a_new_leader_does_not_take_what_it_has_not_heard_for_silence() {
    let (state, policy, born) = start();
    let state = take(state, Step::Publish, &policy, born, 2);
    let now = born + HOUR;
    let fresh = Fleet { since: now, running: &[] };
    assert_eq!(due(&state, &policy, now + policy.settle / 2, &fresh), None);
    assert_eq!(due(&state, &policy, now + policy.settle, &fresh), Some(Step::Sign));
}

#[test]
fn a_root_that_is_about_to_end_waits_for_nobody() {
    let (state, policy, born) = start();
    let published = born + policy.rotate_every;
    let state = take(state, Step::Publish, &policy, published, 2);
    let deaf = [running("other", "root 1;")];
    let fleet = Fleet { since: born, running: &deaf };
    let last = born + policy.ca_lifetime - policy.leaf_lifetime;
    assert_eq!(due(&state, &policy, last - MINUTE, &fleet), None);
    assert_eq!(due(&state, &policy, last, &fleet), Some(Step::Sign));
    let state = take(state, Step::Sign, &policy, last, 3);
    let gone = born + policy.ca_lifetime + policy.clock_skew + MINUTE;
    assert_eq!(due(&state, &policy, gone, &fleet), Some(Step::Drop), "an ended root protects nothing");
}

#[test]
fn certificates_live_longer_only_once_the_root_has_promised_to_wait_for_them() {
    let (state, policy, born) = start();
    let longer = Policy { leaf_lifetime: HOUR * 2, ..policy };
    assert_eq!(state.signer.root.leaf_until(&longer, born), born + HOUR);
    let nobody = Fleet { since: born, running: &[] };
    assert_eq!(due(&state, &longer, born, &nobody), Some(Step::Lengthen));
    let state = take(state, Step::Lengthen, &longer, born, 2);
    assert_eq!(state.signer.root.leaf_until(&longer, born), born + HOUR * 2);
    let shorter = Policy { leaf_lifetime: MINUTE, ..longer };
    let state = take(state, Step::Publish, &shorter, born, 2);
    let state = take(state, Step::Sign, &shorter, born, 2);
    let fleet = Fleet { since: born, running: &[] };
    assert_eq!(due(&state, &shorter, born + HOUR * 2, &fleet), None, "the long ones may still live");
}

#[test]
fn a_step_that_does_not_fit_the_phase_changes_nothing() {
    let (state, policy, now) = start();
    for step in [Step::Sign, Step::Drop] {
        assert_eq!(take(state.clone(), step, &policy, now, 2), state);
    }
    let state = take(state, Step::Publish, &policy, now, 2);
    for step in [Step::Publish, Step::Drop] {
        assert_eq!(take(state.clone(), step, &policy, now, 3), state);
    }
}

#[test]
fn lifetimes_that_cannot_work_together_are_refused_by_name() {
    let text = |policy: Policy| policy.check().unwrap_err().to_string();
    assert!(Policy::default().check().is_ok() && policy().check().is_ok());
    assert!(text(Policy { leaf_lifetime: Duration::from_secs(9), ..policy() }).contains("ten seconds"));
    assert!(text(Policy { ca_lifetime: HOUR * 24 * 365 * 31, ..policy() }).contains("30 years"));
    assert!(text(Policy { ca_lifetime: HOUR * 5, ..policy() }).contains("must outlive"));
}

#[test]
fn a_key_is_never_in_what_is_logged() {
    let (state, policy, now) = start();
    let state = take(state, Step::Publish, &policy, now, 2);
    assert!(!format!("{state:?}").contains("key 1") && !format!("{state:?}").contains("key 2"));
}

#[test]
fn times_past_the_calendar_stop_a_rotation_and_not_the_operator() {
    let (state, policy, now) = start();
    let mut state = take(state, Step::Publish, &policy, now, 2);
    state.signer.root.longest_leaf = Duration::MAX;
    let nobody = Fleet { since: now, running: &[] };
    assert_eq!(due(&state, &policy, now + HOUR, &nobody), Some(Step::Sign));
    let mut state = take(state, Step::Sign, &policy, now, 3);
    assert_eq!(due(&state, &policy, now + HOUR * 5, &nobody), None);
    let Phase::Retiring { since, .. } = &mut state.phase else { panic!("{state:?}") };
    *since = Timestamp::MAX;
    assert_eq!(due(&state, &policy, now + HOUR * 5, &nobody), None);
}

/// A program with a certificate.
#[derive(Clone, Debug)]
struct Program {
    /// The root of its certificate, and when that ends.
    leaf: (String, Timestamp),
    /// The roots it trusts.
    trusts: String,
    reached: bool,
    /// It has had the published roots at a time since which it was always reached.
    follows: bool,
}

/// What may happen.
#[derive(Clone, Debug)]
enum Event {
    Pass(Duration),
    /// The leader looks, and may take a step; then it writes the ConfigMap.
    Lead,
    /// The leader is killed behind its write of the Secret and before the ConfigMap, and another one begins.
    Kill,
    /// The kubelet or the watch brings the ConfigMap to a program.
    Bring(usize),
    /// A program renews its certificate; the replica's clock is off by so many seconds.
    Renew(usize, i64),
    Leave(usize),
    Return(usize),
}

/// The cluster.
struct World {
    state: State,
    policy: Policy,
    now: Timestamp,
    led_since: Timestamp,
    roots: u32,
    map: String,
    programs: Vec<Program>,
}

impl World {
    fn new(programs: usize) -> Self {
        let (state, policy, now) = start();
        let map = state.bundle().pem;
        let leaf = (state.signer.root.certificate.clone(), now + policy.leaf_lifetime);
        let program = Program { leaf, trusts: map.clone(), reached: true, follows: true };
        Self { state, policy, now, led_since: now, roots: 1, map, programs: vec![program; programs] }
    }

    fn happen(&mut self, event: &Event) {
        let count = self.programs.len();
        match *event {
            Event::Pass(time) => self.now += time,
            Event::Lead => {
                self.lead();
                self.map = self.state.bundle().pem;
            }
            Event::Kill => {
                self.lead();
                self.led_since = self.now;
            }
            Event::Bring(who) => self.bring(who % count),
            Event::Renew(who, skew) => self.renew(who % count, skew),
            Event::Leave(who) => {
                self.programs[who % count].reached = false;
                self.programs[who % count].follows = false;
            }
            Event::Return(who) => self.programs[who % count].reached = true,
        }
        // Nobody keeps a certificate that has ended: who is reached asks for another one.
        for who in 0..count {
            if self.programs[who].leaf.1 <= self.now {
                self.renew(who, 0);
            }
        }
    }

    fn lead(&mut self) {
        let reached = self.programs.iter().filter(|program| program.reached);
        let running: Vec<_> =
            reached.map(|program| running(&hash(&program.trusts), &program.leaf.0)).collect();
        let fleet = Fleet { since: self.led_since, running: &running };
        if let Some(step) = due(&self.state, &self.policy, self.now, &fleet) {
            self.roots += 1;
            self.state = take(self.state.clone(), step, &self.policy, self.now, self.roots);
        }
    }

    fn bring(&mut self, who: usize) {
        let program = &mut self.programs[who];
        if program.reached {
            program.trusts.clone_from(&self.map);
            program.follows |= self.map == self.state.bundle().pem;
        }
    }

    fn renew(&mut self, who: usize, skew: i64) {
        let program = &mut self.programs[who];
        // The port's certificate chains to the signer: asking needs its trust, which the ConfigMap brings.
        if program.reached && program.trusts.contains(&self.state.signer.root.certificate) {
            let signed_at = self.now + jiff::SignedDuration::from_secs(skew);
            let until = self.state.signer.root.leaf_until(&self.policy, signed_at);
            program.leaf = (self.state.signer.root.certificate.clone(), until);
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        prop_assert!(self.state.bundle().pem.contains(&self.state.signer.root.certificate));
        prop_assert!(self.state.signer.root.until > self.now);
        let live = |program: &&Program| program.leaf.1 > self.now;
        let shown: BTreeSet<_> = self.programs.iter().filter(live).map(|program| &program.leaf.0).collect();
        for peer in self.programs.iter().filter(|program| program.follows) {
            for root in &shown {
                prop_assert!(peer.trusts.contains(*root), "{peer:?} does not trust {root}: {:?}", self.state);
            }
        }
        Ok(())
    }
}

fn event() -> impl Strategy<Value = Event> {
    let who = 0_usize..8;
    prop_oneof![
        6 => (1_u64..40).prop_map(|minutes| Event::Pass(MINUTE * u32::try_from(minutes).unwrap())),
        6 => Just(Event::Lead),
        1 => Just(Event::Kill),
        8 => who.clone().prop_map(Event::Bring),
        6 => (who.clone(), -290_i64..290).prop_map(|(who, skew)| Event::Renew(who, skew)),
        1 => who.clone().prop_map(Event::Leave),
        2 => who.prop_map(Event::Return),
    ]
}

/// Everybody back, and time: what is left of a rotation ends, and another one comes and ends.
fn calm(world: &mut World, until_root: u32) -> Result<(), TestCaseError> {
    let count = world.programs.len();
    (0..count).for_each(|who| world.happen(&Event::Return(who)));
    for _ in 0..600 {
        world.happen(&Event::Lead);
        for who in 0..count {
            world.happen(&Event::Bring(who));
            world.happen(&Event::Renew(who, 0));
        }
        world.happen(&Event::Pass(MINUTE * 3));
        world.check()?;
        if world.roots >= until_root && world.state.phase == Phase::Steady {
            return Ok(());
        }
    }
    Err(TestCaseError::fail(format!("stuck: {:?} {:?}", world.state, world.programs)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn whoever_follows_trusts_every_live_certificate_at_every_moment(
        programs in 1_usize..8,
        events in proptest::collection::vec(event(), 1..300),
    ) {
        let mut world = World::new(programs);
        let end = world.now + policy().ca_lifetime - policy().leaf_lifetime * 2;
        for event in &events {
            // Past this the root is used up, and whoever does not follow is left behind: another test's matter.
            if world.now < end {
                world.happen(event);
                world.check()?;
            }
        }
        let next = world.roots + 1;
        calm(&mut world, next)?;
        for program in &world.programs {
            prop_assert!(program.follows && program.leaf.1 > world.now, "{program:?} is back");
        }
    }
}
