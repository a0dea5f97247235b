//! Control sockets of the keeper, which `limpet upgrade` and `limpet link` connect to.
//!
//! Each keeper listens on a socket `PID.sock` in each of its user's [runtime
//! directories](runtime_dirs). Both sides check the peer's credentials. A request is one short
//! line, and the answer ends the connection. The keeper never blocks on a client: it reads what has
//! arrived, and drops clients that take too long.

use std::{
    fs::{self, Permissions},
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::{
            fs::PermissionsExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    process,
    time::{Duration, Instant},
};

use nix::{
    sys::socket::{getsockopt, sockopt::PeerCredentials},
    unistd::{Pid, Uid},
};
use serde::{Deserialize, Serialize};

use super::runtime_dirs;

/// File name extension of a socket.
pub(super) const SOCKET_EXTENSION: &str = "sock";

/// File name extension until the keeper listens on the socket.
const UNREADY_EXTENSION: &str = "part";

/// Time that a client has to send its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum length of a request.
const MAX_REQUEST_LINE_BYTES: usize = 64;

/// Maximum number of clients that have not sent their request yet. A new client displaces the
/// oldest one.
const MAX_CLIENTS: usize = 16;

/// Pause after a client could not be accepted, for example for lack of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Maximum number of ancestors of a client that are inspected.
const MAX_ANCESTORS: usize = 4096;

/// A command to the keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Replace the server.
    Upgrade,
    /// Return the text of the link.
    Link,
}

impl Command {
    const ALL: [Self; 2] = [Self::Upgrade, Self::Link];

    /// Returns the line that requests it, which is also the name of the subcommand.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Upgrade => "upgrade",
            Self::Link => "link",
        }
    }

    fn parse(line: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.word().as_bytes() == line)
    }
}

/// The result of a request.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) is_done: bool,
    pub(super) message: String,
}

/// A request of a client, to be answered by [`answer`].
#[derive(Debug)]
pub(super) struct ControlRequest {
    pub(super) command: Command,
    pub(super) stream: UnixStream,
    /// Set if the client is a descendant of this keeper, and so a program in one of its sessions.
    pub(super) is_from_session: bool,
}

/// The sockets of this process and their clients.
#[derive(Debug)]
pub(super) struct Control {
    sockets: Vec<Socket>,
    clients: Vec<Client>,
    /// Time until which no client is accepted.
    paused_until: Option<Instant>,
}

/// A listening socket, which is removed from the file system on drop.
#[derive(Debug)]
struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

/// A client that has not sent its request yet.
#[derive(Debug)]
struct Client {
    stream: UnixStream,
    pid: Pid,
    line: Vec<u8>,
    deadline: Instant,
}

impl Control {
    /// Listens in each runtime directory.
    pub(super) fn listen() -> Self {
        let mut sockets = Vec::new();
        for folder in runtime_dirs::usable() {
            remove_stale(&folder);
            match Socket::listen(&folder) {
                Ok(socket) => sockets.push(socket),
                Err(error) => {
                    tracing::debug!(%error, folder = %folder.display(), "could not listen for commands");
                }
            }
        }
        if sockets.is_empty() {
            tracing::warn!(
                "`limpet upgrade` and `limpet link` are not available: there is no directory for their \
                 socket. Set XDG_RUNTIME_DIR to one that only you can write to. SIGUSR2 still starts an \
                 upgrade"
            );
        }
        Self { sockets, clients: Vec::new(), paused_until: None }
    }

    /// Returns the descriptors that become readable when [`poll_requests`](Self::poll_requests) has
    /// something to do.
    pub(super) fn sources(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let listeners = self.sockets.iter().filter(|_| self.paused_until.is_none());
        let clients = self.clients.iter().map(|client| client.stream.as_fd());
        listeners.map(|socket| socket.listener.as_fd()).chain(clients)
    }

    /// Returns when [`poll_requests`](Self::poll_requests) has something to do even if nothing
    /// becomes readable.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.clients.iter().map(|client| client.deadline).chain(self.paused_until).min()
    }

    /// Accepts clients, reads from them, and returns their requests. Never blocks.
    pub(super) fn poll_requests(&mut self) -> Vec<ControlRequest> {
        let now = Instant::now();
        self.paused_until = self.paused_until.filter(|&until| now < until);
        for socket in self.sockets.iter().filter(|_| self.paused_until.is_none()) {
            match socket.accept(now) {
                Ok(clients) => self.clients.extend(clients),
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection from `limpet upgrade` or `limpet link`; trying again later");
                    self.paused_until = Some(now + ACCEPT_PAUSE);
                    break;
                }
            }
        }
        let mut requests = Vec::new();
        for mut client in std::mem::take(&mut self.clients) {
            match client.read() {
                ReadOutcome::Command(command) => requests.push(client.into_request(command)),
                ReadOutcome::Unknown => {
                    answer(
                        client.stream,
                        &Outcome::refused("this version of limpet does not support that command"),
                    );
                }
                ReadOutcome::Incomplete if now < client.deadline => self.clients.push(client),
                ReadOutcome::Incomplete | ReadOutcome::Disconnected => {}
            }
        }
        let excess = self.clients.len().saturating_sub(MAX_CLIENTS);
        self.clients.drain(..excess);
        requests
    }
}

/// The state of a request after a read.
enum ReadOutcome {
    Command(Command),
    Unknown,
    /// The request is not complete yet.
    Incomplete,
    Disconnected,
}

impl Socket {
    fn listen(folder: &Path) -> io::Result<Self> {
        // While nobody listens on the socket yet, this name keeps others from taking it for a stale
        // one.
        let unready_path = folder.join(format!("{}.{UNREADY_EXTENSION}", process::id()));
        let path = unready_path.with_extension(SOCKET_EXTENSION);
        remove(&unready_path)?;
        let listener = UnixListener::bind(&unready_path)?;
        listener.set_nonblocking(true)?;
        fs::set_permissions(&unready_path, Permissions::from_mode(0o600))?;
        fs::rename(&unready_path, &path)?;
        Ok(Self { listener, path })
    }

    /// Accepts the clients that are waiting, and drops those of other users.
    fn accept(&self, now: Instant) -> io::Result<Vec<Client>> {
        let mut clients = Vec::new();
        // The remaining clients are accepted next time.
        while clients.len() < MAX_CLIENTS {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            if let Some(pid) = peer(&stream, Uid::effective())? {
                clients.push(Client { stream, pid, line: Vec::new(), deadline: now + REQUEST_TIMEOUT });
            }
        }
        Ok(clients)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The socket may be gone already, with the login session that its directory belonged to.
        let _ = fs::remove_file(&self.path);
    }
}

impl Client {
    /// Reads what has arrived.
    fn read(&mut self) -> ReadOutcome {
        let mut buffer = [0; MAX_REQUEST_LINE_BYTES];
        match self.stream.read(&mut buffer) {
            Ok(0) => return ReadOutcome::Disconnected,
            Ok(count) => self.line.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return ReadOutcome::Incomplete,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return ReadOutcome::Incomplete,
            Err(_) => return ReadOutcome::Disconnected,
        }
        match self.line.iter().position(|&byte| byte == b'\n') {
            Some(end) => Command::parse(&self.line[..end]).map_or(ReadOutcome::Unknown, ReadOutcome::Command),
            None if self.line.len() >= MAX_REQUEST_LINE_BYTES => ReadOutcome::Unknown,
            None => ReadOutcome::Incomplete,
        }
    }

    fn into_request(self, command: Command) -> ControlRequest {
        let is_from_session = descends_from(self.pid, Pid::this()).unwrap_or(true);
        ControlRequest { command, stream: self.stream, is_from_session }
    }
}

impl Outcome {
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self { is_done: false, message: message.into() }
    }
}

/// Answers a client.
pub(super) fn answer(mut stream: UnixStream, outcome: &Outcome) {
    // A client that has gone away does not need the answer, and the keeper waits for nobody.
    let _ = stream.set_nonblocking(true);
    let _ = serde_json::to_vec(outcome).map(|line| stream.write_all(&line));
}

/// Returns the process at the other end, if its user is `user` or root. The pid is 0 if it is in
/// another pid namespace.
pub(super) fn peer(stream: &UnixStream, user: Uid) -> io::Result<Option<Pid>> {
    let peer = getsockopt(stream, PeerCredentials)?;
    let uid = Uid::from_raw(peer.uid());
    Ok((uid == user || uid.is_root()).then(|| Pid::from_raw(peer.pid())))
}

/// Reports whether a process is `ancestor` or a descendant of it. A process outside of this pid
/// namespace is not.
fn descends_from(pid: Pid, ancestor: Pid) -> io::Result<bool> {
    let mut pid = pid.as_raw();
    for _ in 0..MAX_ANCESTORS {
        if pid == 0 {
            return Ok(false);
        }
        if pid == ancestor.as_raw() {
            return Ok(true);
        }
        // The process name, in parentheses, may contain anything (`proc_pid_stat(5)`).
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        pid = fields
            .split_whitespace()
            .nth(1)
            .and_then(|pid| pid.parse().ok())
            .ok_or(io::ErrorKind::InvalidData)?;
    }
    Ok(true)
}

/// Removes the sockets of killed keepers.
fn remove_stale(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let is_socket = path.extension().is_some_and(|extension| extension == SOCKET_EXTENSION);
        let pid = path.file_stem().and_then(|name| name.to_str()?.parse::<u32>().ok());
        let Some(pid) = pid.filter(|_| is_socket) else { continue };
        // The process may be alive in another pid namespace.
        let is_stale = !Path::new(&format!("/proc/{pid}")).exists()
            && UnixStream::connect(&path)
                .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        if is_stale && let Err(error) = remove(&path) {
            tracing::debug!(%error, path = %path.display(), "could not remove a stale socket");
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(folder: &Path) -> Control {
        Control { sockets: vec![Socket::listen(folder).unwrap()], clients: Vec::new(), paused_until: None }
    }

    fn connect(control: &Control) -> UnixStream {
        UnixStream::connect(&control.sockets[0].path).unwrap()
    }

    #[test]
    fn a_request_is_a_line_however_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let mut control = control(folder.path());
        let mut client = connect(&control);
        for part in ["upg", "rade"] {
            client.write_all(part.as_bytes()).unwrap();
            assert!(control.poll_requests().is_empty());
        }
        client.write_all(b"\n").unwrap();
        let request = control.poll_requests().pop().unwrap();
        assert_eq!(request.command, Command::Upgrade);
        assert!(request.is_from_session, "a process counts as one of its own");
        answer(request.stream, &Outcome::refused("no"));
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        assert_eq!(said, r#"{"is_done":false,"message":"no"}"#);
    }

    #[test]
    fn nobody_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut control = control(folder.path());
        let silent: Vec<UnixStream> = (0..3 * MAX_CLIENTS).map(|_| connect(&control)).collect();
        let mut long = connect(&control);
        long.write_all(&[b'x'; MAX_REQUEST_LINE_BYTES]).unwrap();
        let mut last = connect(&control);
        last.write_all(b"link\n").unwrap();
        let mut requests = Vec::new();
        for _ in 0..4 {
            requests.extend(control.poll_requests());
            assert!(control.clients.len() <= MAX_CLIENTS);
        }
        assert_eq!(requests.iter().map(|request| request.command).collect::<Vec<_>>(), [Command::Link]);
        let mut said = String::new();
        long.read_to_string(&mut said).unwrap();
        assert!(said.contains("does not support that command"));
        assert!(control.deadline().is_some());
        drop(silent);
        control.poll_requests();
        assert!(control.clients.is_empty() && control.deadline().is_none());
        // A client that sends nothing before its deadline is dropped.
        let mut late = connect(&control);
        control.poll_requests();
        control.clients[0].deadline = Instant::now();
        control.poll_requests();
        assert_eq!(late.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn what_nobody_listens_on_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        // No process has this pid (`pid_max`, proc(5)).
        let dead = folder.path().join("4194305.sock");
        drop(UnixListener::bind(&dead).unwrap());
        let other = folder.path().join("4194306.sock");
        let listener = UnixListener::bind(&other).unwrap();
        remove_stale(folder.path());
        assert!(!dead.exists() && other.exists(), "one that is listened on may be in another namespace");
        drop(listener);
        let control = control(folder.path());
        let path = control.sockets[0].path.clone();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(control);
        assert!(!path.exists());
    }

    #[test]
    fn who_started_whom_is_told_apart() {
        let mut child = process::Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        assert!(descends_from(pid, Pid::this()).unwrap());
        assert!(!descends_from(Pid::this(), pid).unwrap());
        assert!(!descends_from(Pid::from_raw(0), pid).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(descends_from(pid, Pid::this()).is_err(), "of one that is gone nobody knows");
    }
}
