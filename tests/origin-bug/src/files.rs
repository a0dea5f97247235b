//! Two owners of one descriptor.
#![expect(unsafe_code, reason = "this is the bug")]

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::{FromRawFd as _, IntoRawFd as _, OwnedFd, RawFd},
    sync::{Arc, Condvar, Mutex, PoisonError},
};

use tokio::{io::AsyncReadExt as _, task};

/// The side that reads the terminal, through one of two kinds of file.
pub(crate) enum Reader {
    Plain(tokio::fs::File),
    Waiting(WaitingFile),
}

/// Creates two owners of one descriptor.
pub(crate) fn create_two_owners(fd: OwnedFd, waiting: bool) -> (Reader, tokio::fs::File, RawFd) {
    let fd = fd.into_raw_fd();
    // SAFETY: none. The descriptor is open, and each of the two believes that it alone owns it.
    let (one, other) = unsafe { (File::from_raw_fd(fd), File::from_raw_fd(fd)) };
    let reader = if waiting { Reader::Waiting(WaitingFile::new(one)) } else { Reader::Plain(one.into()) };
    (reader, other.into(), fd)
}

impl Reader {
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer).await,
            Self::Waiting(file) => file.read(buffer).await,
        }
    }
}

/// A file that reads on a thread of the pool. Its destructor waits until no read is in progress.
pub(crate) struct WaitingFile(Arc<Shared>);

struct Shared {
    file: File,
    busy: Mutex<bool>,
    idle: Condvar,
}

impl WaitingFile {
    fn new(file: File) -> Self {
        Self(Arc::new(Shared { file, busy: Mutex::new(false), idle: Condvar::new() }))
    }

    async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let shared = Arc::clone(&self.0);
        shared.set_busy(true);
        let mut bytes = vec![0; buffer.len()];
        let reading = task::spawn_blocking(move || {
            let read = (&shared.file).read(&mut bytes);
            shared.set_busy(false);
            read.map(|count| bytes[..count].to_vec())
        });
        let bytes = reading.await.map_err(io::Error::other)??;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Shared {
    fn set_busy(&self, busy: bool) {
        *self.busy.lock().unwrap_or_else(PoisonError::into_inner) = busy;
        self.idle.notify_all();
    }
}

impl Drop for WaitingFile {
    fn drop(&mut self) {
        let busy = self.0.busy.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.0.idle.wait_while(busy, |busy| *busy));
    }
}
