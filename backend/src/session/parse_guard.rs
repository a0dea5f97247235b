//! Records which output a session's screen is about to parse, in memory that outlives the server.
//!
//! A server that is killed or crashes while parsing leaves that record. The next one parses the
//! same output again, and may come to the same end. When two servers in a row have died in one
//! piece of output, the screen is given up: no server parses its output any more. Viewers continue
//! to get all output as it is.

use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering::{Acquire, Release},
    time::Duration,
};

use limpet_keeper::KeeperClient;
use limpet_shared::OutputOffset;
use limpet_sys::clock::uptime;

use super::flow::Log;

/// Number of servers that may die in one piece of output before the screen is given up.
const MAX_DEATHS: u64 = 2;

/// Word with the offset where the output that is being parsed begins, plus 1; 0 if none is.
const PARSED_FROM: usize = 0;
/// Word with the offset where that output ends.
const PARSED_TO: usize = 1;
/// Word with the [`uptime`] since when it is being parsed, in milliseconds.
const PARSED_SINCE: usize = 2;

/// Word with the offset where a piece of output begins in which servers have died.
const DEADLY_FROM: usize = 3;
/// Word with the offset where it ends and, in the lowest bits, the number of servers in a row
/// that have died in it.
const DEADLY_TO: usize = 4;
const DEATH_BITS: u32 = 2;
const _: () = assert!(MAX_DEATHS < 1 << DEATH_BITS);

/// The rules for parsing that the keeper has given to this server.
#[derive(Clone, Copy, Debug)]
pub(super) struct ParsePolicy {
    /// Set if this server draws screens.
    pub(super) draws_screens: bool,
    /// The last server may have died of output that it began to parse before this [`uptime`].
    pub(super) suspect_before: Duration,
}

impl ParsePolicy {
    /// For a display that parses nothing and stands in for another one.
    pub(super) const PLACEHOLDER: Self = Self { draws_screens: true, suspect_before: Duration::ZERO };

    /// Returns the policy that the keeper has set.
    pub(super) fn of(keeper: &KeeperClient) -> Self {
        Self { draws_screens: keeper.draws_screens(), suspect_before: keeper.suspect_before() }
    }
}

/// The reason why a screen is blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlankReason {
    /// Its output has killed servers.
    GivenUp,
    /// This server draws no screens at all.
    ServerWide,
}

impl BlankReason {
    /// Returns output for a notice that the screen shows instead.
    pub(super) fn notice(self) -> &'static str {
        match self {
            Self::GivenUp => {
                "limpet no longer draws this terminal, because its output crashed the server twice. Live \
                 output continues. Restart the terminal to draw it again.\r\n"
            }
            Self::ServerWide => {
                "limpet draws no terminals at the moment, because its server kept crashing. Live output \
                 continues. `limpet upgrade` draws them again.\r\n"
            }
        }
    }
}

/// Guards the parsing of one session's output.
#[derive(Debug)]
pub(super) struct ParseGuard {
    log: Log,
    is_server_wide: bool,
}

impl ParseGuard {
    /// Creates a guard, and evaluates what an earlier server has left in the log's memory.
    pub(super) fn new(log: Log, policy: ParsePolicy) -> Self {
        let guard = Self { log, is_server_wide: !policy.draws_screens };
        if let Some(from) = guard.load(PARSED_FROM).checked_sub(1) {
            if Duration::from_millis(guard.load(PARSED_SINCE)) < policy.suspect_before {
                guard.note_death(from..guard.load(PARSED_TO));
            }
            guard.store(PARSED_FROM, 0);
        }
        guard
    }

    /// Records that a server has died while it parsed this output.
    fn note_death(&self, parsed: Range<u64>) {
        if self.deaths() >= MAX_DEATHS {
            return;
        }
        let deadly = self.deadly();
        // The next server may cut output at other offsets. The deadly part is in both pieces.
        let common = parsed.start.max(deadly.start)..parsed.end.min(deadly.end);
        let is_same = self.deaths() > 0 && !common.is_empty();
        let (deaths, deadly) = if is_same { (self.deaths() + 1, common) } else { (1, parsed) };
        self.store(DEADLY_FROM, deadly.start);
        self.set_deadly(deadly.end, deaths);
    }

    /// Returns the reason why nothing is parsed any more, if so.
    pub(super) fn blank(&self) -> Option<BlankReason> {
        if self.deaths() >= MAX_DEATHS {
            Some(BlankReason::GivenUp)
        } else {
            self.is_server_wide.then_some(BlankReason::ServerWide)
        }
    }

    /// Runs `parse`, which parses `len` bytes of the log's output from `start` on. If it panics,
    /// the screen can no longer be used, and [`blank`](Self::blank) says so.
    pub(super) fn run(&self, start: OutputOffset, len: usize, parse: impl FnOnce()) {
        let end = start.advanced(len.max(1)).get();
        if self.attempt(start, len, parse) && self.deaths() > 0 && end >= self.deadly().end {
            // The output was not deadly after all.
            self.set_deadly(0, 0);
        }
    }

    /// Does the same for a `parse` that leaves out some of the output, and so proves nothing about
    /// it. Returns false if it has panicked.
    pub(super) fn attempt(&self, start: OutputOffset, len: usize, parse: impl FnOnce()) -> bool {
        let parsed = start.get()..start.advanced(len.max(1)).get();
        self.store(PARSED_TO, parsed.end);
        self.store(PARSED_SINCE, u64::try_from(uptime().as_millis()).unwrap_or(u64::MAX));
        self.store(PARSED_FROM, parsed.start + 1);
        let outcome = catch_unwind(AssertUnwindSafe(parse));
        self.store(PARSED_FROM, 0);
        if outcome.is_err() {
            tracing::error!(
                start = start.get(),
                len,
                "the screen's parser panicked; the screen is no longer drawn"
            );
            self.set_deadly(parsed.end, MAX_DEATHS);
        }
        outcome.is_ok()
    }

    fn deaths(&self) -> u64 {
        self.load(DEADLY_TO) & ((1 << DEATH_BITS) - 1)
    }

    fn set_deadly(&self, end: u64, deaths: u64) {
        self.store(DEADLY_TO, end << DEATH_BITS | deaths);
    }

    fn deadly(&self) -> Range<u64> {
        self.load(DEADLY_FROM)..self.load(DEADLY_TO) >> DEATH_BITS
    }

    fn load(&self, word: usize) -> u64 {
        self.log.screen_words().get(word).load(Acquire)
    }

    fn store(&self, word: usize, value: u64) {
        self.log.screen_words().get(word).store(value, Release);
    }
}

/// Crashes or hangs at output that says so, in a process that a test has started.
#[cfg(debug_assertions)]
pub(super) fn crash_if_told(output: &[u8]) {
    let says = |words: &[u8]| output.windows(words.len()).any(|window| window == words);
    if std::env::var_os("LIMPET_TEST_CRASH").is_none() {
        return;
    }
    if says(b"abort the parser") {
        std::process::abort();
    }
    if says(b"panic in the parser") {
        std::panic::resume_unwind(Box::new("a test"));
    }
    while says(b"hang the parser") {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, OwnedFd};

    use limpet_output_log as output_log;

    use super::*;

    /// The policy of a server whose predecessor has crashed.
    const AFTER_CRASH: ParsePolicy = ParsePolicy { draws_screens: true, suspect_before: Duration::MAX };

    fn guard_with(memory: &OwnedFd, policy: ParsePolicy) -> ParseGuard {
        ParseGuard::new(output_log::open(memory.as_fd()).unwrap().1, policy)
    }

    fn guard(memory: &OwnedFd) -> ParseGuard {
        guard_with(memory, AFTER_CRASH)
    }

    fn parse(guard: &ParseGuard, from: u64, to: u64) {
        guard.run(OutputOffset::new(from), usize::try_from(to - from).unwrap(), || {});
    }

    /// Leaves the record of a server that dies while it parses this output.
    fn die(guard: &ParseGuard, from: u64, to: u64) {
        guard.store(PARSED_TO, to);
        guard.store(PARSED_SINCE, 1000);
        guard.store(PARSED_FROM, from + 1);
    }

    #[test]
    fn a_screen_is_given_up_when_two_servers_have_died_in_the_same_output() {
        let memory = output_log::create_memory(0).unwrap();
        let first = guard(&memory);
        parse(&first, 0, 100);
        die(&first, 100, 200);
        let second = guard(&memory);
        assert_eq!(second.blank(), None);
        // The second server cuts the output at other offsets.
        parse(&second, 0, 150);
        die(&second, 150, 300);
        for _ in 0..3 {
            assert_eq!(guard(&memory).blank(), Some(BlankReason::GivenUp), "and stays so");
        }
    }

    #[test]
    fn deaths_elsewhere_do_not_count() {
        let memory = output_log::create_memory(0).unwrap();
        for round in 0..10 {
            let next = guard(&memory);
            assert_eq!(next.blank(), None);
            parse(&next, 0, round * 10 + 1);
            die(&next, round * 10 + 1, round * 10 + 11);
        }
        // A server that parses what another one died in shows that the output was not to blame.
        let next = guard(&memory);
        parse(&next, 0, 1000);
        die(&next, 1000, 1010);
        let next = guard(&memory);
        parse(&next, 1000, 1010);
        die(&next, 1000, 1010);
        assert_eq!(guard(&memory).blank(), None);
        // Neither does a death while nothing is parsed.
        for _ in 0..3 {
            assert_eq!(guard(&memory).blank(), None);
        }
    }

    #[test]
    fn whoever_was_killed_as_soon_as_it_began_did_not_die_of_it() {
        let memory = output_log::create_memory(0).unwrap();
        for (suspect_before, blank) in [(1000, None), (1001, Some(BlankReason::GivenUp))] {
            let policy = ParsePolicy { suspect_before: Duration::from_millis(suspect_before), ..AFTER_CRASH };
            for _ in 0..2 {
                die(&guard_with(&memory, policy), 5, 10);
            }
            assert_eq!(guard_with(&memory, policy).blank(), blank);
        }
    }

    #[test]
    fn a_panic_gives_a_screen_up_at_once() {
        let memory = output_log::create_memory(0).unwrap();
        let guard = guard(&memory);
        guard.run(OutputOffset::ZERO, 1, || std::panic::resume_unwind(Box::new("of the parser")));
        assert_eq!(guard.blank(), Some(BlankReason::GivenUp));
    }

    #[test]
    fn a_server_can_do_without_any_screens() {
        let memory = output_log::create_memory(0).unwrap();
        let policy = ParsePolicy { draws_screens: false, ..AFTER_CRASH };
        assert_eq!(guard_with(&memory, policy).blank(), Some(BlankReason::ServerWide));
        assert_eq!(guard(&memory).blank(), None, "the next one draws it again");
    }
}
