//! Input from viewers, numbered per viewer so that it arrives exactly once.

mod journal;

use std::{
    collections::{HashMap, VecDeque},
    io, mem,
    os::fd::BorrowedFd,
};

use bytes::{Buf, Bytes, BytesMut};
use limpet_shared::{ErrorCode, InputOffset, OutputOffset, ViewerId, limits::MAX_INPUT_IN_FLIGHT_BYTES};
use tokio::sync::watch;

pub(super) use self::journal::InputJournal;
use self::journal::{JournalSlot, MAX_JOURNALLED_VIEWERS};
use super::{AttachmentId, grant::GrantTag};

/// Maximum number of viewers whose offsets are remembered. Beyond that, viewers that are not
/// attached are forgotten, the one that attached longest ago first. A forgotten viewer that comes
/// back counts anew from the server's `welcome`.
const MAX_REMEMBERED_VIEWERS: usize = MAX_JOURNALLED_VIEWERS;

/// Maximum number of remembered viewers of one guests' grant, so that one pass leaves room
/// for everybody else's.
const MAX_REMEMBERED_PER_GRANT: usize = 64;

/// Maximum length to which input of the same viewer is merged into one piece, in bytes.
const MAX_PIECE_BYTES: usize = 16 * 1024;

/// Number of pieces that wait in the exact order in which they were typed. Beyond that, input is
/// added to the last piece of the same viewer, so that viewers who take turns byte by byte do not
/// create a piece for each byte.
const MAX_ORDERED_PIECES: usize = 256;

/// Maximum input of viewers that have left that may wait, in bytes for all of them.
const MAX_ABSENT_BYTES: usize = 64 * 1024;

/// Weight of each such viewer beside its waiting input, in bytes.
const ABSENT_VIEWER_BYTES: usize = 256;

/// Amount of waiting answers at which no more are taken, in bytes.
const MAX_WAITING_ANSWER_BYTES: usize = 16 * 1024;

/// Input on its way to the program.
///
/// Memory is bounded by [`MAX_INPUT_IN_FLIGHT_BYTES`] for each attached viewer, and by
/// [`MAX_ABSENT_BYTES`] for all others together. Input that is dropped beyond that was never
/// acknowledged: a viewer that comes back is told where to continue, and sends it again.
#[derive(Debug)]
pub(super) struct Input {
    viewers: HashMap<ViewerId, ViewerInput>,
    /// Input that has been taken and not yet written, in order of arrival.
    queue: VecDeque<(Source, BytesMut)>,
    /// The input journal. Apart from [`inherited_bytes`](Self::inherited_bytes), its pipe holds the
    /// beginning of the first piece in the queue.
    journal: InputJournal,
    /// Bytes in the journal's pipe that an earlier server has left there. They are
    /// acknowledged already.
    inherited_bytes: usize,
    /// Counter of registrations, by which viewers are ordered.
    registrations: u64,
}

/// The source of a piece of input.
#[derive(Clone, Copy, Debug)]
enum Source {
    Viewer(ViewerId),
    /// The session's own screen, which has answered all queries before this offset.
    Screen(OutputOffset),
}

impl Source {
    fn viewer(self) -> Option<ViewerId> {
        if let Self::Viewer(viewer) = self { Some(viewer) } else { None }
    }

    fn answered(self) -> Option<OutputOffset> {
        if let Self::Screen(output) = self { Some(output) } else { None }
    }
}

/// The input of one viewer.
#[derive(Debug)]
struct ViewerInput {
    /// `None` for a viewer that has not come back since an earlier server.
    attachment: Option<AttachmentId>,
    registered: u64,
    taken: InputOffset,
    written: InputOffset,
    slot: Option<JournalSlot>,
    /// Tells the attachment how far its input has come.
    progress: watch::Sender<InputProgress>,
}

/// The offset before which everything is written to the pty, or the reason why no
/// more input is taken.
pub type InputProgress = Result<InputOffset, InputError>;

/// The reason why input is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// Bytes before the input are missing.
    #[error("input starts at {offset}, but only what comes before {taken} has arrived; send it from there")]
    Gap {
        /// Offset at which the input starts.
        offset: u64,
        /// Offset at which it should have started at the latest.
        taken: InputOffset,
    },
    /// The viewer does not wait for acknowledgements.
    #[error(
        "more than {MAX_INPUT_IN_FLIGHT_BYTES} bytes of input wait to be written; wait for acknowledgements"
    )]
    Overflow,
}

impl InputError {
    /// Returns the error's code in the protocol.
    #[must_use]
    pub fn code(self) -> ErrorCode {
        match self {
            Self::Gap { .. } => ErrorCode::InputGap,
            Self::Overflow => ErrorCode::InputOverflow,
        }
    }
}

impl Input {
    /// Continues with what an earlier server has left in `journal`, if there was one.
    pub(super) fn new(journal: InputJournal) -> Self {
        let known = journal.viewers().into_iter().map(|(viewer, slot, offset)| {
            let progress = watch::Sender::new(Ok(offset));
            let (taken, written, slot) = (offset, offset, Some(slot));
            (viewer, ViewerInput { attachment: None, registered: 0, taken, written, slot, progress })
        });
        let (viewers, inherited_bytes) = (known.collect(), journal.bytes_in_pipe());
        Self { viewers, queue: VecDeque::new(), journal, inherited_bytes, registrations: 0 }
    }

    /// Lets `viewer` type through `attachment`, and through no earlier attachment. Returns the
    /// offset at which its input continues, and the channel for acknowledgements.
    pub(super) fn register(
        &mut self,
        viewer: ViewerId,
        attachment: AttachmentId,
    ) -> (InputOffset, watch::Receiver<InputProgress>) {
        self.registrations += 1;
        let registered = self.registrations;
        let (taken, written, slot) = if let Some(before) = self.viewers.get(&viewer) {
            (before.taken, before.written, before.slot)
        } else {
            let slot = self.make_room(viewer).then(|| self.journal.allocate_slot(viewer)).flatten();
            (InputOffset::ZERO, InputOffset::ZERO, slot)
        };
        // The former attachment's channel closes, which tells it that it has been replaced.
        let (progress, receiver) = watch::channel(Ok(written));
        let attachment = Some(attachment);
        self.viewers.insert(viewer, ViewerInput { attachment, registered, taken, written, slot, progress });
        (taken, receiver)
    }

    /// Makes room for another viewer. Returns false if there is none. A guest may take the
    /// place of another guest, which is one of the same grant if that grant has too many
    /// viewers, but never an owner's.
    fn make_room(&mut self, newcomer: ViewerId) -> bool {
        let tag = GrantTag::of(newcomer);
        let of_grant = |viewer: &ViewerId| tag.is_some() && GrantTag::of(*viewer) == tag;
        if self.viewers.keys().filter(|viewer| of_grant(viewer)).count() >= MAX_REMEMBERED_PER_GRANT {
            return self.forget_oldest(of_grant);
        }
        self.viewers.len() < MAX_REMEMBERED_VIEWERS
            || self.forget_oldest(|viewer| GrantTag::of(*viewer).is_some())
            || tag.is_none() && self.forget_oldest(|_| true)
    }

    /// Forgets one of the viewers that `is_one` selects: of those that have left and have no input
    /// waiting, the one that attached longest ago. Returns false if there is none.
    fn forget_oldest(&mut self, is_one: impl Fn(&ViewerId) -> bool) -> bool {
        let gone = self.viewers.iter().filter(|(viewer, input)| is_one(viewer) && input.is_settled());
        let oldest = gone.min_by_key(|(_, input)| input.registered).map(|(&viewer, _)| viewer);
        let Some(forgotten) = oldest.and_then(|viewer| self.viewers.remove(&viewer)) else { return false };
        if let Some(slot) = forgotten.slot {
            self.journal.free_slot(slot);
        }
        true
    }

    /// Drops waiting input of viewers that have left, except for as much as [`MAX_ABSENT_BYTES`]
    /// allows. The viewers that attached first keep theirs.
    pub(super) fn drop_absent(&mut self) {
        let absent = self.viewers.iter().filter(|(_, input)| input.progress.is_closed());
        let mut absent: Vec<_> = absent
            .map(|(&viewer, input)| (viewer, input.registered, input.waiting()))
            .filter(|&(_, _, waiting)| waiting > 0)
            .collect();
        absent.sort_unstable_by_key(|&(_, registered, _)| registered);
        let mut kept = 0;
        for (viewer, _, waiting) in absent {
            let weight = waiting + ABSENT_VIEWER_BYTES;
            if kept + weight > MAX_ABSENT_BYTES {
                self.drop_waiting(viewer);
            } else {
                kept += weight;
            }
        }
    }

    /// Drops a viewer's waiting input, except for what is in the pipe: that is
    /// journalled as written.
    fn drop_waiting(&mut self, viewer: ViewerId) {
        let in_pipe = self.journal.bytes_in_pipe() - self.inherited_bytes.min(self.journal.bytes_in_pipe());
        let (mut left, mut is_first) = (0, true);
        self.queue.retain_mut(|(source, bytes)| {
            let is_first = mem::take(&mut is_first);
            if source.viewer() != Some(viewer) {
                return true;
            }
            bytes.truncate(if is_first { in_pipe } else { 0 });
            left += bytes.len();
            !bytes.is_empty()
        });
        if let Some(input) = self.viewers.get_mut(&viewer) {
            input.taken = input.written.advanced(left);
        }
    }

    /// Takes the new part of input that starts at `offset`. Input from an attachment that is not
    /// the viewer's latest one is dropped, since the latest one sends it again. Input that cannot
    /// be taken is reported as [`InputProgress`].
    pub(super) fn take(&mut self, viewer: ViewerId, attachment: AttachmentId, offset: u64, bytes: Bytes) {
        let Some(input) = self.viewers.get_mut(&viewer) else { return };
        if input.attachment != Some(attachment) {
            return;
        }
        match input.take(offset, bytes) {
            Ok(bytes) if bytes.is_empty() => {}
            Ok(bytes) => self.enqueue(viewer, &bytes),
            Err(error) => drop(input.progress.send_replace(Err(error))),
        }
    }

    fn enqueue(&mut self, viewer: ViewerId, bytes: &[u8]) {
        let is_theirs =
            |piece: &&mut (Source, BytesMut)| piece.0.viewer().is_some_and(|theirs| theirs == viewer);
        let looked_at = if self.queue.len() < MAX_ORDERED_PIECES { 1 } else { self.queue.len() };
        match self.queue.iter_mut().rev().take(looked_at).find(is_theirs) {
            Some((_, piece)) if piece.len() + bytes.len() <= MAX_PIECE_BYTES => {
                piece.extend_from_slice(bytes);
            }
            // The input is copied, since it may be part of a much larger message.
            _ => {
                let piece = BytesMut::from(bytes);
                self.queue.push_back((Source::Viewer(viewer), piece));
            }
        }
    }

    /// Queues the screen's answers to the program's queries before `output`. They are dropped if
    /// the program asks without reading the answers.
    pub(super) fn queue_answers(&mut self, answers: &[u8], output: OutputOffset) {
        let waiting: usize = self.answers().map(|(_, bytes)| bytes.len()).sum();
        if answers.is_empty() {
            if waiting == 0 {
                self.journal.record_answered(output);
            }
        } else if waiting < MAX_WAITING_ANSWER_BYTES {
            self.queue.push_back((Source::Screen(output), BytesMut::from(answers)));
        }
    }

    fn answers(&self) -> impl Iterator<Item = &(Source, BytesMut)> {
        self.queue.iter().filter(|(source, _)| source.answered().is_some())
    }

    /// Records for a later server whether the screen answers queries in output from `end` on.
    pub(super) fn record_answerer(&self, is_screen: bool, end: OutputOffset) {
        self.journal.record_answerer(is_screen, end);
    }

    /// Reports whether input waits to be written.
    pub(super) fn waits(&self) -> bool {
        self.journal.bytes_in_pipe() > 0 || !self.queue.is_empty()
    }

    /// Writes as much of the waiting input as `write` takes. `write` gets a pipe and the number
    /// of bytes in it, and returns how many of them it has written: 0 if the terminal takes no
    /// more at the moment.
    ///
    /// # Errors
    /// Those of `write`. Nobody will read the waiting input then, so it is dropped and
    /// counts as written.
    pub(super) fn write(
        &mut self,
        mut write: impl FnMut(BorrowedFd<'_>, usize) -> io::Result<usize>,
    ) -> io::Result<()> {
        while self.waits() {
            match self.write_step(&mut write) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => {
                    self.discard();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn write_step(
        &mut self,
        write: impl FnOnce(BorrowedFd<'_>, usize) -> io::Result<usize>,
    ) -> io::Result<bool> {
        if let (0, Some((source, bytes))) = (self.journal.bytes_in_pipe(), self.queue.front()) {
            let slot = source.viewer().and_then(|viewer| self.viewers.get(&viewer)?.slot);
            self.journal.put(slot, source.answered(), bytes)?;
        }
        let count = self.journal.drain_pipe(write)?;
        self.record_written(count);
        Ok(count > 0)
    }

    /// Records that the first `count` bytes have been written, and acknowledges them.
    fn record_written(&mut self, count: usize) {
        let inherited = count.min(self.inherited_bytes);
        self.inherited_bytes -= inherited;
        let count = count - inherited;
        let Some((source, bytes)) = self.queue.front_mut().filter(|_| count > 0) else { return };
        bytes.advance(count.min(bytes.len()));
        if let Some(input) = source.viewer().and_then(|viewer| self.viewers.get_mut(&viewer)) {
            input.written = input.written.advanced(count);
            input.progress.send_if_modified(|progress| {
                progress.as_mut().map(|written| *written = input.written).is_ok()
            });
        }
        if bytes.is_empty() {
            self.queue.pop_front();
        }
    }

    /// Drops the waiting input, which counts as written: nobody is left to read it.
    pub(super) fn discard(&mut self) {
        self.journal.discard();
        self.inherited_bytes = 0;
        while let Some(count) = self.queue.front().map(|(_, bytes)| bytes.len()) {
            self.record_written(count);
        }
        self.queue = VecDeque::new();
    }
}

impl ViewerInput {
    /// Returns how many bytes have been taken and not written.
    fn waiting(&self) -> usize {
        usize::try_from(self.taken.since(self.written)).unwrap_or(usize::MAX)
    }

    /// Reports whether the viewer has left and none of its input waits.
    fn is_settled(&self) -> bool {
        self.progress.is_closed() && self.waiting() == 0
    }

    /// Returns the part of the input that is new.
    fn take(&mut self, offset: u64, mut bytes: Bytes) -> Result<Bytes, InputError> {
        let known = self.taken.get().checked_sub(offset);
        let known = known.ok_or(InputError::Gap { offset, taken: self.taken })?;
        bytes.advance(usize::try_from(known).unwrap_or(usize::MAX).min(bytes.len()));
        let taken = self.taken.advanced(bytes.len());
        if taken.since(self.written) > MAX_INPUT_IN_FLIGHT_BYTES as u64 {
            return Err(InputError::Overflow);
        }
        self.taken = taken;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd as _, BorrowedFd};

    use limpet_output_log as output_log;
    use limpet_shared::Role;
    use limpet_sys::pipe;
    use nix::unistd::read;

    use super::{super::grant::GrantId, *};

    fn viewer() -> ViewerId {
        ViewerId::from_random([7; 16])
    }

    fn input() -> Input {
        let journal = InputJournal::open(
            output_log::open::<()>(output_log::create_memory(0).unwrap().as_fd()).unwrap().2,
            pipe::create().unwrap(),
        );
        Input::new(journal.unwrap())
    }

    fn attached() -> (Input, watch::Receiver<InputProgress>) {
        let mut input = input();
        let (_, progress) = input.register(viewer(), AttachmentId::new(1));
        (input, progress)
    }

    fn take(input: &mut Input, attachment: u64, offset: u64, bytes: &'static str) {
        input.take(viewer(), AttachmentId::new(attachment), offset, Bytes::from_static(bytes.as_bytes()));
    }

    fn drain(input: &mut Input) -> String {
        let mut all = Vec::new();
        let write = |pipe: BorrowedFd<'_>, _| {
            let mut byte = [0];
            read(pipe, &mut byte)?;
            all.extend(byte);
            Ok(1)
        };
        input.write(write).unwrap();
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn input_sent_twice_is_taken_once() {
        let (mut input, progress) = attached();
        take(&mut input, 1, 0, "abc");
        take(&mut input, 1, 1, "bcde");
        take(&mut input, 1, 0, "ab");
        assert_eq!(drain(&mut input), "abcde");
        assert_eq!(*progress.borrow(), Ok(InputOffset::new(5)));
    }

    #[test]
    fn a_gap_is_an_error_and_takes_nothing() {
        let (mut input, progress) = attached();
        take(&mut input, 1, 1, "b");
        assert_eq!(*progress.borrow(), Err(InputError::Gap { offset: 1, taken: InputOffset::ZERO }));
        assert!(!input.waits());
    }

    #[test]
    fn a_viewer_that_attaches_anew_goes_on_where_it_was() {
        let (mut input, old) = attached();
        take(&mut input, 1, 0, "abc");
        let (taken, new) = input.register(viewer(), AttachmentId::new(2));
        assert_eq!(taken, InputOffset::new(3));
        assert!(old.has_changed().is_err(), "the old attachment learns that it is replaced");
        take(&mut input, 1, 3, "old");
        take(&mut input, 2, 3, "new");
        assert_eq!(drain(&mut input), "abcnew");
        assert_eq!(*new.borrow(), Ok(InputOffset::new(6)));
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut input, progress) = attached();
        let take = |input: &mut Input, offset: usize, len: usize| {
            input.take(viewer(), AttachmentId::new(1), offset as u64, vec![b'x'; len].into());
        };
        take(&mut input, 0, MAX_INPUT_IN_FLIGHT_BYTES);
        assert!(progress.borrow().is_ok());
        take(&mut input, MAX_INPUT_IN_FLIGHT_BYTES, 1);
        assert_eq!(*progress.borrow(), Err(InputError::Overflow));
        input.discard();
        let (_, progress) = input.register(viewer(), AttachmentId::new(1));
        take(&mut input, MAX_INPUT_IN_FLIGHT_BYTES, 1);
        assert!(progress.borrow().is_ok());
    }

    #[test]
    fn viewers_that_left_are_forgotten_and_those_attached_are_not() {
        let (mut input, progress) = attached();
        for number in 0..2 * MAX_REMEMBERED_VIEWERS as u64 {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            input.register(ViewerId::from_random(bytes), AttachmentId::new(number));
        }
        assert_eq!(input.viewers.len(), MAX_REMEMBERED_VIEWERS);
        take(&mut input, 1, 0, "still here");
        assert_eq!(drain(&mut input), "still here");
        assert_eq!(*progress.borrow(), Ok(InputOffset::new(10)));
    }

    fn guest(number: u64) -> ViewerId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        GrantId::of(&"a".parse().unwrap(), Role::Writer).viewer(ViewerId::from_random(bytes))
    }

    #[test]
    fn guests_push_out_no_owner_however_many_ids_they_have() {
        let mut input = input();
        let owners: Vec<_> = (0..200_u8).map(|number| ViewerId::from_random([number; 16])).collect();
        for &owner in &owners {
            input.register(owner, AttachmentId::new(0));
        }
        let mut last = None;
        for number in 0..1000 {
            last = Some(input.register(guest(number), AttachmentId::new(number)));
        }
        assert!(owners.iter().all(|owner| input.viewers[owner].slot.is_some()));
        assert!(input.viewers.len() <= MAX_REMEMBERED_VIEWERS + 1, "{}", input.viewers.len());
        assert!(
            input.viewers.keys().filter(|id| GrantTag::of(**id).is_some()).count()
                <= MAX_REMEMBERED_PER_GRANT
        );
        drop(last);
        // Owners take the guests' places in turn.
        for number in 0..100_u8 {
            input.register(
                ViewerId::from_random([number, 255, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
                AttachmentId::new(1),
            );
        }
        assert!(owners[100..].iter().all(|owner| input.viewers.contains_key(owner)));
        assert_eq!(input.viewers.keys().filter(|id| GrantTag::of(**id).is_some()).count(), 0);
    }

    #[test]
    fn single_bytes_make_few_pieces_and_keep_their_order() {
        let mut input = input();
        let ids = [guest(1), guest(2), viewer()];
        let _progress = ids.map(|id| input.register(id, AttachmentId::new(1)));
        let mut expected = String::new();
        for at in 0..20_000 {
            for (&id, byte) in ids.iter().zip(["a", "b", "c"]) {
                input.take(id, AttachmentId::new(1), at, Bytes::from_static(byte.as_bytes()));
                if at < 50 {
                    expected += byte;
                }
            }
        }
        assert!(input.queue.len() < MAX_ORDERED_PIECES + 10, "{}", input.queue.len());
        let written = drain(&mut input);
        assert!(written.starts_with(&expected), "few are in the very order");
        assert_eq!(["a", "b", "c"].map(|byte| written.matches(byte).count()), [20_000; 3]);
    }

    #[test]
    fn what_the_absent_have_typed_is_kept_if_it_is_little() {
        let mut input = input();
        for number in 0..10 {
            let (_, progress) = input.register(guest(number), AttachmentId::new(number));
            input.take(
                guest(number),
                AttachmentId::new(number),
                0,
                vec![b'x'; MAX_INPUT_IN_FLIGHT_BYTES].into(),
            );
            assert!(progress.borrow().is_ok());
            drop(progress);
            input.drop_absent();
        }
        let (_, progress) = input.register(viewer(), AttachmentId::new(1));
        take(&mut input, 1, 0, "ls\n");
        drop(progress);
        input.drop_absent();
        assert_eq!(drain(&mut input), "ls\n", "a line that was typed before leaving is typed");
    }

    #[test]
    fn what_was_dropped_is_sent_again_and_nothing_comes_twice() {
        let mut input = input();
        let (_, progress) = input.register(viewer(), AttachmentId::new(1));
        let typed: Vec<u8> = (0..200_000_u32).flat_map(u32::to_be_bytes).collect();
        input.take(viewer(), AttachmentId::new(1), 0, typed[..700_000].to_vec().into());
        // The terminal takes some, and part of the next piece is in the pipe when
        // the viewer leaves.
        let (mut written, mut room) = (Vec::new(), 10_000);
        let mut write = |pipe: BorrowedFd<'_>, count: usize, written: &mut Vec<u8>| {
            let mut bytes = vec![0; count.min(room)];
            let count = if bytes.is_empty() { 0 } else { read(pipe, &mut bytes)? };
            written.extend_from_slice(&bytes[..count]);
            room -= count;
            Ok(count)
        };
        input.write(|pipe, count| write(pipe, count, &mut written)).unwrap();
        drop(progress);
        input.drop_absent();
        let (taken, _progress) = input.register(viewer(), AttachmentId::new(2));
        assert!((10_000..10_000 + 4096).contains(&taken.get()), "{taken}");
        let again = usize::try_from(taken.get()).unwrap();
        input.take(viewer(), AttachmentId::new(2), taken.get(), typed[again..].to_vec().into());
        input
            .write(|pipe, count| {
                let mut bytes = vec![0; count];
                let count = read(pipe, &mut bytes)?;
                written.extend_from_slice(&bytes[..count]);
                Ok(count)
            })
            .unwrap();
        assert!(written == typed, "{} of {}", written.len(), typed.len());
    }

    #[test]
    fn input_that_nobody_can_read_is_acknowledged() {
        let (mut input, progress) = attached();
        take(&mut input, 1, 0, "abc");
        input.discard();
        assert_eq!((input.waits(), *progress.borrow()), (false, Ok(InputOffset::new(3))));
    }

    #[test]
    fn another_server_goes_on_where_one_was_killed() {
        let (memory, pipe) = (output_log::create_memory(0).unwrap(), pipe::create().unwrap());
        let open = || {
            Input::new(
                InputJournal::open(
                    output_log::open::<()>(memory.as_fd()).unwrap().2,
                    pipe.try_clone().unwrap(),
                )
                .unwrap(),
            )
        };
        let mut input = open();
        input.register(viewer(), AttachmentId::new(1));
        take(&mut input, 1, 0, "typed");
        let mut two = 2;
        let write = |pipe: BorrowedFd<'_>, _| Ok(read(pipe, &mut vec![0; mem::take(&mut two)])?);
        input.write(write).unwrap();
        take(&mut input, 1, 5, " and never put into the pipe");
        drop(input);
        let mut input = open();
        let (taken, progress) = input.register(viewer(), AttachmentId::new(2));
        assert_eq!((taken, *progress.borrow()), (InputOffset::new(5), Ok(InputOffset::new(5))));
        take(&mut input, 2, 5, "!");
        assert_eq!(drain(&mut input), "ped!");
        assert_eq!(*progress.borrow(), Ok(InputOffset::new(6)));
    }
}
