//! How a viewer begins: by the output that it lacks, or by a picture of the screen.

use limpet_shared::{Follow, Header, Hello, OutputOffset, Role, Welcome, Winsize};
use tokio::sync::watch;

use super::{
    Attached, Progress, SessionHandle, SnapshotFrames, Status, display::Redrawing,
    guest_snapshots::GuestSnapshots,
};
use crate::log::{Claim, LogReader, Position, Rank};

/// Rows of scrollback that somebody who looks at the screen is sent with it. The others can be asked for.
const ROWS: usize = 1000;

/// How many of them somebody gets who looks at the screen, or who may only watch: readers are never waited for, so a picture with
/// everything would be drawn for them again and again. `history` brings the rest.
#[must_use]
pub const fn rows_for(follow: Follow, role: Role) -> usize {
    match (follow, role.may_write()) {
        (Follow::All, true) => usize::MAX,
        _ => ROWS,
    }
}

/// What an attachment begins with.
#[derive(Debug)]
pub struct Beginning {
    /// The server's first message.
    pub welcome: Welcome,
    /// What the viewer's terminal is to show before data goes on, if it cannot go on with what it shows.
    pub redraw: Option<Redraw>,
    /// The cursor in the log.
    pub output: LogReader,
    /// How far the viewer's input has come; `None` if it can type nothing, as a reader or since the program has ended.
    /// When the channel closes while the program runs, the viewer has attached anew elsewhere.
    pub input: Option<watch::Receiver<Progress>>,
    /// The session's state.
    pub status: watch::Receiver<Status>,
}

/// A terminal is cleared, and drawn anew.
#[derive(Debug)]
pub struct Redraw {
    /// Snapshot frames. `None` if there is no room for them now: the viewer is drawn the screen later.
    pub frames: Option<SnapshotFrames>,
    /// The size of the screen that they draw.
    pub size: Winsize,
    /// How many size changes there had been up to that.
    pub resizes: u64,
    /// How many bytes of output the viewer will not get.
    pub skipped: u64,
    /// How many rows of scrollback they leave out.
    pub earlier: u64,
}

impl Redraw {
    /// A terminal of this size is cleared, and that is all.
    fn nothing(size: Winsize, resizes: u64) -> Self {
        Self { frames: Some(SnapshotFrames::default()), size, resizes, skipped: 0, earlier: 0 }
    }
}

/// Where a viewer's data goes on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// Here, and it goes on with what its terminal shows.
    Seamless(Position),
    /// At the log's start, in a terminal that shows nothing yet, or has to be cleared.
    Start { is_cleared: bool },
    /// Where the screen is drawn. If the viewer wanted all of the output, that is what it has had of it.
    Screen { had: Option<OutputOffset> },
}

impl Place {
    pub(super) fn of(hello: &Hello, session: &SessionHandle) -> Self {
        let log = &session.shared().log;
        let (has_all, end) = (log.first().is_some(), log.end());
        let resume = hello.resume.as_ref();
        let known = resume.filter(|resume| resume.epoch == session.shared().epoch && resume.output <= end);
        match (known, hello.follow) {
            (Some(resume), _) => {
                log.resume(resume).map_or(Self::Screen { had: Some(resume.output) }, Self::Seamless)
            }
            (None, _) if end == OutputOffset::ZERO && resume.is_none() => Self::Start { is_cleared: false },
            (None, Follow::All) if has_all => Self::Start { is_cleared: resume.is_some() },
            (None, Follow::All) => Self::Screen { had: Some(OutputOffset::ZERO) },
            (None, Follow::Now) => Self::Screen { had: None },
        }
    }

    /// Whether this viewer has been here before.
    pub(super) fn resumes(self) -> bool {
        match self {
            Self::Seamless(Position { output, .. }) | Self::Screen { had: Some(output) } => {
                output != OutputOffset::ZERO
            }
            Self::Start { .. } | Self::Screen { had: None } => false,
        }
    }
}

/// Puts a beginning together. `redrawing` draws the screen with so many rows of scrollback.
pub(super) async fn begin(
    session: &SessionHandle,
    (hello, attached): (&Hello, &Attached),
    place: Place,
    input: Option<(limpet_shared::InputOffset, watch::Receiver<Progress>)>,
    redrawing: impl AsyncFnOnce(usize) -> Redrawing,
) -> Beginning {
    let shared = session.shared();
    let status = shared.status.subscribe();
    let role = attached.role();
    let (position, redraw) = match place {
        Place::Seamless(position) => (position, None),
        // If it is not kept any more, the viewer is drawn the screen in its stead.
        Place::Start { is_cleared } => {
            let position = shared.log.first().unwrap_or(Position::START);
            (
                position,
                is_cleared.then(|| Redraw::nothing(shared.log.size(position.resizes), position.resizes)),
            )
        }
        Place::Screen { had } => {
            let rows = rows_for(hello.follow, role);
            let drawn = Drawn::by(&shared.guest_snapshots, attached.rank(), rows, redrawing).await;
            let skipped = had.map_or(0, |had| drawn.position.output.since(had));
            (drawn.position, Some(drawn.redraw(skipped)))
        }
    };
    let size = redraw.as_ref().map_or_else(|| shared.log.size(position.resizes), |redraw| redraw.size);
    let (by, title) = {
        let status = status.borrow();
        (status.size_by(), status.title().to_owned())
    };
    let (taken, input) = input.map_or_else(Default::default, |(taken, input)| (taken, Some(input)));
    let welcome = Welcome {
        session: shared.id.clone(),
        epoch: shared.epoch.clone(),
        role,
        id: attached.id().number(),
        output: position.output,
        live: shared.log.end(),
        input: taken,
        size,
        resizes: position.resizes,
        by,
        title,
        server: env!("CARGO_PKG_VERSION").to_owned(),
    };
    // At first the writer waits for those who may write: how fast they are is not known yet.
    let claim = if role.may_write() { Claim::Fastest } else { Claim::None };
    Beginning { welcome, redraw, output: shared.log.reader(position, attached.rank(), claim), input, status }
}

/// A screen that was drawn for a viewer.
#[derive(Debug)]
pub(super) struct Drawn {
    frames: Option<SnapshotFrames>,
    size: Winsize,
    /// Where data and sizes go on.
    pub(super) position: Position,
    earlier: usize,
}

impl Drawn {
    /// Draws the screen by `redrawing` for a viewer of this rank, with so many rows of scrollback, or fewer if there is no room.
    pub(super) async fn by(
        snapshots: &GuestSnapshots,
        rank: Rank,
        rows: usize,
        redrawing: impl AsyncFnOnce(usize) -> Redrawing,
    ) -> Self {
        let mut redrawing = redrawing(snapshots.rows(rank, rows)).await;
        let frames = snapshots.hold(rank, &mut redrawing);
        let Redrawing { size, position, earlier, .. } = redrawing;
        Self { frames, size, position, earlier }
    }

    /// For a viewer that misses so many bytes.
    pub(super) fn redraw(self, skipped: u64) -> Redraw {
        let Self { frames, size, position, earlier } = self;
        Redraw { frames, size, resizes: position.resizes, skipped, earlier: earlier as u64 }
    }

    /// What the frames hold.
    pub(super) fn into_output(self) -> Vec<u8> {
        let mut frames = self.frames.unwrap_or_default();
        frames.drain().flat_map(|frame| frame.slice(Header::LEN..)).collect()
    }
}
