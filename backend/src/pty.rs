//! The single-owner guard of a pseudo-terminal and of the program on it.
//!
//! A [`Pty`] is the one owner of a pty's master side, a [`Child`] the one owner of the program that was started on
//! its slave side. Neither is `Clone`, neither gives out its descriptor, raw or owned, so each is closed exactly once,
//! by the type's own drop; whoever reads or writes borrows.
//!
//! * [`spawn`] makes the two, consuming the slave side on the way, so that the end of the program is the end of the
//!   output.
//! * [`Child::end`] ends everything that runs in the terminal: hang-up, a bounded ladder to `SIGKILL`, and reaping.

mod child;
mod process_session;
mod spawn;
mod sys;
#[cfg(test)]
mod tests;

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use limpet_shared::Winsize;
use nix::{
    fcntl::OFlag,
    pty::{posix_openpt, unlockpt},
    sys::termios::{InputFlags, SetArg, tcgetattr, tcsetattr},
    unistd,
};
use tokio::io::{Interest, unix::AsyncFd};

pub use self::{
    child::{Child, Onlooker},
    spawn::{Program, SpawnError, spawn},
};

/// What a read of the terminal brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// This many bytes, at least one.
    Bytes(usize),
    /// Nothing at the moment.
    Dry,
    /// Nothing ever again: nobody holds the slave side any more, and everything written to it has been read.
    End,
}

/// The master side of a pseudo-terminal, open and non-blocking; its one and only owner.
///
/// Dropping it closes the terminal, which hangs up on the program if that still runs.
#[derive(Debug)]
pub struct Pty {
    master: AsyncFd<OwnedFd>,
}

impl Pty {
    /// Opens a pty of the given size with UTF-8 aware line editing (`IUTF8`, termios(3)), and its slave side.
    fn open(size: Winsize) -> io::Result<(Self, OwnedFd)> {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let master = posix_openpt(flags)?;
        unlockpt(&master)?;
        let slave = sys::open_slave(master.as_fd())?;
        let mut termios = tcgetattr(&slave)?;
        termios.input_flags.insert(InputFlags::IUTF8);
        tcsetattr(&slave, SetArg::TCSANOW, &termios)?;
        let pty = Self { master: sys::watch(master.into(), Interest::READABLE | Interest::WRITABLE)? };
        pty.resize(size)?;
        Ok((pty, slave))
    }

    /// Waits until [`read`](Self::read) has something to say. Cancel safe.
    ///
    /// # Errors
    /// Those of the runtime's reactor, as when it has been shut down.
    pub async fn readable(&self) -> io::Result<()> {
        self.master.readable().await.map(drop)
    }

    /// Waits until [`write`](Self::write) may take something. Cancel safe.
    ///
    /// # Errors
    /// Those of the runtime's reactor, as when it has been shut down.
    pub async fn writable(&self) -> io::Result<()> {
        self.master.writable().await.map(drop)
    }

    /// Reads the program's output, without waiting.
    ///
    /// # Errors
    /// Those of read(2) other than `EIO`, which is how Linux says that the slave side is closed.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<Read> {
        match self.master.try_io(Interest::READABLE, |fd| Ok(unistd::read(fd, buffer)?)) {
            Ok(0) => Ok(Read::End),
            Ok(n) => Ok(Read::Bytes(n)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Read::Dry),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Read::Dry),
            Err(error) if error.raw_os_error() == Some(nix::libc::EIO) => Ok(Read::End),
            Err(error) => Err(error),
        }
    }

    /// Writes input for the program, without waiting, and tells how much of it the terminal took: nothing when its
    /// queue is full because the program does not read.
    ///
    /// # Errors
    /// Those of write(2); `EIO` when the terminal has been hung up.
    pub fn write(&self, input: &[u8]) -> io::Result<usize> {
        match self.master.try_io(Interest::WRITABLE, |fd| Ok(unistd::write(fd, input)?)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            taken => taken,
        }
    }

    /// Sets the size; the kernel tells the foreground programs by `SIGWINCH` if it changed.
    ///
    /// # Errors
    /// Those of `TIOCSWINSZ`, `ioctl_tty(2)`.
    pub fn resize(&self, size: Winsize) -> io::Result<()> {
        sys::set_winsize(self.master.get_ref().as_fd(), size)
    }
}
