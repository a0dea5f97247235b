//! WebSocket frames (RFC 6455) at the lowest possible cost, since the load generator must not
//! dominate the measurement.
//!
//! Payloads from the server are not copied out of the read buffer, and payloads to it are masked
//! with zeros.

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Initial size of the read buffer in bytes. It grows for longer frames.
const INITIAL_BUFFER_BYTES: usize = 256 * 1024;

/// Length codes which mean that a longer length follows, in two or eight bytes.
const TWO_BYTES: u8 = 0x7e;
const EIGHT_BYTES: u8 = 0x7f;

/// The type of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) last: bool,
    code: u8,
    masked: bool,
    /// Length of the header in bytes, including its mask.
    pub(crate) len: usize,
    pub(crate) payload: usize,
}

impl FrameHeader {
    /// Parses a header, if it is complete.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let &[first, second, ..] = bytes else { return None };
        let (extra, payload) = match second & 0x7f {
            TWO_BYTES => (2, u64::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?))),
            EIGHT_BYTES => (8, u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?)),
            short => (0, u64::from(short)),
        };
        let masked = second & 0x80 != 0;
        let len = 2 + extra + if masked { 4 } else { 0 };
        let payload = usize::try_from(payload).ok()?;
        Some(Self { last: first & 0x80 != 0, code: first & 0x0f, masked, len, payload })
    }

    /// Returns `None` if the frame continues another.
    pub(crate) fn opcode(self) -> anyhow::Result<Option<Opcode>> {
        Ok(Some(match self.code {
            0 => return Ok(None),
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            other => bail!("unknown WebSocket opcode {other}"),
        }))
    }

    /// Unmasks the payload, if it is masked.
    pub(crate) fn unmask(self, frame: &mut [u8]) {
        if self.masked {
            let (header, payload) = frame.split_at_mut(self.len);
            let mask = &header[self.len - 4..];
            payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        }
    }
}

/// Returns the header of a message in a single frame with a payload of this length.
pub(crate) fn frame_header(opcode: Opcode, payload: usize, masked: bool) -> Vec<u8> {
    let mut header = vec![0x80 | opcode.code()];
    let mask = if masked { 0x80 } else { 0 };
    match (u8::try_from(payload), u16::try_from(payload)) {
        (Ok(short @ ..TWO_BYTES), _) => header.push(mask | short),
        (_, Ok(middle)) => {
            header.push(mask | TWO_BYTES);
            header.extend(middle.to_be_bytes());
        }
        _ => {
            header.push(mask | EIGHT_BYTES);
            header.extend((payload as u64).to_be_bytes());
        }
    }
    if masked {
        header.extend([0; 4]);
    }
    header
}

/// A client's connection.
pub(crate) struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The parts received so far of a message in several frames.
    parts: Option<(Opcode, Vec<u8>)>,
    /// The last complete message in several frames.
    whole: Vec<u8>,
}

/// The place of a message's payload.
#[derive(Clone, Debug)]
pub(crate) enum PayloadPlace {
    Buffer(std::ops::Range<usize>),
    Parts,
}

impl Socket {
    /// Opens a connection for a path, with additional request headers, and a subprotocol unless
    /// that is empty.
    pub(crate) async fn open(
        address: &str,
        path: &str,
        protocol: &str,
        lines: &[String],
    ) -> anyhow::Result<Self> {
        let mut stream =
            TcpStream::connect(address).await.with_context(|| format!("could not connect to {address}"))?;
        stream.set_nodelay(true)?;
        let subprotocol = format!("Sec-WebSocket-Protocol: {protocol}");
        let subprotocol = (!protocol.is_empty()).then_some(subprotocol);
        let further: String = subprotocol.iter().chain(lines).flat_map(|line| [line, "\r\n"]).collect();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bGltcGV0LWJlbmNobWFyaw==\r\n{further}\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut socket = Self {
            stream,
            buffer: vec![0; INITIAL_BUFFER_BYTES],
            start: 0,
            end: 0,
            parts: None,
            whole: Vec::new(),
        };
        socket.answer().await.with_context(|| format!("no WebSocket at {address}{path}"))?;
        Ok(socket)
    }

    async fn answer(&mut self) -> anyhow::Result<()> {
        loop {
            let seen = &self.buffer[..self.end];
            if let Some(at) = memchr::memmem::find(seen, b"\r\n\r\n") {
                if !seen.starts_with(b"HTTP/1.1 101") {
                    bail!("the server said: {}", String::from_utf8_lossy(seen));
                }
                self.start = at + 4;
                return Ok(());
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        let count = self.stream.read(&mut self.buffer[self.end..]).await?;
        if count == 0 {
            bail!("the connection ended");
        }
        self.end += count;
        Ok(())
    }

    /// Reports whether another complete frame is already in the buffer.
    pub(crate) fn has_more(&self) -> bool {
        self.whole_frame().is_some()
    }

    fn whole_frame(&self) -> Option<FrameHeader> {
        let bytes = &self.buffer[self.start..self.end];
        FrameHeader::parse(bytes).filter(|header| header.len + header.payload <= bytes.len())
    }

    /// Receives the next message that is not about the connection itself. Returns `None` when the
    /// connection ends.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<(Opcode, PayloadPlace)>> {
        loop {
            let header = self.frame().await?;
            let payload = self.start + header.len..self.start + header.len + header.payload;
            self.start = payload.end;
            match header.opcode()? {
                Some(Opcode::Ping) => {
                    let echoed = self.buffer[payload].to_vec();
                    self.send(Opcode::Pong, &echoed).await?;
                }
                Some(Opcode::Pong) => {}
                Some(Opcode::Close) => return Ok(None),
                Some(opcode) if header.last => return Ok(Some((opcode, PayloadPlace::Buffer(payload)))),
                Some(opcode) => self.parts = Some((opcode, self.buffer[payload].to_vec())),
                None => {
                    let (opcode, mut parts) =
                        self.parts.take().context("a continuation frame without a first frame")?;
                    parts.extend_from_slice(&self.buffer[payload]);
                    if header.last {
                        self.whole = parts;
                        return Ok(Some((opcode, PayloadPlace::Parts)));
                    }
                    self.parts = Some((opcode, parts));
                }
            }
        }
    }

    async fn frame(&mut self) -> anyhow::Result<FrameHeader> {
        loop {
            if let Some(header) = self.whole_frame() {
                return Ok(header);
            }
            if self.start == self.end {
                (self.start, self.end) = (0, 0);
            }
            if self.end == self.buffer.len() {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            if self.end == self.buffer.len() {
                self.buffer.resize(2 * self.end, 0);
            }
            self.read().await?;
        }
    }

    /// Returns the payload of the message that was received last.
    pub(crate) fn payload(&self, place: &PayloadPlace) -> &[u8] {
        match place {
            PayloadPlace::Buffer(range) => &self.buffer[range.clone()],
            PayloadPlace::Parts => &self.whole,
        }
    }

    pub(crate) async fn send(&mut self, opcode: Opcode, payload: &[u8]) -> anyhow::Result<()> {
        let mut frame = frame_header(opcode, payload.len(), true);
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_all_lengths_are_read_as_they_were_written() {
        for payload in [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 30] {
            for masked in [false, true] {
                let bytes = frame_header(Opcode::Binary, payload, masked);
                let read = FrameHeader::parse(&bytes).unwrap();
                assert_eq!((read.len, read.payload, read.masked), (bytes.len(), payload, masked));
                assert_eq!(read.opcode().unwrap(), Some(Opcode::Binary));
                assert!((0..bytes.len().min(2)).all(|cut| FrameHeader::parse(&bytes[..cut]).is_none()));
            }
        }
    }

    #[test]
    fn a_mask_comes_off() {
        let mut frame = [frame_header(Opcode::Text, 5, true), b"hello".to_vec()].concat();
        frame[2..6].copy_from_slice(&[1, 2, 3, 4]);
        let read = FrameHeader::parse(&frame).unwrap();
        read.unmask(&mut frame);
        assert_ne!(&frame[6..], b"hello");
        read.unmask(&mut frame);
        assert_eq!(&frame[6..], b"hello");
    }
}
