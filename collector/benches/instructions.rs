//! Instructions a record or flow, counted by valgrind: the same on every run and on a busy machine, so that a
//! change shows. Needs `valgrind`; run by `make bench`.

#[path = "load/decode.rs"]
mod decode;
#[path = "load/flows.rs"]
mod flows;

use std::env;
use std::io::Write;
use std::process::Command;

/// Rounds that are counted, after one that fills tables and buffers.
const ROUNDS: u64 = 4;

fn main() {
    let mut arguments = env::args().skip(1);
    if let Some(case) = arguments.find_map(|argument| argument.strip_prefix("case=")?.parse().ok()) {
        return run(case);
    }
    for (at, (name, each)) in names().into_iter().enumerate() {
        let counted = instructions(at);
        let a_record = counted as f64 / (each * ROUNDS) as f64;
        writeln!(std::io::stdout(), "{a_record:9.1}  {name}").expect("standard output takes the table");
    }
}

/// Each case with the records of one round.
fn names() -> Vec<(String, u64)> {
    let decode = decode::cases().into_iter().map(|case| (format!("decode/{}", case.name), case.records));
    let flows = flows::cases().into_iter().flat_map(|case| {
        ["filter", "filter and account"]
            .map(|what| (format!("{what}/{} channels", case.channels), case.flows))
    });
    decode.chain(flows).collect()
}

/// This program under valgrind, which counts within [`rounds_to_be_counted`] alone.
fn instructions(case: usize) -> u64 {
    let program = env::current_exe().expect("a program knows its path");
    let mut command = Command::new("valgrind");
    command.args([
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
        "--toggle-collect=*rounds_to_be_counted*",
    ]);
    let output = command.arg(program).arg(format!("case={case}")).output();
    let output = output.expect("valgrind is installed: apt install valgrind");
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    collected.unwrap_or_else(|| panic!("valgrind told no count:\n{said}"))
}

fn run(case: usize) {
    let decoded = decode::cases().len();
    if case < decoded {
        let case = decode::cases().swap_remove(case);
        let mut running = decode::Running::new(case);
        running.round();
        return rounds_to_be_counted(&mut || running.round());
    }
    let (at, accounts) = ((case - decoded) / 2, (case - decoded) % 2 == 1);
    let mut running = flows::Running::new(flows::cases().swap_remove(at));
    running.filter_and_account();
    rounds_to_be_counted(&mut || if accounts { running.filter_and_account() } else { running.filter() });
}

/// What is counted, by its name: so it must neither be inlined nor change.
#[inline(never)]
fn rounds_to_be_counted(round: &mut dyn FnMut()) {
    (0..ROUNDS).for_each(|_| round());
}
