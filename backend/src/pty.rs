//! The single-owner guard of a pseudo-terminal.
//!
//! A [`Pty`] is this process's one owner of a pty's master side. It is not `Clone` and gives out no descriptor, raw or owned, so it
//! is closed exactly once, by the type's own drop; whoever reads or writes borrows.
//!
//! * [`start`] opens a pty and starts a program on it, consuming the slave side on the way, so that the end of the program is the
//!   end of the output.
//! * `login` says what programs find of their user, and `withheld` what they do not find of limpet's own surroundings.
//! * [`process_session`] ends everything that runs in the terminal: hang-up, and a bounded ladder to `SIGKILL`.
//!
//! Whose child the program is, and who else holds the master side, is said in [`crate::keeper`].

mod login;
pub(crate) mod process_session;
mod spawn;
pub(crate) mod sys;
mod withheld;

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use limpet_shared::Winsize;
use nix::{
    errno::Errno,
    fcntl::{OFlag, SpliceFFlags, splice},
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

use crate::exhausted;

pub use self::{
    login::Login,
    process_session::{EndMode, Running},
    spawn::{Program, SpawnError, Started, check_enterable, start},
};

/// How long is waited before the system is asked again for what it did not have.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

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
    /// Takes the master side that [`start`] has opened. To be called within the runtime.
    ///
    /// # Errors
    /// Those of the runtime's reactor.
    pub fn own(master: OwnedFd) -> io::Result<Self> {
        Ok(Self { master: sys::watch(master, Interest::READABLE)? })
    }

    /// Has it watched by the runtime that this is called within, and by no other any more. When the system has nothing to watch it
    /// with, that is waited for.
    ///
    /// # Errors
    /// Others of the runtime's reactor; the terminal is closed then.
    pub async fn moved_here(self) -> io::Result<Self> {
        let mut master = self.master.into_inner();
        loop {
            master = match sys::try_watch(master, Interest::READABLE) {
                Ok(master) => return Ok(Self { master }),
                Err((master, error)) if exhausted::is_exhausted(&error) => master,
                Err((_, error)) => return Err(error),
            };
            sleep(EXHAUSTED_PAUSE).await;
        }
    }

    /// Waits until [`read`](Self::read) has something to say. Cancel safe.
    ///
    /// # Errors
    /// Those of the runtime's reactor, as when it has been shut down.
    pub async fn readable(&self) -> io::Result<()> {
        self.master.readable().await.map(drop)
    }

    /// Waits until [`write_from`](Self::write_from) may move something. Cancel safe.
    ///
    /// It is watched for that only meanwhile, by an epoll(7) of its own: a program that reads a key makes its terminal writable, and the
    /// thread that waits for the echo would be woken for that as well, each time.
    ///
    /// # Errors
    /// Those of epoll(7) and of the runtime's reactor, as when it has been shut down.
    pub async fn writable(&self) -> io::Result<()> {
        // On the heap, since every session has room for what it may wait for.
        let room = Box::pin(async {
            match self.watched_for_room() {
                Ok(room) => room.readable().await.map(drop),
                // Whoever waits looks for itself then.
                Err(error) if exhausted::is_exhausted(&error) => {
                    sleep(EXHAUSTED_PAUSE).await;
                    Ok(())
                }
                Err(error) => Err(error),
            }
        });
        room.await
    }

    fn watched_for_room(&self) -> io::Result<AsyncFd<OwnedFd>> {
        let room = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        room.add(self.master.get_ref(), EpollEvent::new(EpollFlags::EPOLLOUT, 0))?;
        sys::watch(room.0, Interest::READABLE)
    }

    /// Reads the program's output, without waiting.
    ///
    /// # Errors
    /// Those of read(2) other than `EIO`, which is how Linux says that the slave side is closed.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<Read> {
        was_read(self.master.try_io(Interest::READABLE, |fd| Ok(unistd::read(fd, buffer)?)))
    }

    /// The same, of a terminal that is not waited for any more: also what the runtime has not noticed yet.
    ///
    /// # Errors
    /// As above.
    pub fn read_rest(&self, buffer: &mut [u8]) -> io::Result<Read> {
        was_read(unistd::read(self.master.get_ref(), buffer).map_err(io::Error::from))
    }

    /// Moves input for the program out of a pipe, without waiting, and tells how much of it the terminal took: nothing when
    /// its queue is full because the program does not read. What the terminal has taken is no longer in the pipe, and what it has
    /// not is, whatever happens to this process meanwhile.
    ///
    /// # Errors
    /// Those of splice(2); `EIO` when the terminal has been hung up.
    pub fn write_from(&self, pipe: BorrowedFd<'_>, count: usize) -> io::Result<usize> {
        let flags = SpliceFFlags::SPLICE_F_NONBLOCK;
        match splice(pipe, None, self.master.get_ref(), None, count, flags) {
            // Without memory for it, nothing has moved either, and it is tried again.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ENOMEM) => Ok(0),
            moved => Ok(moved?),
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

fn was_read(read: io::Result<usize>) -> io::Result<Read> {
    match read {
        Ok(0) => Ok(Read::End),
        Ok(n) => Ok(Read::Bytes(n)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Read::Dry),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Read::Dry),
        Err(error) if error.raw_os_error() == Some(nix::libc::EIO) => Ok(Read::End),
        Err(error) => Err(error),
    }
}

/// Opens a pty of the given size with UTF-8 aware line editing (`IUTF8`, termios(3)): its master and its slave side.
fn open(size: Winsize) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let master = posix_openpt(flags)?;
    unlockpt(&master)?;
    let slave = sys::open_slave(master.as_fd())?;
    let mut termios = tcgetattr(&slave)?;
    termios.input_flags.insert(InputFlags::IUTF8);
    tcsetattr(&slave, SetArg::TCSANOW, &termios)?;
    sys::set_winsize(master.as_fd(), size)?;
    Ok((master.into(), slave))
}

#[cfg(test)]
mod tests;
