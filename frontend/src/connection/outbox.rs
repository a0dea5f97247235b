//! The input side of a connection: all input that the server has not yet acknowledged as written to
//! the pty.

use std::collections::VecDeque;

use limpet_shared::{Header, InputOffset, limits};

use super::keys;

/// Maximum number of bytes in flight, sent and not yet acknowledged. Input beyond it, such as a
/// long paste, waits here.
pub const MAX_IN_FLIGHT_BYTES: usize = 256 * 1024;

/// Maximum payload of one frame, in bytes. It is small enough that a paste is acknowledged in
/// steps.
pub const MAX_FRAME_BYTES: usize = 64 * 1024;

/// Maximum number of bytes held in total. Input that does not fit is refused as a whole, because
/// half a paste is worse than none.
pub const MAX_HELD_BYTES: usize = 64 * 1024 * 1024;

const _: () = assert!(
    MAX_IN_FLIGHT_BYTES <= limits::MAX_INPUT_IN_FLIGHT_BYTES,
    "the server would close the connection"
);

/// The error for input that was refused because [`MAX_HELD_BYTES`] bytes already wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Numbered input, from the first unacknowledged byte on.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The offset of the first byte of `bytes`; everything before it is written to the pty.
    start: InputOffset,
    /// The input that is not yet acknowledged.
    bytes: VecDeque<u8>,
    /// Number of `bytes` that were sent over the current attachment.
    sent: usize,
    /// Number of `bytes` that were sent over any attachment, and that the server may have taken.
    ever_sent: usize,
}

impl Outbox {
    /// Appends input.
    ///
    /// # Errors
    /// If the input does not fit.
    pub fn push(&mut self, input: &[u8]) -> Result<(), Full> {
        if self.bytes.len() + input.len() > MAX_HELD_BYTES {
            return Err(Full);
        }
        self.bytes.extend(input);
        Ok(())
    }

    /// Returns the next binary message to send, if the limits allow one now.
    pub fn next_frame(&mut self) -> Option<Vec<u8>> {
        let unsent = self.bytes.len() - self.sent;
        let room = MAX_IN_FLIGHT_BYTES - self.sent;
        let len = unsent.min(room).min(MAX_FRAME_BYTES);
        if len == 0 {
            return None;
        }
        let header = Header::data(self.start.advanced(self.sent).get());
        let mut frame = Vec::with_capacity(Header::LEN + len);
        frame.extend(header.encode());
        frame.extend(self.bytes.range(self.sent..self.sent + len));
        self.sent += len;
        self.ever_sent = self.ever_sent.max(self.sent);
        Some(frame)
    }

    /// Records that the server has written everything before `input` to the pty. Late and repeated
    /// acknowledgements have no effect.
    pub fn acknowledge(&mut self, input: InputOffset) {
        let taken = usize::try_from(input.since(self.start)).unwrap_or(usize::MAX).min(self.sent);
        self.drop_first(taken);
    }

    /// Continues at `input` after a new attachment: the server has taken the input before it, and
    /// the rest is sent again.
    ///
    /// If `input` is outside of what is held here, the server does not know this viewer's past.
    /// Then it is unknown how many of the sent bytes reached the program. They are dropped, since a
    /// command that runs twice is worse than one that is missing, and the bytes that were never
    /// sent are renumbered. Returns the number of dropped bytes.
    pub fn resume_at(&mut self, input: InputOffset) -> usize {
        self.sent = 0;
        let held = self.start..=self.start.advanced(self.bytes.len());
        if held.contains(&input) {
            let taken = usize::try_from(input.since(self.start)).unwrap_or(usize::MAX);
            self.drop_first(taken);
            return 0;
        }
        let lost = self.ever_sent;
        self.drop_first(lost);
        self.start = input;
        lost
    }

    /// Reports whether everything is acknowledged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the number of keys that are not acknowledged. Only the beginning of long input is
    /// counted.
    #[must_use]
    pub fn keys(&self) -> u32 {
        let bytes: Vec<u8> = self.bytes.iter().take(keys::MAX_COUNTED_BYTES).copied().collect();
        keys::count(&bytes)
    }

    /// Drops all input, which will never be read.
    pub fn clear(&mut self) {
        self.bytes = VecDeque::new();
        self.sent = 0;
        self.ever_sent = 0;
    }

    fn drop_first(&mut self, count: usize) {
        self.bytes.drain(..count);
        self.start = self.start.advanced(count);
        self.sent = self.sent.saturating_sub(count);
        self.ever_sent = self.ever_sent.saturating_sub(count);
        if self.bytes.is_empty() {
            // Releases the memory of a large paste.
            self.bytes.shrink_to(MAX_FRAME_BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A model of the server: takes input in order, drops duplicates, and panics on a gap.
    #[derive(Default)]
    struct Server {
        taken: Vec<u8>,
    }

    impl Server {
        fn receive(&mut self, frame: &[u8]) {
            let (header, payload) = Header::split(frame).unwrap();
            let start = usize::try_from(header.offset).unwrap();
            assert!(start <= self.taken.len(), "a gap at {start}");
            let known = (self.taken.len() - start).min(payload.len());
            self.taken.extend(&payload[known..]);
        }

        fn offset(&self) -> InputOffset {
            InputOffset::new(self.taken.len() as u64)
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Type(Vec<u8>),
        Send,
        Deliver,
        Acknowledge,
        Reconnect { delivered: usize },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => prop_oneof![prop::collection::vec(any::<u8>(), 1..20), prop::collection::vec(any::<u8>(), 100_000)]
                .prop_map(Step::Type),
            4 => Just(Step::Send),
            4 => Just(Step::Deliver),
            2 => Just(Step::Acknowledge),
            1 => (0..4_usize).prop_map(|delivered| Step::Reconnect { delivered }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_byte_arrives_once_and_in_order(steps in prop::collection::vec(step(), 1..60)) {
            let mut outbox = Outbox::default();
            let mut server = Server::default();
            let mut typed = Vec::<u8>::new();
            let mut wire = VecDeque::new();
            for step in steps {
                match step {
                    Step::Type(bytes) => {
                        typed.extend(&bytes);
                        outbox.push(&bytes).unwrap();
                    }
                    Step::Send => wire.extend(outbox.next_frame()),
                    Step::Deliver => if let Some(frame) = wire.pop_front() { server.receive(&frame); },
                    Step::Acknowledge => outbox.acknowledge(server.offset()),
                    Step::Reconnect { delivered } => {
                        wire.drain(..).take(delivered).for_each(|frame: Vec<u8>| server.receive(&frame));
                        prop_assert_eq!(outbox.resume_at(server.offset()), 0);
                    }
                }
                prop_assert!(outbox.sent <= MAX_IN_FLIGHT_BYTES);
            }
            wire.drain(..).for_each(|frame| server.receive(&frame));
            outbox.acknowledge(server.offset());
            while let Some(frame) = outbox.next_frame() {
                server.receive(&frame);
                outbox.acknowledge(server.offset());
            }
            prop_assert!(server.taken == typed);
            prop_assert!(outbox.bytes.is_empty());
        }
    }

    #[test]
    fn a_paste_waits_for_acknowledgements() {
        let mut outbox = Outbox::default();
        outbox.push(&vec![b'x'; MAX_IN_FLIGHT_BYTES + 1]).unwrap();
        let sent: usize =
            std::iter::from_fn(|| outbox.next_frame()).map(|frame| frame.len() - Header::LEN).sum();
        assert_eq!(sent, MAX_IN_FLIGHT_BYTES);
        outbox.acknowledge(InputOffset::new(1));
        assert_eq!(outbox.next_frame().map(|frame| frame.len()), Some(Header::LEN + 1));
        assert_eq!(outbox.next_frame(), None);
    }

    #[test]
    fn an_acknowledgement_of_what_was_never_sent_is_not_believed() {
        let mut outbox = Outbox::default();
        outbox.push(b"abc").unwrap();
        outbox.acknowledge(InputOffset::new(9));
        assert_eq!(outbox.next_frame().unwrap()[Header::LEN..], *b"abc");
    }

    #[test]
    fn a_server_that_forgot_the_viewer_gets_only_what_was_never_sent() {
        let mut outbox = Outbox::default();
        outbox.push(b"taken").unwrap();
        outbox.next_frame();
        outbox.acknowledge(InputOffset::new(5));
        outbox.push(b"perhaps").unwrap();
        outbox.next_frame();
        outbox.push(b"surely not").unwrap();
        assert_eq!(outbox.resume_at(InputOffset::ZERO), 7);
        let frame = outbox.next_frame().unwrap();
        let (header, payload) = Header::split(&frame).unwrap();
        assert_eq!((header, payload), (Header::data(0), b"surely not".as_slice()));
    }

    #[test]
    fn what_does_not_fit_is_refused_whole() {
        let mut outbox = Outbox::default();
        outbox.push(&vec![0; MAX_HELD_BYTES]).unwrap();
        assert_eq!(outbox.push(b"x"), Err(Full));
        assert_eq!(outbox.bytes.len(), MAX_HELD_BYTES);
    }
}
