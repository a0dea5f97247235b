//! The beginning of an attachment: the output that the viewer lacks, or a snapshot.

use limpet_output_log::Position;
use limpet_shared::{Follow, Header, Hello, OutputOffset, Role, Welcome, Winsize};
use tokio::sync::watch;

use super::{
    Attachment, InputProgress, SessionHandle, SnapshotFrames, Status,
    display::FramedSnapshot,
    flow::{Claim, FlowClass, Log, LogReader, Rank},
    guest_snapshots::GuestSnapshots,
};

/// Rows of scrollback in a snapshot for a viewer that follows the newest output or is read-only. It
/// can ask for the others.
const REDUCED_SNAPSHOT_ROWS: usize = 1000;

/// Returns the maximum rows of scrollback in a viewer's snapshots.
///
/// A viewer that only follows the newest output gets few rows, and so does a read-only one: the
/// program never waits for it, so a snapshot with all rows would be made for it again and again.
/// `history` brings the rest.
#[must_use]
pub const fn max_snapshot_rows(follow: Follow, role: Role) -> usize {
    match (follow, role.may_write()) {
        (Follow::All, true) => usize::MAX,
        _ => REDUCED_SNAPSHOT_ROWS,
    }
}

/// All that an attachment starts with.
#[derive(Debug)]
pub struct AttachmentStart {
    /// The server's first message.
    pub welcome: Welcome,
    /// The snapshot to show before data continues, if the viewer cannot continue with what
    /// its terminal shows.
    pub snapshot: Option<ResetSnapshot>,
    /// The viewer's cursor in the log.
    pub output: LogReader,
    /// The progress of the viewer's input; `None` if it cannot type, because it is read-only or
    /// the program has ended. If the channel closes while the program runs, the viewer has
    /// attached anew elsewhere.
    pub input: Option<watch::Receiver<InputProgress>>,
    /// The session's state.
    pub status: watch::Receiver<Status>,
}

/// A snapshot for a terminal that is cleared first.
#[derive(Debug)]
pub struct ResetSnapshot {
    /// Snapshot frames; `None` if there is no room for them now. The viewer then
    /// gets a snapshot later.
    pub frames: Option<SnapshotFrames>,
    /// Size of the screen that the snapshot shows.
    pub size: Winsize,
    /// Number of size changes up to that size.
    pub resizes: u64,
    /// Number of output bytes that the viewer does not get.
    pub skipped: u64,
    /// Number of rows of scrollback that the snapshot leaves out.
    pub omitted_rows: u64,
}

impl ResetSnapshot {
    /// Returns an empty snapshot, which only clears a terminal of this size.
    fn empty(size: Winsize, resizes: u64) -> Self {
        Self { frames: Some(SnapshotFrames::default()), size, resizes, skipped: 0, omitted_rows: 0 }
    }
}

/// The point from which a viewer's data continues.
#[derive(Clone, Copy, Debug)]
pub(super) enum ResumePoint {
    /// At this position, following what its terminal shows already.
    Seamless(Position),
    /// At the log's start. The terminal shows nothing yet, or has to be cleared.
    Start { is_cleared: bool },
    /// After a snapshot. `received` is the output that a viewer has received if it wanted all of
    /// it.
    Screen { received: Option<OutputOffset> },
}

impl ResumePoint {
    pub(super) fn of(hello: &Hello, session: &SessionHandle) -> Self {
        let log = &session.shared().log;
        let (has_all, end) = (log.start_position().is_some(), log.end());
        let resume = hello.resume.as_ref();
        let known = resume.filter(|resume| resume.epoch == session.shared().epoch && resume.output <= end);
        match (known, hello.follow) {
            (Some(resume), _) => log
                .resume_position(resume)
                .map_or(Self::Screen { received: Some(resume.output) }, Self::Seamless),
            (None, _) if end == OutputOffset::ZERO && resume.is_none() => Self::Start { is_cleared: false },
            (None, Follow::All) if has_all => Self::Start { is_cleared: resume.is_some() },
            (None, Follow::All) => Self::Screen { received: Some(OutputOffset::ZERO) },
            (None, Follow::Now) => Self::Screen { received: None },
        }
    }

    /// Reports whether this viewer has been attached to the session before.
    pub(super) fn resumes(self) -> bool {
        match self {
            Self::Seamless(Position { output, .. }) | Self::Screen { received: Some(output) } => {
                output != OutputOffset::ZERO
            }
            Self::Start { .. } | Self::Screen { received: None } => false,
        }
    }
}

/// Puts an attachment's start together. `make_snapshot` makes a snapshot with at most the given
/// number of rows of scrollback.
pub(super) async fn start_attachment(
    session: &SessionHandle,
    (hello, attachment): (&Hello, &Attachment),
    resume_point: ResumePoint,
    input: Option<(limpet_shared::InputOffset, watch::Receiver<InputProgress>)>,
    make_snapshot: impl AsyncFnOnce(usize) -> FramedSnapshot,
) -> AttachmentStart {
    let shared = session.shared();
    let mut status = shared.status.clone();
    status.mark_unchanged();
    let role = attachment.role();
    let (position, snapshot) = match resume_point {
        ResumePoint::Seamless(position) => (position, None),
        // If the log's start is forgotten meanwhile, the reader is lost at once, and the viewer
        // gets a snapshot instead.
        ResumePoint::Start { is_cleared } => {
            let position = shared.log.start_position().unwrap_or(Position::START);
            (
                position,
                is_cleared.then(|| ResetSnapshot::empty(shared.log.size(position.resizes), position.resizes)),
            )
        }
        ResumePoint::Screen { received } => {
            let rows = max_snapshot_rows(hello.follow, role);
            let made =
                ViewerSnapshot::make(&shared.guest_snapshots, attachment.rank(), rows, make_snapshot).await;
            let skipped = received.map_or(0, |received| made.position.output.since(received));
            (made.position, Some(made.into_reset(skipped)))
        }
    };
    let size = snapshot.as_ref().map_or_else(|| shared.log.size(position.resizes), |snapshot| snapshot.size);
    let (by, title) = {
        let status = status.borrow();
        (status.size_by(), status.title().to_owned())
    };
    let (taken, input) = input.map_or_else(Default::default, |(taken, input)| (taken, Some(input)));
    let welcome = Welcome {
        session: shared.id.clone(),
        epoch: shared.epoch.clone(),
        role,
        id: attachment.id().number(),
        output: position.output,
        live: shared.log.end(),
        input: taken,
        size,
        resizes: position.resizes,
        by,
        title,
        server: env!("CARGO_PKG_VERSION").to_owned(),
    };
    // At first the program waits for any viewer with the right to type: its speed is not known yet.
    let class = if role.may_write() { FlowClass::Fastest } else { FlowClass::Unpaced };
    let output = shared.log.reader(position, Claim::new(attachment.rank(), class));
    AttachmentStart { welcome, snapshot, output, input, status }
}

/// A snapshot that was made for a viewer.
#[derive(Debug)]
pub(super) struct ViewerSnapshot {
    frames: Option<SnapshotFrames>,
    size: Winsize,
    /// Position from which data and sizes continue.
    pub(super) position: Position,
    omitted_rows: usize,
}

impl ViewerSnapshot {
    /// Makes a snapshot with `make_snapshot` for a viewer of this rank, with at most `rows` rows of
    /// scrollback, or fewer if there is no room.
    pub(super) async fn make(
        snapshots: &GuestSnapshots,
        rank: Rank,
        rows: usize,
        make_snapshot: impl AsyncFnOnce(usize) -> FramedSnapshot,
    ) -> Self {
        let mut snapshot = make_snapshot(snapshots.rows(rank, rows)).await;
        let frames = snapshots.reserve(rank, &mut snapshot);
        let FramedSnapshot { size, position, omitted_rows, .. } = snapshot;
        Self { frames, size, position, omitted_rows }
    }

    /// Returns an empty snapshot as of the log's end, which takes the place of a screen that is
    /// gone.
    pub(super) fn empty(log: &Log) -> Self {
        let sizes = log.sizes();
        let position = Position { output: log.end(), resizes: sizes.count() };
        Self { frames: Some(SnapshotFrames::default()), size: sizes.last(), position, omitted_rows: 0 }
    }

    /// Converts this into the snapshot for a viewer that misses `skipped` bytes.
    pub(super) fn into_reset(self, skipped: u64) -> ResetSnapshot {
        let Self { frames, size, position, omitted_rows } = self;
        ResetSnapshot { frames, size, resizes: position.resizes, skipped, omitted_rows: omitted_rows as u64 }
    }

    /// Returns the output that the frames carry.
    pub(super) fn into_output(self) -> Vec<u8> {
        let mut frames = self.frames.unwrap_or_default();
        frames.drain().flat_map(|frame| frame.slice(Header::LEN..)).collect()
    }
}
