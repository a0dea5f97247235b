//! Reads output from the pty into the log.

use std::io;

use limpet_pty::{Pty, Read};
use limpet_shared::{Winsize, limits::MAX_FRAME_PAYLOAD_BYTES};
use tokio::task;

use super::flow::LogWriter;

/// Maximum length of one read of a pty, in bytes: the kernel hands its buffers over one by one.
const MAX_READ_BYTES: usize = 4096;

/// Maximum output that is still read after the program has ended, in bytes. The kernel holds less
/// than this. More can only come from other processes that hold the terminal, and they must not
/// keep the session from ending.
const MAX_REST_BYTES: usize = 1024 * 1024;

/// The owner of the log's only writer.
#[derive(Debug)]
pub(super) struct OutputReader {
    log: LogWriter,
    ended: bool,
}

impl OutputReader {
    pub(super) fn new(log: LogWriter) -> Self {
        Self { log, ended: false }
    }

    pub(super) fn log(&self) -> &LogWriter {
        &self.log
    }

    /// Records that output is for a terminal of this size from here on.
    pub(super) fn resize(&mut self, size: Winsize) {
        self.log.resize(size);
    }

    /// Reports whether the terminal has reached its end, after which no output comes.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads until the terminal has no more output, lets other tasks run, and reads once more what
    /// has come meanwhile, so that a flood travels in large frames. Nothing delays an awaited echo:
    /// the output of one read is enough, and further output is read once that is on its way. Passes
    /// the output to `taker`.
    pub(super) async fn drain(&mut self, pty: &Pty, is_awaited: bool, taker: impl FnOnce(&[u8])) {
        let mut len = 0;
        let enough = if is_awaited { 1 } else { MAX_READ_BYTES };
        let mut read = |place: &mut [u8]| pty.read(place);
        if self.fill(&mut read, &mut len, enough) == Read::Empty && len > 0 {
            task::yield_now().await;
            self.fill(&mut read, &mut len, enough);
        }
        self.log.publish(taker);
    }

    /// Appends limpet's own output to what has been read so far, and passes it to `taker`.
    pub(super) fn append(&mut self, output: &[u8], taker: impl FnMut(&[u8])) {
        self.log.append(output, taker);
    }

    /// Reads the terminal once without waiting until it is readable: a terminal that echoes by
    /// itself has often done so as soon as a key has been written. Returns false if there is no
    /// output. Passes the output to `taker`.
    pub(super) fn drain_echo(&mut self, pty: &Pty, taker: impl FnOnce(&[u8])) -> bool {
        let mut len = 0;
        self.fill(&mut |place| pty.read_rest(place), &mut len, 1);
        if len > 0 {
            self.log.publish(taker);
        }
        len > 0
    }

    /// Reads the output that an ended program has left, and passes it to `taker` piece by piece.
    pub(super) fn drain_rest(&mut self, pty: &Pty, mut taker: impl FnMut(&[u8])) {
        let start = self.log.end();
        while self.log.end().since(start) < MAX_REST_BYTES as u64 {
            let read = self.fill(&mut |place| pty.read_rest(place), &mut 0, MAX_READ_BYTES);
            self.log.publish(&mut taker);
            if !matches!(read, Read::Bytes(_)) {
                break;
            }
        }
    }

    /// Reads until a frame is full, or the terminal has no more output, or a read has returned less
    /// than [`MAX_READ_BYTES`] but at least `enough` bytes. Returns the result of the last read.
    fn fill(
        &mut self,
        read: &mut impl FnMut(&mut [u8]) -> io::Result<Read>,
        len: &mut usize,
        enough: usize,
    ) -> Read {
        let mut last = Read::Empty;
        while !self.ended && *len + MAX_READ_BYTES <= MAX_FRAME_PAYLOAD_BYTES {
            last = self.log.fill(MAX_READ_BYTES, |place| match read(place) {
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
                    if (enough..MAX_READ_BYTES).contains(&count) {
                        break;
                    }
                }
                Read::Empty => break,
                Read::End => self.ended = true,
            }
        }
        last
    }
}
