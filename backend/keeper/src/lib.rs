//! The keeper: the process that holds sessions while servers are killed, restarted and upgraded.
//!
//! `limpet` is two processes. The *keeper* is the one that a person starts. It has no network and
//! parses no input of programs or viewers. It holds everything that must not be lost: the master
//! sides of the terminals, the programs as its children, the memory that holds output and input,
//! and the listening socket. The *server* is its child and does everything else; it borrows what
//! the keeper holds, through descriptors of its own. When the server is killed, the keeper starts
//! it again, and the new server continues with what it finds. An upgrade does the same with another
//! binary.
//!
//! * [`supervise`] is the keeper's main loop: [`binary`] starts servers, and [`control`] serves
//!   `limpet upgrade` and `limpet link`, which [`control_client`] sends to a socket in one of the
//!   [`runtime_dirs`].
//! * [`keep`] carries out the server's requests, [`session_resources`] holds the resources of one
//!   session, and [`process`] is the program in it.
//! * [`orphans`] reaps processes of sessions that nobody else reaps.
//! * [`store`] hands descriptors to the service manager, if it has room for them, so that they
//!   outlive even the keeper.
//! * [`wire`] defines the messages between keeper and server, which travel over a [`socket`] that
//!   also passes descriptors.
//! * [`client`] and [`child`] are the server's side. [`secret`] keeps the token out of everything
//!   that other processes can read.
//!
//! This crate may know the pty, the memory of an output log and the system. It knows neither
//! sessions nor the network: to the keeper, records and checkpoints are texts that it stores.

#![forbid(unsafe_code)]

mod binary;
mod child;
mod client;
mod control;
mod control_client;
mod keep;
mod orphans;
mod process;
pub mod runtime_dirs;
mod secret;
mod session_resources;
mod socket;
mod store;
mod supervise;
#[cfg(test)]
mod tests;
mod wire;

use std::{
    env,
    fs::File,
    io::{self, Read, Seek, Write},
    os::fd::{AsFd, IntoRawFd, OwnedFd},
};

use limpet_pty::Login;
use limpet_sys::signals::default_child_signal;
use nix::{
    sys::{
        memfd::{MFdFlags, memfd_create},
        resource::{Resource, getrlimit, setrlimit},
        signal::{SigSet, Signal},
    },
    unistd::dup2_stdin,
};

pub use self::{
    child::{Child, ProcessInspector, UnwatchedProgram},
    client::{
        KeeperClient, KeeperConnection, OrphanedSession, PredecessorState, ProgramHandles, SessionHandles,
    },
    control_client::{ControlError, link, links, upgrade},
    secret::{forbid_inspection, take_token},
    wire::{Launch, ProgramSpec},
};
use self::{
    keep::Keeper,
    socket::ReceiveBuffer,
    store::Store,
    supervise::Supervisor,
    wire::{Envelope, KeeperMessage},
};

/// Environment variable that tells a process that it is a server with a keeper. Programs in
/// sessions do not get it.
const SERVER_VARIABLE: &str = "LIMPET_KEPT";

/// Process name of the keeper. The server has the name of its program.
const KEEPER_PROCESS_NAME: &std::ffi::CStr = c"limpet-keeper";

/// Runs the keeper until all sessions have ended, and returns the exit code. Passes the `token` on
/// to servers if the user has chosen one. Must be called outside of a runtime, and while the
/// process has no other threads.
///
/// # Errors
/// Returns an error if the server cannot be started.
pub fn run(token: Option<String>) -> io::Result<u8> {
    // An ignored `SIGHUP`, as set by nohup(1), stays ignored.
    let hang_up = (!ignores_hang_up()?).then_some(Signal::SIGHUP);
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR2, Signal::SIGCHLD]
        .into_iter()
        .chain(hang_up)
        .collect();
    signals.thread_block()?;
    // If `SIGCHLD` is ignored, the kernel reaps the children itself, and their exit statuses are
    // lost.
    default_child_signal()?;
    // Makes orphaned processes children of this one, which reaps them. As process 1 it has to do so
    // anyway.
    let _ = nix::sys::prctl::set_child_subreaper(true);
    let _ = nix::sys::prctl::set_name(KEEPER_PROCESS_NAME);
    let (store, nofile) = (Store::find(), raise_open_files());
    let stored = store::take_stored(store)?;
    let keeper = Keeper::new(store, (nofile, Login::find()), stored);
    Supervisor::new(keeper, &env::current_exe()?, token)?.run(signals)
}

/// Returns the connection to the keeper and its launch message, or `None` if this process is not a
/// server. Must be called once, before anything else.
///
/// # Errors
/// Returns an error if there is a keeper but it cannot be reached.
pub fn connection() -> io::Result<Option<(OwnedFd, Launch)>> {
    if env::var_os(SERVER_VARIABLE).is_none() {
        return Ok(None);
    }
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    // Processes that are started later must not hold the connection open.
    dup2_stdin(File::open("/dev/null")?)?;
    // Otherwise the name would be that of the descriptor that the binary was started through.
    let _ = nix::sys::prctl::set_name(c"limpet");
    // The keeper takes a closed connection for the end of the server. The duplicate is leaked, so
    // that the kernel closes the connection only when the exit code is settled.
    let _ = socket.try_clone()?.into_raw_fd();
    match socket::receive(socket.as_fd(), &mut ReceiveBuffer::default())? {
        Some((Envelope { body: KeeperMessage::Launch(launch), .. }, _)) => Ok(Some((socket, launch))),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the keeper sent no launch message")),
    }
}

/// Creates an anonymous file (`memfd_create(2)`) that holds these parts one after another.
fn create_memory_file(name: &str, content: &[&[u8]]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?);
    content.iter().try_for_each(|part| file.write_all(part))?;
    file.rewind()?;
    Ok(file.into())
}

/// Reads the text of a file that [`create_memory_file`] has created.
fn read_text(file: OwnedFd) -> io::Result<String> {
    let (mut file, mut text) = (File::from(file), String::new());
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

fn ignores_hang_up() -> io::Result<bool> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    Ok(mask & (1 << (Signal::SIGHUP as u64 - 1)) != 0)
}

/// Raises the limit of open files to its maximum, since keeper and server each need four
/// descriptors per session. Returns the previous limits, which programs start with.
fn raise_open_files() -> Option<(u64, u64)> {
    let raise = || -> nix::Result<(u64, u64)> {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        Ok((soft, hard))
    };
    raise().inspect_err(|error| tracing::warn!(%error, "could not raise the limit of open files")).ok()
}
