//! From the pty into the log.

use bytes::Bytes;
use limpet_shared::{Header, limits::OUTPUT_FRAME};
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

    /// Whether the terminal has said that nothing more will come.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads until the terminal is dry, lets others have their turn, and reads once more what came meanwhile: so a
    /// flood travels in large frames, and a key's echo is not held up by any timer. Gives what went into the log.
    pub(super) async fn drain(&mut self, pty: &Pty) -> Option<Bytes> {
        let mut frame = Vec::new();
        if self.fill(pty, &mut frame) == Read::Dry && !frame.is_empty() {
            task::yield_now().await;
            self.fill(pty, &mut frame);
        }
        self.append(frame)
    }

    /// Reads what a program that has ended left behind, and gives each frame that went into the log to `taker`.
    pub(super) fn drain_rest(&mut self, pty: &Pty, mut taker: impl FnMut(Bytes)) {
        let start = self.log.end();
        while self.log.end().since(start) < REST as u64 {
            let mut frame = Vec::new();
            let read = self.fill(pty, &mut frame);
            if let Some(frame) = self.append(frame) {
                taker(frame);
            }
            if !matches!(read, Read::Bytes(_)) {
                break;
            }
        }
    }

    /// Reads into a frame until it is full or the terminal dry; tells which by the last read.
    fn fill(&mut self, pty: &Pty, frame: &mut Vec<u8>) -> Read {
        let mut buffer = [0; READ];
        let mut last = Read::Dry;
        while !self.ended && frame.len() + READ <= Header::LEN + OUTPUT_FRAME {
            last = pty.read(&mut buffer).unwrap_or_else(|error| {
                tracing::warn!(%error, "could not read the terminal");
                Read::End
            });
            match last {
                Read::Bytes(count) => {
                    if frame.is_empty() {
                        frame.extend_from_slice(&Header::data(self.log.end().get()).encode());
                    }
                    frame.extend_from_slice(&buffer[..count]);
                }
                Read::Dry => break,
                Read::End => self.ended = true,
            }
        }
        last
    }

    fn append(&mut self, mut frame: Vec<u8>) -> Option<Bytes> {
        if frame.is_empty() {
            return None;
        }
        frame.shrink_to_fit();
        let frame = Bytes::from(frame);
        self.log.append(frame.clone());
        Some(frame)
    }
}
