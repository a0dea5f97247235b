//! How a keeper is asked for something: the side of who asks.

use std::{
    fs,
    io::{self, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use nix::unistd::Uid;

use super::{
    control::{ENDING, Outcome, Wish, peer},
    folders,
};
use crate::trust;

/// How long an upgrade may take: longer than the keeper waits for any of its steps.
const UPGRADE_TIMEOUT: Duration = Duration::from_mins(2);

/// How long a keeper may take that only has to say what it knows.
const LINK_TIMEOUT: Duration = Duration::from_secs(10);

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is nobody to ask.
    #[error("no limpet of yours is running here; start one by: limpet")]
    None,
    /// There is no such limpet.
    #[error("process {0} is not your limpet. Running: {1}")]
    NotThat(u32, String),
    /// It is not clear which one is meant.
    #[error("several limpets are running. Choose one: limpet {0} PID ({1})")]
    Several(&'static str, String),
    /// It says why not.
    #[error("{0}")]
    Refused(String),
    /// Nobody knows what has become of it.
    #[error("could not ask the running limpet: {0}")]
    Broken(#[from] io::Error),
}

/// Has the running limpet go on as what is on the disk now, and tells in words what it goes on as. If there are several, `pid` says
/// which.
///
/// # Errors
/// When it cannot be asked, or goes on as it was.
pub fn upgrade(pid: Option<u32>) -> Result<String, AskError> {
    ask(Wish::Upgrade, pid, UPGRADE_TIMEOUT)
}

/// The text of the running limpet's [links](crate::link::Links). If there are several, `pid` says which.
///
/// # Errors
/// When it cannot be asked, or does not tell.
pub fn link(pid: Option<u32>) -> Result<String, AskError> {
    ask(Wish::Link, pid, LINK_TIMEOUT)
}

fn ask(wish: Wish, pid: Option<u32>, timeout: Duration) -> Result<String, AskError> {
    let mut running = running(pid.map_or(Uid::effective(), owner));
    let all = || running.iter().map(|(pid, _)| pid.to_string()).collect::<Vec<_>>().join(", ");
    let index = match (pid, running.len()) {
        (_, 0) => return Err(AskError::None),
        (Some(pid), _) => {
            running.iter().position(|&(known, _)| known == pid).ok_or(AskError::NotThat(pid, all()))?
        }
        (None, 1) => 0,
        (None, _) => return Err(AskError::Several(wish.word(), all())),
    };
    let (_, mut stream) = running.swap_remove(index);
    stream.set_read_timeout(Some(timeout))?;
    stream.write_all(format!("{}\n", wish.word()).as_bytes())?;
    let outcome: Outcome = serde_json::from_reader(stream).map_err(io::Error::from)?;
    if outcome.is_done { Ok(outcome.message) } else { Err(AskError::Refused(outcome.message)) }
}

/// Whose limpets to look for when this process is meant. The administrator may ask those of others.
fn owner(pid: u32) -> Uid {
    let own = Uid::effective();
    if own.is_root() { user_of(pid).unwrap_or(own) } else { own }
}

/// As proc(5) tells it. To whom its files in `/proc` belong is another matter: those of a process that keeps secrets are the administrator's.
fn user_of(pid: u32) -> Option<Uid> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    users.split_whitespace().nth(1)?.parse().ok().map(Uid::from_raw)
}

/// The limpets of a user that run, by their processes' numbers, with a connection to each.
fn running(user: Uid) -> Vec<(u32, UnixStream)> {
    let mut running: Vec<(u32, UnixStream)> = Vec::new();
    for folder in folders::candidates(user) {
        // Of others' directories only the sockets count, and who listens on them is told by the kernel.
        if user == Uid::effective() && trust::check_directory(&folder).is_err() {
            continue;
        }
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        running.extend(entries.filter_map(|entry| connect(&entry.path(), user)));
    }
    running.sort_by_key(|&(pid, _)| pid);
    // Each listens in several places.
    running.dedup_by_key(|&mut (pid, _)| pid);
    running
}

/// The keeper that listens on a socket of this name, if it is one of this user's that runs.
fn connect(path: &Path, user: Uid) -> Option<(u32, UnixStream)> {
    let named: u32 = path.file_stem()?.to_str()?.parse().ok()?;
    path.extension().filter(|ending| *ending == ENDING)?;
    let stream = UnixStream::connect(path).ok()?;
    let pid = u32::try_from(peer(&stream, user).ok()??.as_raw()).ok()?;
    // One in another pid namespace has another number there, and cannot be told apart by it here.
    (pid == named).then_some((pid, stream))
}
