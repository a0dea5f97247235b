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

use limpet_shared::{InputOffset, OutputOffset, ViewerId};
use nix::unistd::{read, write};

use crate::{log::memory::Words, pty::sys::waiting_in};

/// Maximum amount of data in the pipe, in bytes: every pipe takes this much at once
/// (`PIPE_BUF`, pipe(7)).
const MOST: usize = 4096;

/// Word that is 1 while input is put into the pipe. The following words then describe that input.
const ACTING: usize = 0;
/// Slot of the viewer whose input that is, counted from 1; 0 for input that is no viewer's.
const WHOSE: usize = 1;
/// Offset of that viewer's input before this piece.
const BEFORE: usize = 2;

/// Number of slots that have ever been used. Those beyond are not read, since a
/// read allocates memory.
const TAKEN: usize = 3;

/// Offset from which on the screen has yet to answer queries in the output, plus 1; 0 if a
/// viewer's terminal answers.
const OWED: usize = 4;
/// Value that [`OWED`] gets once the input is in the pipe.
const THEN: usize = 5;

/// First word of the viewers' slots, and the words per slot: two for the viewer's id, one for its
/// offset, one that is 1 if the slot is in use.
const PLACES: usize = 8;
const PLACE: usize = 4;

/// Number of slots, and so of viewers whose input is journalled.
pub(super) const VIEWERS: usize = 256;

const _: () = assert!(PLACES + VIEWERS * PLACE <= crate::log::memory::INPUT_WORDS);

/// The pipe, and the journal of what was put into it.
#[derive(Debug)]
pub(super) struct Inlet {
    pipe: OwnedFd,
    /// Bytes in the pipe.
    waiting: usize,
    words: Words,
}

/// A viewer's slot in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Account(usize);

impl Inlet {
    /// Opens the journal, and completes the record of what an earlier server did
    /// before it was killed.
    pub(super) fn open(words: Words, pipe: OwnedFd) -> io::Result<Self> {
        let inlet = Self { words, waiting: waiting_in(pipe.as_fd())?, pipe };
        let whose = usize::try_from(inlet.load(WHOSE)).ok().and_then(|place| place.checked_sub(1));
        if let (1, Some(place)) = (inlet.load(ACTING), whose.filter(|&place| place < VIEWERS)) {
            // The pipe was empty before.
            inlet.set(Account(place), inlet.load(BEFORE) + inlet.waiting as u64);
        }
        inlet.store(OWED, inlet.left_owed());
        inlet.store(ACTING, 0);
        Ok(inlet)
    }

    /// Returns the offset from which on an earlier server has left queries unanswered.
    pub(super) fn owed(&self) -> Option<OutputOffset> {
        offset(self.load(OWED))
    }

    /// Returns the word for that. The pipe was empty before the last input was put into it.
    fn left_owed(&self) -> u64 {
        let is_put = self.load(ACTING) == 1 && self.waiting > 0;
        self.load(if is_put { THEN } else { OWED })
    }

    /// Records whether the screen answers queries in output from `end` on.
    pub(super) fn note_asker(&self, is_screen: bool, end: OutputOffset) {
        match (is_screen, self.load(OWED)) {
            (true, 0) => self.store(OWED, word(end)),
            (false, 1..) => self.store(OWED, 0),
            _ => {}
        }
    }

    /// Records that all queries before `output` are answered.
    pub(super) fn note_answered(&self, output: OutputOffset) {
        self.store(OWED, self.once_answered(output));
    }

    fn once_answered(&self, output: OutputOffset) -> u64 {
        match self.load(OWED) {
            0 => 0,
            owed => owed.max(word(output)),
        }
    }

    fn load(&self, word: usize) -> u64 {
        self.words.get(word).load(Acquire)
    }

    fn store(&self, word: usize, value: u64) {
        self.words.get(word).store(value, Release);
    }

    fn get(&self, Account(place): Account) -> u64 {
        self.load(PLACES + place * PLACE + 2)
    }

    fn set(&self, Account(place): Account, offset: u64) {
        self.store(PLACES + place * PLACE + 2, offset);
    }

    fn taken(&self) -> usize {
        usize::try_from(self.load(TAKEN)).unwrap_or(VIEWERS).min(VIEWERS)
    }

    /// Returns the viewers with a slot, and how much of their input was put into the pipe.
    pub(super) fn viewers(&self) -> Vec<(ViewerId, Account, InputOffset)> {
        let viewer = |place: usize| {
            let [high, low, offset, taken] =
                std::array::from_fn(|word| self.load(PLACES + place * PLACE + word));
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&high.to_be_bytes());
            bytes[8..].copy_from_slice(&low.to_be_bytes());
            (taken == 1).then(|| (ViewerId::from_bytes(bytes), Account(place), InputOffset::new(offset)))
        };
        (0..self.taken()).filter_map(viewer).collect()
    }

    /// Allocates a slot for a viewer whose input begins at 0; `None` if all are in use.
    pub(super) fn open_account(&self, viewer: ViewerId) -> Option<Account> {
        let taken = self.taken();
        let free = (0..taken).find(|place| self.load(PLACES + place * PLACE + 3) == 0);
        let place = free.or_else(|| (taken < VIEWERS).then_some(taken))?;
        let (high, low) = viewer.as_bytes().split_at(8);
        let first = PLACES + place * PLACE;
        for (word, half) in [(first, high), (first + 1, low)] {
            self.store(word, u64::from_be_bytes(half.try_into().unwrap_or_default()));
        }
        self.store(first + 2, 0);
        self.store(first + 3, 1);
        self.store(TAKEN, taken.max(place + 1) as u64);
        Some(Account(place))
    }

    /// Frees the slot of a viewer that will not come back.
    pub(super) fn close_account(&self, Account(place): Account) {
        self.store(PLACES + place * PLACE + 3, 0);
    }

    /// Returns the number of bytes in the pipe.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Puts the beginning of `input` into the pipe, which must be empty. If `answered` is given,
    /// the input answers all queries before it.
    pub(super) fn put(
        &mut self,
        whose: Option<Account>,
        answered: Option<OutputOffset>,
        input: &[u8],
    ) -> io::Result<()> {
        debug_assert_eq!(self.waiting, 0, "what is in the pipe is one viewer's");
        let before = whose.map_or(0, |account| self.get(account));
        self.store(WHOSE, whose.map_or(0, |Account(place)| place as u64 + 1));
        self.store(BEFORE, before);
        self.store(THEN, answered.map_or_else(|| self.load(OWED), |output| self.once_answered(output)));
        self.store(ACTING, 1);
        self.waiting = write(&self.pipe, &input[..input.len().min(MOST)])?;
        if let Some(account) = whose {
            self.set(account, before + self.waiting as u64);
        }
        self.store(OWED, self.load(THEN));
        self.store(ACTING, 0);
        Ok(())
    }

    /// Lets `take` read at most the given number of bytes from the pipe. It returns
    /// how many it has read.
    pub(super) fn flow(
        &mut self,
        take: impl FnOnce(BorrowedFd<'_>, usize) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let taken = take(self.pipe.as_fd(), self.waiting)?;
        self.waiting -= taken.min(self.waiting);
        Ok(taken)
    }

    /// Drops what is in the pipe.
    pub(super) fn discard(&mut self) {
        let read = self.flow(|pipe, count| Ok(read(pipe, &mut vec![0; count])?));
        if let Err(error) = read {
            tracing::warn!(%error, "could not drop what was typed");
            self.waiting = 0;
        }
    }
}

/// Encodes an offset as a word other than 0.
fn word(offset: OutputOffset) -> u64 {
    offset.get() + 1
}

fn offset(word: u64) -> Option<OutputOffset> {
    word.checked_sub(1).map(OutputOffset::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log;

    fn words(memory: &OwnedFd) -> Words {
        log::log(memory.as_fd()).unwrap().2
    }

    fn viewer(number: u8) -> ViewerId {
        ViewerId::from_bytes([number; 16])
    }

    /// Returns a log's memory, and a pipe whose two ends are one descriptor.
    fn parts() -> (OwnedFd, OwnedFd) {
        (log::memory(0).unwrap(), crate::keeper::pipe().unwrap())
    }

    fn take(inlet: &mut Inlet, most: usize) -> String {
        let mut bytes = vec![0; most];
        let count = inlet.flow(|pipe, waiting| Ok(read(pipe, &mut bytes[..waiting.min(most)])?)).unwrap();
        String::from_utf8(bytes[..count].to_vec()).unwrap()
    }

    #[test]
    fn what_was_put_is_taken_and_accounted_for() {
        let (memory, pipe) = parts();
        let mut inlet = Inlet::open(words(&memory), pipe).unwrap();
        let account = inlet.open_account(viewer(7)).unwrap();
        inlet.put(Some(account), None, b"hello").unwrap();
        assert_eq!((take(&mut inlet, 3).as_str(), inlet.waiting()), ("hel", 2));
        assert_eq!(inlet.viewers(), [(viewer(7), account, InputOffset::new(5))]);
        inlet.discard();
        assert_eq!(inlet.waiting(), 0);
        inlet.close_account(account);
        assert_eq!(inlet.viewers(), []);
    }

    #[test]
    fn a_kill_at_any_moment_is_made_good() {
        // The cases: nothing was done, input was put into the pipe, and the offset
        // was noted as well.
        for (put, accounted) in [(false, false), (true, false), (true, true)] {
            let (memory, pipe) = parts();
            let mut inlet = Inlet::open(words(&memory), pipe.try_clone().unwrap()).unwrap();
            let account = inlet.open_account(viewer(1)).unwrap();
            inlet.put(Some(account), None, b"before").unwrap();
            assert_eq!(take(&mut inlet, 6), "before");
            inlet.store(WHOSE, 1);
            inlet.store(BEFORE, 6);
            inlet.store(ACTING, 1);
            if put {
                write(&inlet.pipe, b"more").unwrap();
            }
            if accounted {
                inlet.set(account, 10);
            }
            drop(inlet);
            let mut inlet = Inlet::open(words(&memory), pipe).unwrap();
            let expected = if put { 10 } else { 6 };
            assert_eq!(
                inlet.viewers(),
                [(viewer(1), account, InputOffset::new(expected))],
                "{put} {accounted}"
            );
            assert_eq!(take(&mut inlet, 100), if put { "more" } else { "" });
        }
    }

    #[test]
    fn an_answer_is_owed_until_it_is_put() {
        let at = OutputOffset::new;
        // The cases: nothing was done, the answer was put into the pipe, and that
        // was noted as well.
        for (put, noted) in [(false, false), (true, false), (true, true)] {
            let (memory, pipe) = parts();
            let mut inlet = Inlet::open(words(&memory), pipe.try_clone().unwrap()).unwrap();
            assert_eq!(inlet.owed(), None, "nobody has said that they are the screen's");
            inlet.note_answered(at(5));
            assert_eq!(inlet.owed(), None);
            inlet.note_asker(true, at(10));
            inlet.note_asker(true, at(20));
            inlet.note_answered(at(5));
            assert_eq!(inlet.owed(), Some(at(10)));
            if noted {
                inlet.put(None, Some(at(30)), b"answer").unwrap();
            } else {
                inlet.store(WHOSE, 0);
                inlet.store(THEN, inlet.once_answered(at(30)));
                inlet.store(ACTING, 1);
                if put {
                    write(&inlet.pipe, b"answer").unwrap();
                }
            }
            let expected = Some(at(if put { 30 } else { 10 }));
            let inlet = Inlet::open(words(&memory), pipe.try_clone().unwrap()).unwrap();
            assert_eq!(inlet.owed(), expected, "{put} {noted}");
            inlet.note_asker(false, at(40));
            assert_eq!(inlet.owed(), None, "a viewer's terminal answers");
        }
    }

    #[test]
    fn there_is_an_end_to_accounts() {
        let (memory, pipe) = parts();
        let inlet = Inlet::open(words(&memory), pipe).unwrap();
        let mut last = None;
        for _ in 0..VIEWERS {
            last = inlet.open_account(viewer(3));
        }
        assert!(last.is_some());
        assert_eq!(inlet.open_account(viewer(3)), None);
    }
}
