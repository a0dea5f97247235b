//! Programs that run side by side, as under `cargo xtask dev`, and their ends.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "this is a test")]

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::channel,
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Time after which a process that is still there counts as left behind.
const DEADLINE: Duration = Duration::from_mins(1);

/// A program that leaves another one in the background and never ends by itself.
const ENDLESS: &str = "sleep 1000 & echo up; sleep 1000; sleep 1000";

/// Programs side by side, and the pipe that is the output of all of them.
struct SideBySide {
    xtask: Child,
    output: BufReader<ChildStdout>,
}

impl SideBySide {
    fn start(commands: [&str; 2]) -> Self {
        let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
        xtask.arg("side-by-side").args(commands).stdout(Stdio::piped());
        let mut xtask = xtask.spawn().unwrap();
        let output = BufReader::new(xtask.stdout.take().unwrap());
        Self { xtask, output }
    }

    fn wait_for_line(&mut self) {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
    }

    /// Waits until every process has ended that holds the output, and so the last of those that the
    /// programs have started.
    fn wait_for_all_ends(mut self) -> std::process::ExitStatus {
        let (ended, end) = channel();
        thread::spawn(move || ended.send(self.output.read_to_end(&mut Vec::new())));
        end.recv_timeout(DEADLINE).expect("a process was left behind").unwrap();
        self.xtask.wait().unwrap()
    }
}

#[test]
fn no_signal_leaves_a_process_behind() {
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
        let mut programs = SideBySide::start([ENDLESS, ENDLESS]);
        programs.wait_for_line();
        programs.wait_for_line();
        kill(Pid::from_raw(programs.xtask.id().try_into().unwrap()), signal).unwrap();
        let status = programs.wait_for_all_ends();
        assert_eq!(status.success(), signal != Signal::SIGKILL, "{signal}: {status}");
    }
}

#[test]
fn the_end_of_one_program_ends_the_other_and_decides_the_result() {
    for (end, succeeds) in [("true", true), ("false", false), ("kill -KILL $$", false)] {
        let programs = SideBySide::start([&format!("sleep 1000 & {end}"), ENDLESS]);
        assert_eq!(programs.wait_for_all_ends().success(), succeeds, "{end}");
    }
}
