//! From the pty into the log.

use std::io;

use limpet_shared::{Winsize, limits::OUTPUT_FRAME};
use tokio::task;

use crate::{
    log::LogWriter,
    pty::{Pty, Read},
};

/// A read of a pty returns no more than this, whatever is asked for: the kernel hands its buffers over one by one.
const READ: usize = 4096;

/// What is still read of a terminal whose program has ended. The kernel holds less than this; more can only come from
/// others who hold the terminal, and they may not keep the session from ending.
const REST: usize = 1024 * 1024;

/// The log's only writer.
#[derive(Debug)]
pub(super) struct Output {
    log: LogWriter,
    ended: bool,
}

impl Output {
    pub(super) fn new(log: LogWriter) -> Self {
        Self { log, ended: false }
    }

    pub(super) fn log(&self) -> &LogWriter {
        &self.log
    }

    /// What is read from here on is for a terminal of this size.
    pub(super) fn resize(&mut self, size: Winsize) {
        self.log.resize(size);
    }

    /// Whether the terminal has said that nothing more will come.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads until the terminal is dry, lets others have their turn, and reads once more what came meanwhile: so a flood travels in
    /// large frames. An echo that is awaited is held up by nothing: what one read brings is enough, and whether there is more is found
    /// out when it is on its way. Gives what went into the log to `taker`.
    pub(super) async fn drain(&mut self, pty: &Pty, is_awaited: bool, taker: impl FnOnce(&[u8])) {
        let mut len = 0;
        let enough = if is_awaited { 1 } else { READ };
        let mut read = |place: &mut [u8]| pty.read(place);
        if self.fill(&mut read, &mut len, enough) == Read::Dry && len > 0 {
            task::yield_now().await;
            self.fill(&mut read, &mut len, enough);
        }
        self.log.publish(taker);
    }

    /// Puts output of limpet's own behind what was read so far, and gives it to `taker`.
    pub(super) fn append(&mut self, output: &[u8], taker: impl FnMut(&[u8])) {
        self.log.append(output, taker);
    }

    /// Reads the terminal once without waiting for it to be readable: a terminal that echoes by itself has often done so when a key has
    /// just been written. Returns false when it is dry. Passes the bytes that went into the log to `taker`.
    pub(super) fn drain_echo(&mut self, pty: &Pty, taker: impl FnOnce(&[u8])) -> bool {
        let mut len = 0;
        self.fill(&mut |place| pty.read_rest(place), &mut len, 1);
        if len > 0 {
            self.log.publish(taker);
        }
        len > 0
    }

    /// Reads what a program that has ended left behind, and gives what went into the log to `taker`, piece by piece.
    pub(super) fn drain_rest(&mut self, pty: &Pty, mut taker: impl FnMut(&[u8])) {
        let start = self.log.end();
        while self.log.end().since(start) < REST as u64 {
            let read = self.fill(&mut |place| pty.read_rest(place), &mut 0, READ);
            self.log.publish(&mut taker);
            if !matches!(read, Read::Bytes(_)) {
                break;
            }
        }
    }

    /// Reads until there is a frame's worth, or the terminal is dry, or a read has brought less than a whole one but `enough`; tells which by
    /// the last read.
    fn fill(
        &mut self,
        read: &mut impl FnMut(&mut [u8]) -> io::Result<Read>,
        len: &mut usize,
        enough: usize,
    ) -> Read {
        let mut last = Read::Dry;
        while !self.ended && *len + READ <= OUTPUT_FRAME {
            last = self.log.fill(READ, |place| match read(place) {
                Ok(Read::Bytes(count)) => (count, Read::Bytes(count)),
                Ok(nothing) => (0, nothing),
                Err(error) => {
                    tracing::warn!(%error, "could not read the terminal");
                    (0, Read::End)
                }
            });
            match last {
                Read::Bytes(count) => {
                    *len += count;
                    if (enough..READ).contains(&count) {
                        break;
                    }
                }
                Read::Dry => break,
                Read::End => self.ended = true,
            }
        }
        last
    }
}
