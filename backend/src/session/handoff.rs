//! The session's hand-off: everything that the keeper is given so that another
//! server can continue it.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek},
    os::fd::OwnedFd,
    time::Duration,
};

use limpet_keeper::{KeeperClient, ProgramSpec};
use limpet_output_log::{Position, SizeAt, Sizes};
use limpet_pty::Program;
use limpet_shared::{Epoch, Flow, OutputOffset, SessionId, Sizing, ViewerId, Winsize, theme::Colours};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{SessionHandle, Status, display::Display, flow::Log, parse_guard::ParsePolicy};
use crate::token_bucket::TokenBucket;

/// Number of size changes after which a new checkpoint is made. The next server has to
/// repeat all changes since the checkpoint in order to wrap rows in the same way; the log
/// remembers twice as many.
const RESIZES_BEFORE_CHECKPOINT: u64 = 64;

/// Number of times per second that the keeper is told of changes that viewers can repeat, such as a
/// new primary viewer, in the long run.
const MAX_RECORDS_PER_SECOND: u64 = 10;

/// Number of times at once that the keeper is told of such changes.
const MAX_RECORDS_AT_ONCE: u64 = 20;

/// Time after a failure in which nothing is handed to the keeper.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The hand-off record of a session, without the contents of its log and its input journal. Fields
/// are only ever added, with a default, since a newer server reads what an older one has written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct HandoffRecord {
    pub(super) epoch: Epoch,
    pub(super) program: ProgramSpec,
    /// Milliseconds since the Unix epoch.
    pub(super) created: u64,
    /// The title that a user has given.
    pub(super) title: Option<String>,
    pub(super) sizing: Sizing,
    pub(super) flow: Flow,
    /// The primary viewer, if there is one.
    pub(super) primary: Option<ViewerId>,
    pub(super) size_by: Option<ViewerId>,
    pub(super) colours: Option<Colours>,
    /// The sizes since the last checkpoint, each with the offset from which it is in force.
    pub(super) sizes: Vec<SizeAt>,
    /// Sizes before those, for viewers that resume.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) earlier_sizes: Vec<SizeAt>,
    /// Number of size changes up to the first of all these sizes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) first_size: u64,
    /// The output before this offset was cleared.
    #[serde(default, skip_serializing_if = "is_start")]
    pub(super) cleared: OutputOffset,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like that")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like that")]
fn is_start(offset: &OutputOffset) -> bool {
    *offset == OutputOffset::ZERO
}

impl HandoffRecord {
    /// Creates the record of a session that is about to begin.
    pub(super) fn first((epoch, created): (&Epoch, u64), program: &Program, status: &Status) -> Self {
        Self {
            epoch: epoch.clone(),
            program: program.into(),
            created,
            title: status.pinned_title().map(str::to_owned),
            sizing: status.sizing,
            flow: status.flow,
            primary: status.viewers.primary(),
            size_by: status.size_by,
            colours: None,
            sizes: vec![(OutputOffset::ZERO, status.size)],
            earlier_sizes: Vec::new(),
            first_size: 0,
            cleared: OutputOffset::ZERO,
        }
    }

    /// Records the sizes. `kept` is the number of changes up to the size of the last checkpoint.
    fn set_sizes(&mut self, sizes: &Sizes, kept: u64) {
        let (earlier, later): (Vec<_>, Vec<_>) = sizes.iter().partition(|&(resizes, _)| resizes < kept);
        let only_sizes = |sizes: &[(u64, SizeAt)]| sizes.iter().map(|&(_, size)| size).collect();
        self.first_size = sizes.iter().next().map_or(0, |(resizes, _)| resizes);
        (self.earlier_sizes, self.sizes) = (only_sizes(&earlier), only_sizes(&later));
    }

    /// Returns all recorded sizes.
    pub(super) fn all_sizes(&self) -> Sizes {
        let all = self.earlier_sizes.iter().chain(&self.sizes).copied();
        Sizes::restore(self.first_size, all).unwrap_or_else(|| Sizes::new(Winsize::default()))
    }
}

/// The first line of a checkpoint. The output that draws the screen follows it.
#[derive(Debug, Serialize, Deserialize)]
struct CheckpointHeader {
    /// Offset from which data continues.
    output: OutputOffset,
    #[serde(flatten)]
    size: Winsize,
    /// Number of size changes up to this size. Older servers did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resizes: Option<u64>,
}

/// Keeps the hand-off of one session up to date.
#[derive(Debug)]
pub(super) struct Handoff {
    keeper: KeeperClient,
    session: SessionId,
    colours: Option<Colours>,
    /// The output before this offset was cleared.
    cleared: OutputOffset,
    /// Position from which data and sizes continue after the last checkpoint.
    checkpoint_at: Position,
    /// Amount of output after which a new checkpoint is made, in bytes.
    interval: u64,
    /// Set if something has changed since the keeper was last told.
    is_unsent: bool,
    /// Limit on how often the keeper is told.
    rate: TokenBucket,
    /// Time of the next attempt after a failure.
    retry_at: Option<Instant>,
}

impl Handoff {
    /// Creates the hand-off of a session that begins, whose log keeps `tail` bytes.
    pub(super) fn new(keeper: KeeperClient, session: SessionId, tail: usize) -> Self {
        // The log keeps the screen's backlog in addition to its tail.
        let interval = tail as u64;
        let rate = TokenBucket::new(MAX_RECORDS_PER_SECOND, MAX_RECORDS_AT_ONCE, Instant::now());
        let (colours, cleared, checkpoint_at, retry_at) = (None, OutputOffset::ZERO, Position::START, None);
        Self { keeper, session, colours, cleared, checkpoint_at, interval, is_unsent: true, rate, retry_at }
    }

    /// Marks the session as changed. The keeper is told soon, but not of each change.
    pub(super) fn mark_unsent(&mut self) {
        self.is_unsent = true;
    }

    /// Marks the session as changed by its owner, who is about to be told that the change is done.
    pub(super) fn mark_urgent(&mut self) {
        self.is_unsent = true;
        self.rate = TokenBucket::new(MAX_RECORDS_PER_SECOND, MAX_RECORDS_AT_ONCE, Instant::now());
    }

    pub(super) fn set_colours(&mut self, colours: Colours) {
        self.colours = Some(colours);
        self.is_unsent = true;
    }

    /// Hands over the size that the terminal is about to get.
    pub(super) async fn send_size(&mut self, size: Winsize, session: &SessionHandle) {
        let log = &session.shared().log;
        let mut sizes = log.sizes();
        sizes.push(log.end(), size);
        self.send_record(&sizes, session).await;
    }

    /// Replaces the checkpoint after the output before `cleared` was cleared, since the old one
    /// shows that output. `display` is at the log's end. Returns whether that succeeded: no server
    /// needs the output any more then.
    pub(super) async fn clear(
        &mut self,
        cleared: OutputOffset,
        display: &mut Display,
        session: &SessionHandle,
    ) -> bool {
        self.cleared = cleared;
        self.send_checkpoint(display, usize::MAX).await;
        self.send_record(&session.shared().log.sizes(), session).await;
        self.checkpoint_at.output >= cleared
    }

    /// Reports whether anything has changed since it was handed over.
    pub(super) fn is_behind(&self, display: &Display) -> bool {
        self.is_unsent || self.checkpoint_rows(display).is_some()
    }

    /// Reports whether anything is to be handed over now. Some changes can wait for a moment.
    pub(super) fn has_news(&self, display: &Display, now: Instant) -> bool {
        let may_try = self.retry_at.is_none_or(|at| at <= now);
        may_try && (self.due_at().is_some_and(|at| at <= now) || self.checkpoint_rows(display).is_some())
    }

    /// Returns when the keeper is to be told of what has changed, if anything has.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let ready_at = self.rate.ready_at();
        self.is_unsent.then(|| self.retry_at.map_or(ready_at, |at| at.max(ready_at)))
    }

    /// Returns the rows of scrollback for a new checkpoint, if it is time for one. A checkpoint
    /// that needs no scrollback is made at once.
    fn checkpoint_rows(&self, display: &Display) -> Option<usize> {
        if display.skipped_to().is_some_and(|output| output > self.checkpoint_at.output) {
            return Some(0);
        }
        let is_due = display.parsed_to().since(self.checkpoint_at.output) > self.interval
            || display.resizes().saturating_sub(self.checkpoint_at.resizes) > RESIZES_BEFORE_CHECKPOINT;
        is_due.then_some(usize::MAX)
    }

    /// Hands over what has changed, and a checkpoint if it is time for one.
    pub(super) async fn update(&mut self, display: &mut Display, session: &SessionHandle) {
        if let Some(history) = self.checkpoint_rows(display) {
            self.send_checkpoint(display, history).await;
            self.is_unsent = true;
        }
        if self.is_unsent {
            self.send_record(&session.shared().log.sizes(), session).await;
        }
    }

    async fn send_checkpoint(&mut self, display: &mut Display, history: usize) {
        let (snapshot, size, position) = display.snapshot(history).await;
        let head = CheckpointHeader { output: position.output, size, resizes: Some(position.resizes) };
        let head = serde_json::to_string(&head).unwrap_or_default();
        match self.keeper.checkpoint(&self.session, &[head.as_bytes(), b"\n", &snapshot]).await {
            Ok(()) => {
                self.checkpoint_at = position;
                self.retry_at = None;
            }
            Err(error) => {
                self.retry_at = Some(Instant::now() + RETRY_DELAY);
                tracing::error!(session = %self.session, %error, "could not store a checkpoint of the screen");
            }
        }
    }

    async fn send_record(&mut self, sizes: &Sizes, session: &SessionHandle) {
        self.rate.spend(1, Instant::now());
        let mut record = session.record(self.colours.clone(), self.cleared);
        record.set_sizes(sizes, self.checkpoint_at.resizes);
        let told = match serde_json::to_string(&record) {
            Ok(record) => self.keeper.record(&self.session, record).await,
            Err(error) => Err(error.into()),
        };
        match told {
            Ok(()) => self.is_unsent = false,
            Err(error) => {
                self.retry_at = Some(Instant::now() + RETRY_DELAY);
                tracing::error!(session = %self.session, %error, "could not hand the session's record to the keeper");
            }
        }
    }

    /// Restores the screen that an earlier server has left and brings it to the log's end.
    /// Returns it with the hand-off that follows it from there. Queries in output from
    /// `unanswered_from` on have yet to be answered.
    pub(super) fn take_over(
        keeper: KeeperClient,
        session: SessionId,
        (record, checkpoint): (&HandoffRecord, Option<OwnedFd>),
        (log, unanswered_from): (&Log, Option<OutputOffset>),
        (tail, scrollback): (usize, usize),
    ) -> (Self, Display) {
        let (sizes, policy) = (record.all_sizes(), ParsePolicy::of(&keeper));
        let mut handoff = Self::new(keeper, session, tail);
        // An older server did not number its sizes. Its checkpoint had the last size from
        // before, or the first one.
        let kept = |output| {
            let before = sizes.iter().take_while(|&(_, (from, _))| from < output).last();
            before.map_or(record.first_size, |(resizes, _)| resizes)
        };
        let restored = checkpoint.and_then(|file| {
            read(file)
                .inspect_err(|error| tracing::error!(%error, "could not read the checkpoint of a screen"))
                .ok()
        });
        let (position, size, snapshot) = if let Some((header, snapshot)) = restored {
            let CheckpointHeader { output, size, resizes } = header;
            (Position { output, resizes: resizes.unwrap_or_else(|| kept(output)) }, size, snapshot)
        } else {
            let (resizes, (_, size)) = sizes.iter().next().unwrap_or_default();
            (Position { resizes, ..Position::START }, size, Vec::new())
        };
        handoff.checkpoint_at = position;
        let snapshot = (snapshot.as_slice(), position);
        let mut display = Display::from_snapshot((size, scrollback), log.clone(), snapshot, policy);
        for (resizes, (output, size)) in sizes.iter() {
            if resizes > handoff.checkpoint_at.resizes {
                catch_up(&mut display, log, output, unanswered_from);
                display.resize_here(size);
            }
        }
        catch_up(&mut display, log, log.end(), unanswered_from);
        handoff.cleared = record.cleared;
        log.forget_before(record.cleared);
        if let Some(colours) = &record.colours {
            display.set_colours(colours.clone());
            handoff.colours = Some(colours.clone());
        }
        (handoff, display)
    }
}

/// Passes the log's output before `end` to the display. Queries from `unanswered_from` on have
/// yet to be answered.
fn catch_up(display: &mut Display, log: &Log, end: OutputOffset, unanswered_from: Option<OutputOffset>) {
    /// Output that is passed on at once, in bytes.
    const MAX_PIECE_BYTES: usize = 1024 * 1024;
    while display.taken_to() < end {
        let is_unanswered = unanswered_from.is_some_and(|start| display.taken_to() >= start);
        // Only up to the offset where that changes.
        let next = unanswered_from.filter(|&start| !is_unanswered && start < end).unwrap_or(end);
        let waiting = usize::try_from(next.since(display.taken_to())).unwrap_or(usize::MAX);
        let most = waiting.min(MAX_PIECE_BYTES);
        let taken = log.with_output(display.taken_to(), most, |output| {
            display.take(output, is_unanswered);
            !output.is_empty()
        });
        if taken != Some(true) {
            tracing::error!("the log no longer has the output that a screen needs");
            return display.skip_to(end);
        }
    }
}

fn read(file: OwnedFd) -> std::io::Result<(CheckpointHeader, Vec<u8>)> {
    let mut file = File::from(file);
    file.rewind()?;
    let mut file = BufReader::new(file);
    let (mut head, mut snapshot) = (String::new(), Vec::new());
    file.read_line(&mut head)?;
    file.read_to_end(&mut snapshot)?;
    Ok((serde_json::from_str(&head)?, snapshot))
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::fd::AsFd};

    use limpet_output_log as output_log;

    use super::*;

    /// A record that the first version has written. It does not change when fields are added.
    const FIRST: &str = r#"{"epoch":"0123456789abcdef","program":{"file":"bash","argv0":"-bash","args":[],"cwd":null,"env":{}},"created":1790000000000,"title":"mine","sizing":"primary","flow":"auto","primary":"67e55044-10b1-426f-9247-bb680e5fe0c8","size_by":null,"colours":null,"sizes":[[0,{"cols":80,"rows":24}],[17,{"cols":100,"rows":30}]]}"#;

    #[test]
    fn what_the_first_version_has_kept_is_understood() {
        let record: HandoffRecord = serde_json::from_str(FIRST).unwrap();
        assert_eq!((record.title.as_deref(), record.sizes.len()), (Some("mine"), 2));
        assert_eq!(record.sizes[1], (OutputOffset::new(17), Winsize::cells(100, 30)));
        assert_eq!(serde_json::to_string(&record).unwrap(), FIRST, "and written as it was");
    }

    fn file(content: &str) -> OwnedFd {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        file.into()
    }

    #[tokio::test]
    async fn a_screen_is_brought_to_the_end_of_its_log() {
        let memory = output_log::create_memory(0).unwrap();
        let (mut writer, log, _) = output_log::open(memory.as_fd()).unwrap();
        let output = b"0123456789abcdefg\r\nnew and long enough to wrap";
        writer.fill(output.len(), |place| {
            place.copy_from_slice(output);
            (output.len(), ())
        });
        writer.publish(|_| {});
        let sizes = [(10, Winsize::cells(80, 24)), (17, Winsize::cells(10, 4))];
        let sizes = sizes.map(|(offset, size)| (OutputOffset::new(offset), size)).to_vec();
        let earlier = (OutputOffset::ZERO, Winsize::cells(5, 5));
        let first: HandoffRecord = serde_json::from_str(FIRST).unwrap();
        let of_older = HandoffRecord { sizes: sizes.clone(), ..first.clone() };
        let of_this = HandoffRecord { earlier_sizes: vec![earlier], first_size: 7, ..of_older.clone() };
        // A checkpoint was made, and the server was killed before it recorded that.
        let stale = HandoffRecord { sizes: [vec![earlier], sizes].concat(), first_size: 7, ..first };
        let head = r#"{"output":10,"cols":80,"rows":24}"#;
        let numbered = r#"{"output":10,"cols":80,"rows":24,"resizes":8}"#;
        let take_over = |record: &HandoffRecord, checkpoint| {
            let (link, name) = (KeeperClient::in_process().unwrap(), "a".parse().unwrap());
            Handoff::take_over(
                link,
                name,
                (record, checkpoint),
                (&log, None),
                (output_log::MIN_TAIL_BYTES, 100),
            )
            .1
        };
        for (record, head) in [(&of_older, head), (&of_this, numbered), (&stale, numbered), (&stale, head)] {
            let mut display = take_over(record, Some(file(&format!("{head}\nkept before"))));
            assert_eq!(
                display.text().await.lines,
                ["kept befor", "new and lo", "ng enough", "to wrap"].map(str::to_owned),
                "{record:?} {head}"
            );
            assert_eq!(display.resizes(), record.all_sizes().count());
        }
        // A checkpoint that cannot be read is ignored.
        let mut display = take_over(&of_older, Some(file("nonsense")));
        assert_eq!(
            display.text().await.lines[1..],
            ["new and lo", "ng enough", "to wrap"].map(str::to_owned)
        );
    }

    #[tokio::test]
    async fn only_what_is_owed_is_answered() {
        let memory = output_log::create_memory(0).unwrap();
        let (mut writer, log, _) = output_log::open(memory.as_fd()).unwrap();
        let output = b"\x1b[6n, \x1b[5n";
        writer.fill(output.len(), |place| {
            place.copy_from_slice(output);
            (output.len(), ())
        });
        writer.publish(|_| {});
        let record = HandoffRecord { sizes: Vec::new(), ..serde_json::from_str(FIRST).unwrap() };
        for (unanswered_from, answers) in [
            (None, ""),
            (Some(0), "\x1b[1;1R\x1b[0n"),
            (Some(3), "\x1b[1;1R\x1b[0n"),
            (Some(4), "\x1b[0n"),
            (Some(10), ""),
        ] {
            let (link, name) = (KeeperClient::in_process().unwrap(), "a".parse().unwrap());
            let unanswered_from = unanswered_from.map(OutputOffset::new);
            let kept = (&record, None);
            let left = Handoff::take_over(
                link,
                name,
                kept,
                (&log, unanswered_from),
                (output_log::MIN_TAIL_BYTES, 100),
            );
            let mut display = left.1;
            display.text().await;
            assert_eq!(display.take_answers(), answers.as_bytes(), "{unanswered_from:?}");
        }
    }
}
