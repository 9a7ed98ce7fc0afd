//! What is written reads back, and what is damaged is named.

use proptest::prelude::*;

use super::super::certificate::fresh_root;
use super::super::rotation::{Policy, Step};
use super::*;

/// One state of each phase, as it reads back: whole seconds.
fn states() -> [State; 3] {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let policy = Policy::default();
    let after = |state: State, step| state.after(step, &policy, now, || fresh_root(&policy, now)).unwrap();
    let steady = State::new(fresh_root(&policy, now).unwrap());
    let publishing = after(steady.clone(), Step::Publish);
    let retiring = after(publishing.clone(), Step::Sign);
    [steady, publishing, retiring]
}

#[test]
fn every_phase_reads_as_it_was_written() {
    for state in states() {
        assert_eq!(read(&write(&state)).unwrap(), state);
    }
}

#[test]
fn a_lifetime_that_is_no_whole_number_of_seconds_is_not_forgotten_in_part() {
    let [mut state, ..] = states();
    state.signer.root.longest_leaf = Duration::from_millis(90_500);
    assert_eq!(read(&write(&state)).unwrap().signer.root.longest_leaf, Duration::from_secs(91));
}

#[test]
fn the_key_of_a_root_that_signs_no_more_is_not_kept() {
    let [_, publishing, retiring] = states();
    let data = write(&retiring);
    let kept = |key: &str| data.values().any(|value| value.0 == key.as_bytes());
    assert!(!kept(&publishing.signer.key) && kept(&retiring.signer.key));
}

#[test]
fn each_key_that_is_missing_is_named() {
    for state in states() {
        let whole = write(&state);
        for key in whole.keys().filter(|key| *key != "ca.crt") {
            let mut data = whole.clone();
            data.remove(key);
            let error = read(&data).unwrap_err().to_string();
            assert!(error.contains(key.as_str()), "{key}: {error}");
        }
    }
}

#[test]
fn a_newer_operators_state_is_left_alone() {
    let mut data = write(&states()[0]);
    data.insert(STATE.to_owned(), ByteString(br#"{"version":2,"phase":"Waiting"}"#.to_vec()));
    assert!(matches!(read(&data), Err(SecretError::Newer(2))));
}

proptest! {
    #[test]
    fn a_damaged_secret_is_refused_or_still_the_same_and_never_a_panic(
        phase in 0_usize..3, key in 0_usize..8, at in 0_usize..2000, byte: u8,
    ) {
        let state = &states()[phase];
        let mut data = write(state);
        let key = data.keys().nth(key % data.len()).unwrap().clone();
        let value = &mut data.get_mut(&key).unwrap().0;
        let at = at % value.len();
        value[at] = byte;
        if let Ok(read) = read(&data) {
            prop_assert_eq!(&read.signer.key.is_empty(), &false);
        }
    }
}
