//! Shows that the old design fails in each of the known ways.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is how it fails")]

use std::{
    os::unix::process::ExitStatusExt as _,
    process::{Command, Output},
};

const SIGABRT: i32 = 6;

/// Cores and runtime of each test.
const ENVIRONMENTS: [(&[&str], &str); 4] = [
    (&["taskset", "--cpu-list", "0"], "one"),
    (&["taskset", "--cpu-list", "0"], "cores"),
    (&["env"], "one"),
    (&["env"], "cores"),
];

fn run(wrapper: &[&str], words: &[&str]) -> Output {
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).arg(env!("CARGO_BIN_EXE_origin-bug")).args(words);
    command.output().unwrap()
}

fn printed_outcome(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn when_the_terminal_ends_first_the_descriptor_is_closed_twice() {
    for (wrapper, runtime) in ENVIRONMENTS {
        for ending in ["program", "read-error"] {
            let output = run(wrapper, &[ending, runtime]);
            if cfg!(debug_assertions) {
                // The standard library detects the double close and aborts the process.
                let complaint = String::from_utf8_lossy(&output.stderr);
                assert!(
                    complaint.contains("IO Safety violation"),
                    "{wrapper:?} {ending} {runtime}: {output:?}"
                );
                assert_eq!(output.status.signal(), Some(SIGABRT));
            } else {
                assert_eq!(printed_outcome(&output), "Silent", "{wrapper:?} {ending} {runtime}: {output:?}");
            }
        }
    }
}

#[test]
fn the_second_close_hits_whoever_got_the_number() {
    for (wrapper, runtime) in ENVIRONMENTS {
        for ending in ["program-innocent", "read-error-innocent"] {
            let output = run(wrapper, &[ending, runtime]);
            assert_eq!(printed_outcome(&output), "InnocentHit", "{wrapper:?} {ending} {runtime}: {output:?}");
        }
    }
}

#[test]
fn when_the_browser_leaves_first_the_session_leaks() {
    for (wrapper, runtime) in ENVIRONMENTS {
        for ending in ["browser", "write-error"] {
            let output = run(wrapper, &[ending, runtime]);
            assert_eq!(printed_outcome(&output), "Leaked", "{wrapper:?} {ending} {runtime}: {output:?}");
        }
    }
}

/// The original bug: on one core it always hung. On several it went on if the scheduler was lucky,
/// with a leak that nobody noticed.
#[test]
fn a_destructor_that_waits_hangs_the_whole_runtime_on_one_core() {
    for (wrapper, runtime) in ENVIRONMENTS {
        let output = run(wrapper, &["write-error", runtime, "waiting"]);
        let outcome = printed_outcome(&output);
        let one_thread = runtime == "one" || wrapper[0] == "taskset";
        let expected = outcome == "Hung" || !one_thread && outcome == "Leaked";
        assert!(expected, "{wrapper:?} {runtime}: {output:?}");
    }
}
