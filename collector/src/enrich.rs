//! Names the source of each run and fills in stated sampling rates; never waits.
