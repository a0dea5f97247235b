//! The input journal: a record of every byte on its way to the pty that survives a
//! kill of the server.
//!
//! Input is put into a pipe that outlives the server, and moved from there to the pty. Each of
//! these is one system call: it has happened or it has not, but a killed server cannot note which.
//! So it notes in advance what it is about to do, and the next server counts what is in the pipe.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::atomic::Ordering::{Acquire, Release},
};

use limpet_output_log::{INPUT_WORDS, Words};
use limpet_shared::{InputOffset, OutputOffset, ViewerId};
use limpet_sys::pipe::pipe_len;
use nix::unistd::{read, write};

/// Maximum amount of data in the pipe, in bytes: every pipe takes this much at once
/// (`PIPE_BUF`, pipe(7)).
const MAX_PIPE_BYTES: usize = 4096;

/// Word that is 1 while input is put into the pipe. The following words then describe that input.
const IS_PUTTING: usize = 0;
/// Slot of the viewer whose input that is, counted from 1; 0 for input that is no viewer's.
const PUT_SLOT: usize = 1;
/// Offset of that viewer's input before this piece.
const OFFSET_BEFORE: usize = 2;

/// Number of slots that have ever been used. Those beyond are not read, since a
/// read allocates memory.
const SLOTS_USED: usize = 3;

/// Offset from which on the screen has yet to answer queries in the output, plus 1; 0 if a
/// viewer's terminal answers.
const UNANSWERED_FROM: usize = 4;
/// Value that [`UNANSWERED_FROM`] gets once the input is in the pipe.
const UNANSWERED_AFTER_PUT: usize = 5;

/// First word of the viewers' slots, and the words per slot: two for the viewer's id, one for its
/// offset, one that is 1 if the slot is in use.
const FIRST_SLOT_WORD: usize = 8;
const WORDS_PER_SLOT: usize = 4;

/// Number of slots, and so of viewers whose input is journalled.
pub(super) const MAX_JOURNALLED_VIEWERS: usize = 256;

const _: () = assert!(FIRST_SLOT_WORD + MAX_JOURNALLED_VIEWERS * WORDS_PER_SLOT <= INPUT_WORDS);

/// The pipe, and the journal of what was put into it.
#[derive(Debug)]
pub(in crate::session) struct InputJournal {
    pipe: OwnedFd,
    /// Bytes in the pipe.
    bytes_in_pipe: usize,
    words: Words,
}

/// A viewer's slot in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct JournalSlot(usize);

impl InputJournal {
    /// Opens the journal, and completes the record of what an earlier server did
    /// before it was killed.
    pub(in crate::session) fn open(words: Words, pipe: OwnedFd) -> io::Result<Self> {
        let journal = Self { words, bytes_in_pipe: pipe_len(pipe.as_fd())?, pipe };
        let slot = usize::try_from(journal.load(PUT_SLOT)).ok().and_then(|number| number.checked_sub(1));
        let slot = slot.filter(|&index| index < MAX_JOURNALLED_VIEWERS);
        if let (1, Some(index)) = (journal.load(IS_PUTTING), slot) {
            // The pipe was empty before.
            journal.set(JournalSlot(index), journal.load(OFFSET_BEFORE) + journal.bytes_in_pipe as u64);
        }
        journal.store(UNANSWERED_FROM, journal.recovered_unanswered_from());
        journal.store(IS_PUTTING, 0);
        Ok(journal)
    }

    /// Returns the offset from which on an earlier server has left queries unanswered.
    pub(in crate::session) fn unanswered_from(&self) -> Option<OutputOffset> {
        decode_offset(self.load(UNANSWERED_FROM))
    }

    /// Returns the word for that. The pipe was empty before the last input was put into it.
    fn recovered_unanswered_from(&self) -> u64 {
        let is_put = self.load(IS_PUTTING) == 1 && self.bytes_in_pipe > 0;
        self.load(if is_put { UNANSWERED_AFTER_PUT } else { UNANSWERED_FROM })
    }

    /// Records whether the screen answers queries in output from `end` on.
    pub(super) fn record_answerer(&self, is_screen: bool, end: OutputOffset) {
        match (is_screen, self.load(UNANSWERED_FROM)) {
            (true, 0) => self.store(UNANSWERED_FROM, encode_offset(end)),
            (false, 1..) => self.store(UNANSWERED_FROM, 0),
            _ => {}
        }
    }

    /// Records that all queries before `output` are answered.
    pub(super) fn record_answered(&self, output: OutputOffset) {
        self.store(UNANSWERED_FROM, self.unanswered_after(output));
    }

    fn unanswered_after(&self, output: OutputOffset) -> u64 {
        match self.load(UNANSWERED_FROM) {
            0 => 0,
            unanswered => unanswered.max(encode_offset(output)),
        }
    }

    fn load(&self, word: usize) -> u64 {
        self.words.get(word).load(Acquire)
    }

    fn store(&self, word: usize, value: u64) {
        self.words.get(word).store(value, Release);
    }

    fn get(&self, JournalSlot(index): JournalSlot) -> u64 {
        self.load(FIRST_SLOT_WORD + index * WORDS_PER_SLOT + 2)
    }

    fn set(&self, JournalSlot(index): JournalSlot, offset: u64) {
        self.store(FIRST_SLOT_WORD + index * WORDS_PER_SLOT + 2, offset);
    }

    fn slots_used(&self) -> usize {
        usize::try_from(self.load(SLOTS_USED)).unwrap_or(MAX_JOURNALLED_VIEWERS).min(MAX_JOURNALLED_VIEWERS)
    }

    /// Returns the viewers with a slot, and how much of their input was put into the pipe.
    pub(super) fn viewers(&self) -> Vec<(ViewerId, JournalSlot, InputOffset)> {
        let viewer = |index: usize| {
            let [high, low, offset, is_used] =
                std::array::from_fn(|word| self.load(FIRST_SLOT_WORD + index * WORDS_PER_SLOT + word));
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&high.to_be_bytes());
            bytes[8..].copy_from_slice(&low.to_be_bytes());
            (is_used == 1)
                .then(|| (ViewerId::from_bytes(bytes), JournalSlot(index), InputOffset::new(offset)))
        };
        (0..self.slots_used()).filter_map(viewer).collect()
    }

    /// Allocates a slot for a viewer whose input begins at 0; `None` if all are in use.
    pub(super) fn allocate_slot(&self, viewer: ViewerId) -> Option<JournalSlot> {
        let used = self.slots_used();
        let free = (0..used).find(|index| self.load(FIRST_SLOT_WORD + index * WORDS_PER_SLOT + 3) == 0);
        let index = free.or_else(|| (used < MAX_JOURNALLED_VIEWERS).then_some(used))?;
        let (high, low) = viewer.as_bytes().split_at(8);
        let first = FIRST_SLOT_WORD + index * WORDS_PER_SLOT;
        for (word, half) in [(first, high), (first + 1, low)] {
            self.store(word, u64::from_be_bytes(half.try_into().unwrap_or_default()));
        }
        self.store(first + 2, 0);
        self.store(first + 3, 1);
        self.store(SLOTS_USED, used.max(index + 1) as u64);
        Some(JournalSlot(index))
    }

    /// Frees the slot of a viewer that will not come back.
    pub(super) fn free_slot(&self, JournalSlot(index): JournalSlot) {
        self.store(FIRST_SLOT_WORD + index * WORDS_PER_SLOT + 3, 0);
    }

    /// Returns the number of bytes in the pipe.
    pub(super) fn bytes_in_pipe(&self) -> usize {
        self.bytes_in_pipe
    }

    /// Puts the beginning of `input` into the pipe, which must be empty. If `answered` is given,
    /// the input answers all queries before it.
    pub(super) fn put(
        &mut self,
        slot: Option<JournalSlot>,
        answered: Option<OutputOffset>,
        input: &[u8],
    ) -> io::Result<()> {
        debug_assert_eq!(self.bytes_in_pipe, 0, "what is in the pipe is one viewer's");
        let before = slot.map_or(0, |slot| self.get(slot));
        self.store(PUT_SLOT, slot.map_or(0, |JournalSlot(index)| index as u64 + 1));
        self.store(OFFSET_BEFORE, before);
        let unanswered =
            answered.map_or_else(|| self.load(UNANSWERED_FROM), |output| self.unanswered_after(output));
        self.store(UNANSWERED_AFTER_PUT, unanswered);
        self.store(IS_PUTTING, 1);
        self.bytes_in_pipe = write(&self.pipe, &input[..input.len().min(MAX_PIPE_BYTES)])?;
        if let Some(slot) = slot {
            self.set(slot, before + self.bytes_in_pipe as u64);
        }
        self.store(UNANSWERED_FROM, self.load(UNANSWERED_AFTER_PUT));
        self.store(IS_PUTTING, 0);
        Ok(())
    }

    /// Lets `take` read at most the given number of bytes from the pipe. It returns
    /// how many it has read.
    pub(super) fn drain_pipe(
        &mut self,
        take: impl FnOnce(BorrowedFd<'_>, usize) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let taken = take(self.pipe.as_fd(), self.bytes_in_pipe)?;
        self.bytes_in_pipe -= taken.min(self.bytes_in_pipe);
        Ok(taken)
    }

    /// Drops what is in the pipe.
    pub(super) fn discard(&mut self) {
        let read = self.drain_pipe(|pipe, count| Ok(read(pipe, &mut vec![0; count])?));
        if let Err(error) = read {
            tracing::warn!(%error, "could not drop waiting input");
            self.bytes_in_pipe = 0;
        }
    }
}

/// Encodes an offset as a word other than 0.
fn encode_offset(offset: OutputOffset) -> u64 {
    offset.get() + 1
}

fn decode_offset(word: u64) -> Option<OutputOffset> {
    word.checked_sub(1).map(OutputOffset::new)
}

#[cfg(test)]
mod tests {
    use limpet_output_log as output_log;
    use limpet_sys::pipe;

    use super::*;

    fn words(memory: &OwnedFd) -> Words {
        output_log::open::<()>(memory.as_fd()).unwrap().2
    }

    fn viewer(number: u8) -> ViewerId {
        ViewerId::from_bytes([number; 16])
    }

    /// Returns a log's memory, and a pipe whose two ends are one descriptor.
    fn parts() -> (OwnedFd, OwnedFd) {
        (output_log::create_memory(0).unwrap(), pipe::create().unwrap())
    }

    fn take(journal: &mut InputJournal, most: usize) -> String {
        let mut bytes = vec![0; most];
        let count =
            journal.drain_pipe(|pipe, waiting| Ok(read(pipe, &mut bytes[..waiting.min(most)])?)).unwrap();
        String::from_utf8(bytes[..count].to_vec()).unwrap()
    }

    #[test]
    fn what_was_put_is_taken_and_accounted_for() {
        let (memory, pipe) = parts();
        let mut journal = InputJournal::open(words(&memory), pipe).unwrap();
        let slot = journal.allocate_slot(viewer(7)).unwrap();
        journal.put(Some(slot), None, b"hello").unwrap();
        assert_eq!((take(&mut journal, 3).as_str(), journal.bytes_in_pipe()), ("hel", 2));
        assert_eq!(journal.viewers(), [(viewer(7), slot, InputOffset::new(5))]);
        journal.discard();
        assert_eq!(journal.bytes_in_pipe(), 0);
        journal.free_slot(slot);
        assert_eq!(journal.viewers(), []);
    }

    #[test]
    fn a_kill_at_any_moment_is_made_good() {
        // The cases: nothing was done, input was put into the pipe, and the offset
        // was noted as well.
        for (put, accounted) in [(false, false), (true, false), (true, true)] {
            let (memory, pipe) = parts();
            let mut journal = InputJournal::open(words(&memory), pipe.try_clone().unwrap()).unwrap();
            let slot = journal.allocate_slot(viewer(1)).unwrap();
            journal.put(Some(slot), None, b"before").unwrap();
            assert_eq!(take(&mut journal, 6), "before");
            journal.store(PUT_SLOT, 1);
            journal.store(OFFSET_BEFORE, 6);
            journal.store(IS_PUTTING, 1);
            if put {
                write(&journal.pipe, b"more").unwrap();
            }
            if accounted {
                journal.set(slot, 10);
            }
            drop(journal);
            let mut journal = InputJournal::open(words(&memory), pipe).unwrap();
            let expected = if put { 10 } else { 6 };
            assert_eq!(
                journal.viewers(),
                [(viewer(1), slot, InputOffset::new(expected))],
                "{put} {accounted}"
            );
            assert_eq!(take(&mut journal, 100), if put { "more" } else { "" });
        }
    }

    #[test]
    fn an_answer_is_owed_until_it_is_put() {
        let at = OutputOffset::new;
        // The cases: nothing was done, the answer was put into the pipe, and that
        // was noted as well.
        for (put, noted) in [(false, false), (true, false), (true, true)] {
            let (memory, pipe) = parts();
            let mut journal = InputJournal::open(words(&memory), pipe.try_clone().unwrap()).unwrap();
            assert_eq!(journal.unanswered_from(), None, "nobody has said that they are the screen's");
            journal.record_answered(at(5));
            assert_eq!(journal.unanswered_from(), None);
            journal.record_answerer(true, at(10));
            journal.record_answerer(true, at(20));
            journal.record_answered(at(5));
            assert_eq!(journal.unanswered_from(), Some(at(10)));
            if noted {
                journal.put(None, Some(at(30)), b"answer").unwrap();
            } else {
                journal.store(PUT_SLOT, 0);
                journal.store(UNANSWERED_AFTER_PUT, journal.unanswered_after(at(30)));
                journal.store(IS_PUTTING, 1);
                if put {
                    write(&journal.pipe, b"answer").unwrap();
                }
            }
            let expected = Some(at(if put { 30 } else { 10 }));
            let journal = InputJournal::open(words(&memory), pipe.try_clone().unwrap()).unwrap();
            assert_eq!(journal.unanswered_from(), expected, "{put} {noted}");
            journal.record_answerer(false, at(40));
            assert_eq!(journal.unanswered_from(), None, "a viewer's terminal answers");
        }
    }

    #[test]
    fn there_is_an_end_to_accounts() {
        let (memory, pipe) = parts();
        let journal = InputJournal::open(words(&memory), pipe).unwrap();
        let mut last = None;
        for _ in 0..MAX_JOURNALLED_VIEWERS {
            last = journal.allocate_slot(viewer(3));
        }
        assert!(last.is_some());
        assert_eq!(journal.allocate_slot(viewer(3)), None);
    }
}
