//! How a keeper is asked for an upgrade by another process of the same user.
//!
//! Each keeper listens on a socket in the abstract namespace (unix(7)): its name says whose it is and which process, it needs no
//! file, and it goes with the keeper. The kernel tells both sides who the other one is. To connect is to ask, so that the keeper
//! need not wait for anybody's words; what came of it is the answer.

use std::{
    fs,
    io::{self, Write},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    time::Duration,
};

use nix::{
    poll::{PollTimeout, poll},
    sys::socket::{getsockopt, sockopt::PeerCredentials},
    unistd::{Uid, getuid},
};
use serde::{Deserialize, Serialize};

use crate::exhausted;

/// How long an upgrade may take: longer than the keeper waits for any of its steps.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long the keeper hears nobody when it could not accept a connection, in milliseconds.
const ACCEPT_PAUSE_MS: u16 = 20;

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) is_done: bool,
    pub(super) message: String,
}

/// Why there was no upgrade.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// There is nothing to upgrade.
    #[error("no limpet of yours runs here; start one by: limpet")]
    None,
    /// There is no such server.
    #[error("process {0} is no limpet of yours; those that run are {1}")]
    NotThat(u32, String),
    /// It is not clear which one is meant.
    #[error("several run here: say which by: limpet upgrade PID, with one of {0}")]
    Several(String),
    /// The server runs as it did before.
    #[error("{0}")]
    Refused(String),
    /// Nobody knows what has become of it.
    #[error("could not ask the running limpet: {0}")]
    Broken(#[from] io::Error),
}

fn name(user: Uid, pid: u32) -> String {
    format!("limpet-upgrade-{user}-{pid}")
}

/// Listens for this process.
pub(super) fn listen() -> io::Result<UnixListener> {
    let address = SocketAddr::from_abstract_name(name(getuid(), std::process::id()))?;
    let listener = UnixListener::bind_addr(&address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Who asks for an upgrade, if it is somebody who may. Whoever could not be heard for want of a descriptor asks on, so that is paused.
pub(super) fn accept(listener: &UnixListener) -> io::Result<Option<UnixStream>> {
    let (stream, _) = listener.accept().inspect_err(|error| {
        if exhausted::is_exhausted(error) {
            // Waits for nothing but time. An error says that it has waited less.
            let _ = poll(&mut [], PollTimeout::from(ACCEPT_PAUSE_MS));
        }
    })?;
    if !is_of(&stream, getuid())? {
        return Ok(None);
    }
    Ok(Some(stream))
}

/// Answers them.
pub(super) fn answer(mut stream: UnixStream, outcome: &Outcome) {
    // Who has gone away does not want to know, and nobody is waited for.
    let _ = stream.set_nonblocking(true);
    let _ = serde_json::to_vec(outcome).map(|line| stream.write_all(&line));
}

fn is_of(stream: &UnixStream, user: Uid) -> io::Result<bool> {
    let peer = Uid::from_raw(getsockopt(stream, PeerCredentials)?.uid());
    Ok(peer == user || peer.is_root())
}

/// Has the running limpet go on as what is on the disk now, and tells in words what it goes on as. If there are several, `pid` says
/// which.
///
/// # Errors
/// When it cannot be asked, or goes on as it was.
pub fn upgrade(pid: Option<u32>) -> Result<String, UpgradeError> {
    let running = running()?;
    let all = || running.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let pid = match (pid, &running[..]) {
        (_, []) => return Err(UpgradeError::None),
        (Some(pid), running) if running.contains(&pid) => pid,
        (Some(pid), _) => return Err(UpgradeError::NotThat(pid, all())),
        (None, &[pid]) => pid,
        (None, _) => return Err(UpgradeError::Several(all())),
    };
    let stream = UnixStream::connect_addr(&SocketAddr::from_abstract_name(name(getuid(), pid))?)?;
    if !is_of(&stream, getuid())? {
        return Err(UpgradeError::None);
    }
    stream.set_read_timeout(Some(PATIENCE))?;
    let outcome: Outcome = serde_json::from_reader(stream).map_err(io::Error::from)?;
    if outcome.is_done { Ok(outcome.message) } else { Err(UpgradeError::Refused(outcome.message)) }
}

/// The processes of those that run. The kernel lists their sockets.
fn running() -> io::Result<Vec<u32>> {
    let prefix = format!("@limpet-upgrade-{}-", getuid());
    let sockets = fs::read_to_string("/proc/net/unix")?;
    let names = sockets.lines().filter_map(|line| line.split_whitespace().next_back());
    let mut pids: Vec<u32> = names.filter_map(|name| name.strip_prefix(&prefix)?.parse().ok()).collect();
    // An accepted connection is listed under the name as well.
    pids.sort_unstable();
    pids.dedup();
    Ok(pids)
}
