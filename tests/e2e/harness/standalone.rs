//! limpet as a user runs it, without the options that the tests add.

use std::{
    fs::{self, Permissions},
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid},
};
use tempfile::TempDir;

/// A user that exists on every system and has no shell.
pub(crate) const NOBODY: &str = "nobody";

/// Reports whether the tests run as root, which alone can act as another user.
pub(crate) fn is_root() -> bool {
    Uid::effective().is_root()
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Runs a limpet that is expected not to start, and returns its exit code and its messages.
pub(crate) fn run_failing(args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_limpet"));
    command.args(["--listen", "127.0.0.1:0", "--format", "json"]).args(args).envs(env.iter().copied());
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// limpet as a service runs it: in text and without a terminal.
pub(crate) struct Limpet {
    process: Child,
    pub(crate) first_line: String,
    pub(crate) home: TempDir,
}

impl Limpet {
    pub(crate) fn start(args: &[&str], format: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_limpet"));
        command.args(["--listen", "127.0.0.1:0", "--format", format]).args(args).env_remove("LIMPET_TOKEN");
        command
            .env("XDG_RUNTIME_DIR", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut first_line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut first_line).unwrap();
        Self { process, first_line, home }
    }

    pub(crate) fn pid(&self) -> String {
        self.process.id().to_string()
    }

    pub(crate) fn run_command(&self, args: &[&str]) -> (bool, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_limpet"));
        let output = command.args(args).env("XDG_RUNTIME_DIR", self.home.path()).output().unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    }

    /// Ends limpet and returns its log.
    pub(crate) fn end(mut self) -> String {
        kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM).unwrap();
        let mut log = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        self.process.wait().unwrap();
        log
    }
}

impl Drop for Limpet {
    fn drop(&mut self) {
        // It is already gone unless the test has failed.
        let _ = kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM);
        let _ = self.process.wait();
    }
}
