//! The single-owner guard of a pseudo-terminal, and how programs are started and ended on one.
//!
//! A [`Pty`] is this process's only owner of a pty's master side. It is not `Clone` and gives out
//! no descriptor, raw or owned, so the descriptor is closed exactly once, when the `Pty` is
//! dropped. Readers and writers borrow the `Pty`.
//!
//! * [`start`] opens a pty and starts a program on it. It consumes the slave side, so that the end
//!   of the program is the end of the output.
//! * `login` provides the variables that programs find of their user, and `withheld` lists the
//!   variables of limpet's own environment that they do not get.
//! * [`process_session`] ends everything that runs in the terminal: a hang-up first, and `SIGKILL`
//!   after a bounded time.
//!
//! This crate knows one terminal: its size (`limpet-shared`), its system calls (`limpet-sys`) and
//! the runtime that watches it. Whose child the program is, and who else holds the master side, is
//! for `limpet-keeper` to say; what the program prints, for a session.

#![forbid(unsafe_code)]

mod login;
pub mod process_session;
mod spawn;
mod withheld;

use std::{
    future::poll_fn,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use limpet_shared::Winsize;
use limpet_sys::{exhausted, reactor, terminal};
use nix::{
    errno::Errno,
    fcntl::{OFlag, SpliceFFlags, splice},
    libc,
    pty::{posix_openpt, unlockpt},
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags},
        termios::{InputFlags, SetArg, tcgetattr, tcsetattr},
    },
    unistd,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    time::sleep,
};

pub use self::{
    login::Login,
    process_session::{EndMode, RunningPrograms},
    spawn::{Program, SpawnError, Started, check_enterable, start},
};

/// Pause before the system is asked again for a resource that it lacked.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// The result of a read from the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// This many bytes were read, at least one.
    Bytes(usize),
    /// There is nothing to read at the moment.
    Empty,
    /// There will never be more: nobody holds the slave side any more, and everything written to it
    /// has been read.
    End,
}

/// The master side of a pseudo-terminal, open and non-blocking, and its only owner.
///
/// Dropping it closes the terminal, which hangs up on the program if that still runs.
#[derive(Debug)]
pub struct Pty {
    master: AsyncFd<OwnedFd>,
}

impl Pty {
    /// Takes the master side that [`start`] has opened. Must be called within the runtime.
    ///
    /// # Errors
    /// Returns the errors of the runtime's reactor.
    pub fn new(master: OwnedFd) -> io::Result<Self> {
        Ok(Self { master: reactor::watch(master, Interest::READABLE)? })
    }

    /// Moves the terminal to the current runtime: this one watches it, and no other one does any
    /// more. Waits if the system lacks the resources for that.
    ///
    /// # Errors
    /// Returns other errors of the runtime's reactor; the terminal is closed then.
    pub async fn rebind(self) -> io::Result<Self> {
        let mut master = self.master.into_inner();
        loop {
            master = match reactor::try_watch(master, Interest::READABLE) {
                Ok(master) => return Ok(Self { master }),
                Err((master, error)) if exhausted::is_exhausted(&error) => master,
                Err((_, error)) => return Err(error),
            };
            sleep(EXHAUSTED_PAUSE).await;
        }
    }

    /// Waits until [`read`](Self::read) has a result. Cancel safe. If several tasks wait, only the
    /// last one is woken.
    ///
    /// # Errors
    /// Returns the errors of the runtime's reactor, such as its shutdown.
    pub async fn readable(&self) -> io::Result<()> {
        // `AsyncFd::readable` would add 150 bytes to the future of every session.
        poll_fn(|context| self.master.poll_read_ready(context)).await.map(drop)
    }

    /// Waits until [`write_from`](Self::write_from) may move something. Cancel safe.
    ///
    /// Only this call watches the terminal for room, through an epoll(7) instance of its own. A
    /// program that reads a key makes its terminal writable, and otherwise each key would wake the
    /// thread that waits for the echo once more.
    ///
    /// # Errors
    /// Returns the errors of epoll(7) and of the runtime's reactor, such as its shutdown.
    pub async fn writable(&self) -> io::Result<()> {
        // Boxed, because the future of every session reserves space for everything that it may
        // await.
        let writable = Box::pin(async {
            match self.watch_writable() {
                Ok(epoll) => epoll.readable().await.map(drop),
                // The caller then tries to write and sees for itself.
                Err(error) if exhausted::is_exhausted(&error) => {
                    sleep(EXHAUSTED_PAUSE).await;
                    Ok(())
                }
                Err(error) => Err(error),
            }
        });
        writable.await
    }

    /// Registers an epoll(7) instance that becomes readable when the terminal is writable.
    fn watch_writable(&self) -> io::Result<AsyncFd<OwnedFd>> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(self.master.get_ref(), EpollEvent::new(EpollFlags::EPOLLOUT, 0))?;
        reactor::watch(epoll.0, Interest::READABLE)
    }

    /// Reads the program's output without waiting.
    ///
    /// # Errors
    /// Returns the errors of read(2) other than `EIO`, which is how Linux reports that the slave
    /// side is closed.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<Read> {
        read_result(self.master.try_io(Interest::READABLE, |fd| Ok(unistd::read(fd, buffer)?)))
    }

    /// Like [`read`](Self::read), for a terminal that nobody waits for any more. It also reads
    /// output that the runtime has not noticed yet.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn read_rest(&self, buffer: &mut [u8]) -> io::Result<Read> {
        read_result(unistd::read(self.master.get_ref(), buffer).map_err(io::Error::from))
    }

    /// Moves input for the program out of a pipe without waiting, and returns the number of bytes
    /// that the terminal took. That is 0 when its queue is full because the program does not read.
    /// The terminal's bytes are no longer in the pipe and all others still are, whatever happens to
    /// this process meanwhile.
    ///
    /// # Errors
    /// Returns the errors of splice(2); `EIO` if the terminal has been hung up.
    pub fn write_from(&self, pipe: BorrowedFd<'_>, count: usize) -> io::Result<usize> {
        let flags = SpliceFFlags::SPLICE_F_NONBLOCK;
        match splice(pipe, None, self.master.get_ref(), None, count, flags) {
            // With `ENOMEM` nothing has moved either, so the caller tries again.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ENOMEM) => Ok(0),
            moved => Ok(moved?),
        }
    }

    /// Sets the size. If it changes, the kernel sends `SIGWINCH` to the foreground programs.
    ///
    /// # Errors
    /// Returns the errors of `TIOCSWINSZ`, `ioctl_tty(2)`.
    pub fn resize(&self, size: Winsize) -> io::Result<()> {
        set_size(self.master.get_ref().as_fd(), size)
    }
}

fn read_result(result: io::Result<usize>) -> io::Result<Read> {
    match result {
        Ok(0) => Ok(Read::End),
        Ok(n) => Ok(Read::Bytes(n)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Read::Empty),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Read::Empty),
        Err(error) if error.raw_os_error() == Some(libc::EIO) => Ok(Read::End),
        Err(error) => Err(error),
    }
}

/// Opens a pty of the given size with UTF-8 aware line editing (`IUTF8`, termios(3)). Returns its
/// master and slave side.
fn open(size: Winsize) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let master = posix_openpt(flags)?;
    unlockpt(&master)?;
    let slave = terminal::open_slave(master.as_fd())?;
    let mut termios = tcgetattr(&slave)?;
    termios.input_flags.insert(InputFlags::IUTF8);
    tcsetattr(&slave, SetArg::TCSANOW, &termios)?;
    set_size(master.as_fd(), size)?;
    Ok((master.into(), slave))
}

fn set_size(fd: BorrowedFd<'_>, size: Winsize) -> io::Result<()> {
    let Winsize { cols, rows, xpixel, ypixel } = size;
    let size = libc::winsize { ws_row: rows, ws_col: cols, ws_xpixel: xpixel, ws_ypixel: ypixel };
    terminal::set_winsize(fd, size)
}
