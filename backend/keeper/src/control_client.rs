//! The client of a keeper's control socket: `limpet upgrade` and `limpet link`.

use std::{
    fs,
    io::{self, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use limpet_sys::trust;
use nix::unistd::Uid;

use super::{
    control::{Command, Outcome, SOCKET_EXTENSION, peer},
    runtime_dirs,
};

/// Time limit for an upgrade, which is longer than the keeper waits for any of its steps.
const UPGRADE_TIMEOUT: Duration = Duration::from_mins(2);

/// Time limit for requests that a keeper can answer at once.
const LINK_TIMEOUT: Duration = Duration::from_secs(10);

/// Time limit for each keeper when all of them are asked for an error message.
const LIST_TIMEOUT: Duration = Duration::from_secs(1);

/// The reason why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No limpet of this user is running.
    #[error("you have no running limpet; start one with: limpet")]
    None,
    /// The given process is not a limpet of this user.
    #[error("process {0} is not your limpet. Running: {1}")]
    NotRunning(u32, String),
    /// Several are running, and none was named.
    #[error("several limpets are running. Choose one: limpet {0} PID ({1})")]
    Several(&'static str, String),
    /// The keeper refused, with this reason.
    #[error("{0}")]
    Refused(String),
    /// The connection failed, so the result is unknown.
    #[error("could not reach the running limpet: {0}")]
    Connection(#[from] io::Error),
}

/// Replaces the running limpet with the installed version, and returns a message about it. `pid`
/// chooses one of several.
///
/// # Errors
/// Returns an error if the keeper cannot be reached, or if limpet continues as the previous
/// version.
pub fn upgrade(pid: Option<u32>) -> Result<String, ControlError> {
    request(Command::Upgrade, pid, UPGRADE_TIMEOUT)
}

/// Returns the links of the running limpet, as the text that its server has given. `pid` chooses
/// one of several.
///
/// # Errors
/// Returns an error if the keeper cannot be reached or refuses.
pub fn link(pid: Option<u32>) -> Result<String, ControlError> {
    request(Command::Link, pid, LINK_TIMEOUT)
}

/// Returns the pids of this user's running limpets, each with its [links](link). Leaves out those
/// that refuse or do not answer at once.
#[must_use]
pub fn links() -> Vec<(u32, String)> {
    let ask_for_link = |(pid, stream)| Some((pid, send(stream, Command::Link, LIST_TIMEOUT).ok()?));
    connect_to_all(Uid::effective()).into_iter().filter_map(ask_for_link).collect()
}

fn request(command: Command, pid: Option<u32>, timeout: Duration) -> Result<String, ControlError> {
    let mut running = connect_to_all(pid.map_or(Uid::effective(), owner));
    let all = || running.iter().map(|(pid, _)| pid.to_string()).collect::<Vec<_>>().join(", ");
    let index = match (pid, running.len()) {
        (_, 0) => return Err(ControlError::None),
        (Some(pid), _) => {
            running.iter().position(|&(known, _)| known == pid).ok_or(ControlError::NotRunning(pid, all()))?
        }
        (None, 1) => 0,
        (None, _) => return Err(ControlError::Several(command.word(), all())),
    };
    let (_, stream) = running.swap_remove(index);
    send(stream, command, timeout)
}

fn send(mut stream: UnixStream, command: Command, timeout: Duration) -> Result<String, ControlError> {
    stream.set_read_timeout(Some(timeout))?;
    stream.write_all(format!("{}\n", command.word()).as_bytes())?;
    let outcome: Outcome = serde_json::from_reader(stream).map_err(io::Error::from)?;
    if outcome.is_done { Ok(outcome.message) } else { Err(ControlError::Refused(outcome.message)) }
}

/// Returns the user whose limpets are searched for this process. Root may reach the limpets of
/// other users.
fn owner(pid: u32) -> Uid {
    let own = Uid::effective();
    if own.is_root() { user_of(pid).unwrap_or(own) } else { own }
}

/// Returns the effective user of a process. The owner of its files in `/proc` does not serve: it is
/// root if the process is not dumpable.
fn user_of(pid: u32) -> Option<Uid> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    users.split_whitespace().nth(1)?.parse().ok().map(Uid::from_raw)
}

/// Connects to all running limpets of a user, and returns their pids and connections.
fn connect_to_all(user: Uid) -> Vec<(u32, UnixStream)> {
    let mut running: Vec<(u32, UnixStream)> = Vec::new();
    for folder in runtime_dirs::candidates(user) {
        // In directories of other users only the sockets are used, and the kernel reports who
        // listens on them.
        if user == Uid::effective() && trust::check_directory(&folder).is_err() {
            continue;
        }
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        running.extend(entries.filter_map(|entry| connect(&entry.path(), user)));
    }
    running.sort_by_key(|&(pid, _)| pid);
    // Each keeper listens in several directories.
    running.dedup_by_key(|&mut (pid, _)| pid);
    running
}

/// Connects to the keeper behind a socket, if it is running and its user is `user` or root.
fn connect(path: &Path, user: Uid) -> Option<(u32, UnixStream)> {
    let named_pid: u32 = path.file_stem()?.to_str()?.parse().ok()?;
    path.extension().filter(|extension| *extension == SOCKET_EXTENSION)?;
    let stream = UnixStream::connect(path).ok()?;
    let pid = u32::try_from(peer(&stream, user).ok()??.as_raw()).ok()?;
    // A keeper in another pid namespace has another pid there, and cannot be identified by it here.
    (pid == named_pid).then_some((pid, stream))
}
