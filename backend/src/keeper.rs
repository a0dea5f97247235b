//! What keeps sessions when the server is killed, or makes room for another one.
//!
//! `limpet` is two processes. The *keeper*, which a person starts and which has no network and parses nothing, holds what must not
//! be lost: the master sides of terminals, the programs as its children, the memory that output and input are in, the listening
//! socket. The *server* is its child and does everything else; it borrows what the keeper holds, by descriptors of its own.
//! When it is killed the keeper starts it again, and it goes on with what it finds. An upgrade is the same with another binary.
//!
//! * [`supervise`] is the keeper's process: [`binary`] starts servers, [`control`] hears `limpet upgrade` and `limpet link`, which
//!   [`control_client`] sends to a socket in one of the [`runtime_dirs`].
//! * [`keep`] carries out what a server asks for, [`kept`] is what is kept of one session, and [`process`] the program in it.
//! * [`orphans`] are processes of sessions that nobody else reaps.
//! * [`store`] is where all of that outlives even the keeper, if there is a service manager that has room for it.
//! * [`wire`] says what the two say to each other, over a [`socket`] that passes descriptors.
//! * [`link`] and [`child`] are the server's side of it. [`secret`] keeps the token out of what others can read.

mod binary;
mod child;
mod control;
mod control_client;
mod keep;
mod kept;
mod link;
mod orphans;
mod process;
pub(crate) mod runtime_dirs;
mod secret;
mod socket;
mod store;
mod supervise;
mod wire;

use std::{
    env,
    fs::File,
    io::{self, Read, Seek, Write},
    os::fd::{AsFd, IntoRawFd, OwnedFd},
};

use nix::{
    sys::{
        memfd::{MFdFlags, memfd_create},
        resource::{Resource, getrlimit, setrlimit},
        signal::{SigSet, Signal},
    },
    unistd::dup2_stdin,
};

#[cfg(test)]
pub(crate) use self::kept::pipe;
pub(crate) use self::wire::Start;
pub use self::{
    child::{Child, Onlooker, UnwatchedProgram},
    control_client::{ControlError, link, links, upgrade},
    link::{Connected, Estate, Held, Left, Life, Link},
    secret::{forbid_inspection, take_token},
    wire::Launch,
};
use self::{
    keep::Keeper,
    socket::Room,
    store::Store,
    supervise::Supervisor,
    wire::{Numbered, Report},
};
use crate::pty::{Login, sys::default_child_signal};

/// Tells a process that it is a server with a keeper, by its environment. Programs do not get to see it.
const KEPT: &str = "LIMPET_KEPT";

/// The keeper's name among processes; the server's is that of the program.
const NAME: &std::ffi::CStr = c"limpet-keeper";

/// Keeps sessions, and a server for them, until all is over. Gives the code to end with. Servers are told the `token` if somebody has
/// chosen one. Not to be called within a runtime, nor with other threads beside it.
///
/// # Errors
/// When the server cannot be started.
pub fn run(token: Option<String>) -> io::Result<u8> {
    // An ignored hang-up, as by nohup(1), stays ignored.
    let hang_up = (!ignores_hang_up()?).then_some(Signal::SIGHUP);
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR2, Signal::SIGCHLD]
        .into_iter()
        .chain(hang_up)
        .collect();
    signals.thread_block()?;
    // Whoever ignores it has its children reaped by the kernel, and never learns how they ended.
    default_child_signal()?;
    // Processes whose parents are gone become children of this one, which reaps them. As process 1 it has to anyway.
    let _ = nix::sys::prctl::set_child_subreaper(true);
    let _ = nix::sys::prctl::set_name(NAME);
    let (store, nofile) = (Store::find(), raise_open_files());
    let found = store::found(store)?;
    let keeper = Keeper::new(store, (nofile, Login::find()), found);
    Supervisor::new(keeper, &env::current_exe()?, token)?.run(signals)
}

/// The connection to the keeper, and what that starts this process with, if it is a server. To be called once, first of all.
///
/// # Errors
/// When there is a keeper, but it cannot be reached.
pub fn connection() -> io::Result<Option<(OwnedFd, Launch)>> {
    if env::var_os(KEPT).is_none() {
        return Ok(None);
    }
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    // What is started later must not hold the connection open.
    dup2_stdin(File::open("/dev/null")?)?;
    // The name is that of the descriptor that the binary was started by.
    let _ = nix::sys::prctl::set_name(c"limpet");
    // The keeper takes a closed connection for the end of the server. So it stays open until the kernel closes it, when the exit code
    // is settled.
    let _ = socket.try_clone()?.into_raw_fd();
    match socket::receive(socket.as_fd(), &mut Room::new())? {
        Some((Numbered { what: Report::Launch(launch), .. }, _)) => Ok(Some((socket, launch))),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "it did not say what to begin with")),
    }
}

/// How long this machine has been running (`CLOCK_MONOTONIC`): the same clock for all of its processes.
pub(crate) fn uptime() -> std::time::Duration {
    // An error says that there is no such clock, and there is.
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).map(Into::into).unwrap_or_default()
}

/// A file without a name, with these parts in it.
fn memory(name: &str, content: &[&[u8]]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?);
    content.iter().try_for_each(|part| file.write_all(part))?;
    file.rewind()?;
    Ok(file.into())
}

/// What is in such a file.
fn text(file: OwnedFd) -> io::Result<String> {
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

/// Allows as many descriptors as there may be: keeper and server need four each for a session. Gives the limits that this process
/// was started with, for programs to have those.
fn raise_open_files() -> Option<(u64, u64)> {
    let raise = || -> nix::Result<(u64, u64)> {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        Ok((soft, hard))
    };
    raise().inspect_err(|error| tracing::warn!(%error, "could not raise the limit of open files")).ok()
}
