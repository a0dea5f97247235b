//! Programs on terminals that a keeper holds, from their start to their end.

use std::{
    ffi::OsString,
    fs,
    os::fd::{AsFd as _, OwnedFd},
    time::Duration,
};

use limpet_pty::{EndMode, Program, Pty, Read, SpawnError};
use limpet_shared::{ExitStatus, SessionId, Winsize};
use nix::{
    libc::{SIGHUP, SIGKILL},
    unistd,
};
use tokio::time::timeout;

use super::{Child, KeeperClient, ProgramHandles};

/// Limit for tests that hang. Nothing here takes long.
const DEADLINE: Duration = Duration::from_mins(1);

/// Returns the id of the only session of a keeper.
fn only() -> SessionId {
    "only".parse().unwrap()
}

/// A program on a terminal, and the pipe for its input.
struct Shell {
    pty: Pty,
    child: Child,
    pipe: OwnedFd,
}

impl Shell {
    async fn start(script: &str) -> Self {
        let args = ["-c", script].map(OsString::from).to_vec();
        let program = Program::new("sh".into(), args);
        let keeper = KeeperClient::in_process().unwrap();
        let held = keeper.start(&only(), &program, Winsize::cells(90, 30), 0, String::new()).await.unwrap();
        let ProgramHandles { program, pipe } = held.program.unwrap();
        let (pty, child) = program.watch().unwrap();
        Self { pty, child, pipe }
    }
}

async fn sh(script: &str) -> (Pty, Child) {
    let Shell { pty, child, pipe: _ } = Shell::start(script).await;
    (pty, child)
}

/// Reads until `enough` holds for the output so far, or until the output ends.
async fn read_until(pty: &Pty, enough: impl Fn(&str) -> bool) -> String {
    let mut all = Vec::new();
    let mut buffer = [0; 1000];
    let read = async {
        loop {
            match pty.read(&mut buffer).unwrap() {
                Read::Bytes(count) => all.extend_from_slice(&buffer[..count]),
                Read::Empty => pty.readable().await.unwrap(),
                Read::End => break,
            }
            if enough(&String::from_utf8_lossy(&all)) {
                break;
            }
        }
    };
    timeout(DEADLINE, read).await.unwrap();
    String::from_utf8(all).unwrap()
}

async fn read_all(pty: &Pty) -> String {
    read_until(pty, |_| false).await
}

async fn status(child: Child) -> ExitStatus {
    timeout(DEADLINE, child.ended()).await.unwrap().unwrap();
    child.reap().await.unwrap()
}

#[tokio::test]
async fn output_is_complete_before_it_ends() {
    let (pty, child) = sh("seq 20000; exit 7").await;
    let expected = (1..=20000).map(|n| format!("{n}\r\n")).collect::<Vec<_>>().concat();
    assert_eq!(read_all(&pty).await, expected);
    assert_eq!(status(child).await, ExitStatus::Code(7));
}

#[tokio::test]
async fn a_signal_is_told_from_a_code() {
    let (pty, child) = sh("kill -KILL $$").await;
    assert_eq!(read_all(&pty).await, "");
    assert_eq!(status(child).await, ExitStatus::Signal(SIGKILL));
}

#[tokio::test]
async fn the_terminal_is_as_programs_expect() {
    let (pty, child) =
        sh("stty size; stty -a | grep -o iutf8; echo $TERM $COLORTERM; ls /proc/self/fd | wc -l; tty").await;
    let output = read_all(&pty).await;
    // The fourth descriptor is the directory that ls reads.
    assert!(output.starts_with("30 90\r\niutf8\r\nxterm-256color truecolor\r\n4\r\n/dev/pts/"), "{output}");
    assert!(status(child).await.success());
}

#[tokio::test]
async fn what_is_typed_arrives_and_a_new_size_is_told() {
    let Shell { pty, child, pipe } =
        Shell::start("trap 'stty size; exit' WINCH; read line; echo got $line; while :; do sleep 0.01; done")
            .await;
    pty.writable().await.unwrap();
    unistd::write(&pipe, b"hello\n").unwrap();
    assert_eq!(pty.write_from(pipe.as_fd(), 100).unwrap(), 6);
    read_until(&pty, |seen| seen.contains("got hello")).await;
    pty.resize(Winsize::cells(100, 40)).unwrap();
    assert!(read_all(&pty).await.contains("40 100"));
    assert!(status(child).await.success());
}

#[tokio::test]
async fn a_program_that_hangs_up_by_itself_is_ended_by_that() {
    let (pty, child) = sh("echo ready; read never").await;
    read_until(&pty, |seen| seen.contains("ready")).await;
    timeout(DEADLINE, child.end(EndMode::All)).await.unwrap().unwrap();
    assert_eq!(status(child).await, ExitStatus::Signal(SIGHUP));
}

#[tokio::test]
async fn everything_on_the_terminal_is_ended_even_what_ignores_it() {
    let script =
        "trap '' HUP TERM; (trap '' HUP TERM; setsid true; sh -c 'echo $$; exec sleep 1000') & sleep 1000";
    let (pty, child) = sh(&format!("set -m; {script}")).await;
    let seen = read_until(&pty, |seen| seen.ends_with('\n')).await;
    let background = seen.split_whitespace().last().unwrap().to_owned();
    assert!(fs::exists(format!("/proc/{background}")).unwrap());
    timeout(DEADLINE, child.end(EndMode::All)).await.unwrap().unwrap();
    assert_eq!(status(child).await, ExitStatus::Signal(SIGKILL));
    // The process is killed, so at most a zombie is left that waits for its adoptive parent.
    let state = fs::read_to_string(format!("/proc/{background}/stat")).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
}

#[tokio::test]
async fn a_program_that_is_let_go_is_killed_and_reaped() {
    let (pty, child) = sh("echo $$; exec sleep 1000").await;
    let pid = read_until(&pty, |seen| seen.ends_with('\n')).await.trim().to_owned();
    drop(child);
    let gone = async {
        while fs::exists(format!("/proc/{pid}")).unwrap() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, gone).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_started_is_named() {
    let keeper = KeeperClient::in_process().unwrap();
    let start = async |program: Program| {
        keeper.start(&only(), &program, Winsize::default(), 0, String::new()).await.unwrap_err()
    };
    let missing = start(Program::new("/no/such/program".into(), Vec::new())).await;
    assert!(matches!(missing, SpawnError::Exec { .. }), "{missing}");
    let elsewhere =
        Program { cwd: Some("/no/such/folder".into()), ..Program::new("true".into(), Vec::new()) };
    let error = start(elsewhere).await;
    assert!(error.to_string().starts_with("could not start in /no/such/folder: No such file"), "{error}");
}

#[tokio::test]
async fn a_terminal_that_is_full_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let script = format!(
        "stty raw -echo; echo ready; until [ -s {go} ]; do sleep 0.01; done; head -c $(cat {go}) | wc -c",
        go = go.display()
    );
    let Shell { pty, child, pipe } = Shell::start(&script).await;
    read_until(&pty, |seen| seen.contains("ready")).await;
    let mut count = 0;
    let filling = async {
        // The kernel passes the written bytes on when it has time, and then there is room again.
        while timeout(Duration::from_millis(50), pty.writable()).await.is_ok() {
            unistd::write(&pipe, &[b'x'; 100]).unwrap();
            count += pty.write_from(pipe.as_fd(), 100).unwrap();
        }
    };
    timeout(DEADLINE, filling).await.expect("it is never full");
    fs::write(&go, format!("{}", count + 1)).unwrap();
    timeout(DEADLINE, pty.writable()).await.unwrap().unwrap();
    unistd::write(&pipe, b"x").unwrap();
    assert!(pty.write_from(pipe.as_fd(), 1).unwrap() > 0);
    assert_eq!(read_all(&pty).await.trim(), (count + 1).to_string());
    drop(child);
}

#[test]
fn a_terminal_is_moved_from_one_runtime_to_another() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (one, other) = (runtime(), runtime());
    let Shell { pty, child, pipe } = one.block_on(Shell::start("stty -echo; echo one; read x; echo got $x"));
    one.block_on(read_until(&pty, |seen| seen.ends_with("one\r\n")));
    let pty = other.block_on(async { pty.rebind().await.unwrap() });
    // Anything that this runtime still watches is not woken any more.
    drop(one);
    unistd::write(&pipe, b"two\n").unwrap();
    let rest = other.spawn(async move {
        pty.writable().await.unwrap();
        pty.write_from(pipe.as_fd(), 100).unwrap();
        read_all(&pty).await
    });
    assert_eq!(other.block_on(rest).unwrap(), "got two\r\n");
    drop(child);
}
