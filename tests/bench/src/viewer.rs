//! The load generator: a viewer that reads output and types, at almost no cost.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    connection::Connection,
    stats::float,
    wire::{Opcode, PayloadPlace},
};

/// Maximum wait before a hang is reported. No measurement depends on it.
const DEADLINE: Duration = Duration::from_mins(2);

/// A server's protocol: how it frames output and input.
pub(crate) trait Protocol: Send {
    /// Returns the client's first messages.
    fn greeting(&mut self) -> Vec<(Opcode, Vec<u8>)> {
        Vec::new()
    }

    /// Locates the output in a message. Output that has to be decoded goes to `decoded`.
    fn output(&mut self, opcode: Opcode, message: &[u8], decoded: &mut Vec<u8>) -> Output;

    /// Returns a message that types these bytes.
    fn input(&mut self, bytes: &[u8]) -> (Opcode, Vec<u8>);

    /// Returns the acknowledgement to send once everything that was handed out is processed, if
    /// any. `is_idle` is true if no further message waits.
    fn acknowledgement(&mut self, _is_idle: bool) -> Option<(Opcode, Vec<u8>)> {
        None
    }
}

/// The output in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// The message has no output.
    Nothing,
    /// The output begins at this byte.
    From(usize),
    /// The output was decoded.
    Decoded,
}

/// The speed at which a viewer reads output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ReadSpeed {
    Full,
    BytesPerSecond(f64),
}

/// A connection to a session.
pub(crate) struct Viewer {
    connection: Connection,
    protocol: Box<dyn Protocol>,
    speed: ReadSpeed,
    decoded: Vec<u8>,
    /// The moment at which everything received is processed, at this viewer's speed.
    busy_until: Instant,
    /// Number of output bytes received.
    pub(crate) bytes: usize,
    /// Number of messages with output received.
    pub(crate) frames: usize,
}

impl Viewer {
    pub(crate) async fn new(
        mut connection: Connection,
        mut protocol: Box<dyn Protocol>,
    ) -> anyhow::Result<Self> {
        for (opcode, message) in protocol.greeting() {
            connection.send(opcode, &message).await?;
        }
        let (decoded, busy_until) = (Vec::new(), Instant::now());
        Ok(Self { connection, protocol, speed: ReadSpeed::Full, decoded, busy_until, bytes: 0, frames: 0 })
    }

    pub(crate) fn with_speed(mut self, speed: ReadSpeed) -> Self {
        self.speed = speed;
        self
    }

    /// Receives the next piece of output. `None` means that the connection has ended.
    pub(crate) async fn next_output(&mut self) -> anyhow::Result<Option<&[u8]>> {
        let (place, output) = loop {
            self.acknowledge_if_due().await?;
            let Some((opcode, place)) = self.connection.next().await? else { return Ok(None) };
            let output = self.protocol.output(opcode, self.connection.payload(&place), &mut self.decoded);
            if output != Output::Nothing {
                break (place, output);
            }
        };
        let len = self.slice(&place, output).len();
        self.bytes += len;
        self.frames += 1;
        if let ReadSpeed::BytesPerSecond(rate) = self.speed {
            self.busy_until =
                self.busy_until.max(Instant::now()) + Duration::from_secs_f64(float(len) / rate);
        }
        Ok(Some(self.slice(&place, output)))
    }

    fn slice(&self, place: &PayloadPlace, output: Output) -> &[u8] {
        match output {
            Output::Nothing => &[],
            Output::From(at) => &self.connection.payload(place)[at..],
            Output::Decoded => &self.decoded,
        }
    }

    /// Processes what has arrived, and acknowledges it if that is due.
    async fn acknowledge_if_due(&mut self) -> anyhow::Result<()> {
        let is_slow = self.speed != ReadSpeed::Full;
        if is_slow {
            sleep_until(self.busy_until).await;
        }
        self.send_acknowledgement(is_slow || !self.connection.has_more()).await
    }

    /// Acknowledges what is processed if no further message waits, unless that is already
    /// acknowledged.
    pub(crate) async fn acknowledge(&mut self) -> anyhow::Result<()> {
        self.send_acknowledgement(true).await
    }

    async fn send_acknowledgement(&mut self, is_idle: bool) -> anyhow::Result<()> {
        if let Some((opcode, message)) = self.protocol.acknowledgement(is_idle) {
            self.connection.send(opcode, &message).await?;
        }
        Ok(())
    }

    pub(crate) async fn type_in(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let (opcode, message) = self.protocol.input(bytes);
        self.connection.send(opcode, &message).await
    }

    /// Sends a command to the workload's program.
    pub(crate) async fn send_command(&mut self, line: &str) -> anyhow::Result<()> {
        self.type_in(format!("{line}\n").as_bytes()).await
    }

    /// Reads output until it ends with the mark.
    pub(crate) async fn until_end(&mut self, mark: &[u8]) -> anyhow::Result<()> {
        let mut tail = Tail::default();
        self.until(mark, |piece| tail.ends_with(piece, mark)).await
    }

    /// Reads output until it contains the mark.
    pub(crate) async fn until_within(&mut self, mark: &[u8]) -> anyhow::Result<()> {
        let mut tail = Tail::default();
        self.until(mark, |piece| tail.contains(piece, mark)).await
    }

    /// Reads output until it contains this byte.
    pub(crate) async fn until_byte(&mut self, byte: u8) -> anyhow::Result<()> {
        self.until(&[byte], |piece| memchr::memchr(byte, piece).is_some()).await
    }

    async fn until(&mut self, mark: &[u8], mut found: impl FnMut(&[u8]) -> bool) -> anyhow::Result<()> {
        let reading = async {
            while let Some(piece) = self.next_output().await? {
                if found(piece) {
                    return Ok(());
                }
            }
            bail!("the connection ended before {:?}", String::from_utf8_lossy(mark))
        };
        let reading = timeout(DEADLINE, reading).await;
        reading.with_context(|| format!("timed out waiting for {:?}", String::from_utf8_lossy(mark)))?
    }

    /// Reads output for ever.
    pub(crate) async fn read_forever(&mut self) -> anyhow::Result<()> {
        while self.next_output().await?.is_some() {}
        Ok(())
    }
}

/// The last bytes of output, since a mark may arrive in two pieces.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn ends_with(&mut self, piece: &[u8], mark: &[u8]) -> bool {
        self.keep(piece, mark.len());
        self.0.ends_with(mark)
    }

    fn contains(&mut self, piece: &[u8], mark: &[u8]) -> bool {
        let before = self.0.len();
        let across = [&self.0[..], &piece[..piece.len().min(mark.len())]].concat();
        let found = memchr::memmem::find(piece, mark).is_some()
            || before > 0 && memchr::memmem::find(&across, mark).is_some();
        self.keep(piece, mark.len());
        found
    }

    fn keep(&mut self, piece: &[u8], len: usize) {
        self.0.extend_from_slice(&piece[piece.len().saturating_sub(len)..]);
        self.0.drain(..self.0.len().saturating_sub(len));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_that_is_cut_anywhere_is_found() {
        let text = b"some text =MARK=";
        for cut in 0..text.len() {
            let (one, two) = text.split_at(cut);
            let (mut ends, mut contains) = (Tail::default(), Tail::default());
            assert!(!ends.ends_with(one, b"=MARK=") && !contains.contains(one, b"=MARK="));
            assert!(ends.ends_with(two, b"=MARK=") && contains.contains(two, b"=MARK="));
        }
    }

    #[test]
    fn a_mark_byte_by_byte_is_found() {
        let mut tail = Tail::default();
        let found: Vec<bool> = b"a=MARK=".iter().map(|byte| tail.ends_with(&[*byte], b"=MARK=")).collect();
        assert_eq!(found, [false, false, false, false, false, false, true]);
    }
}
