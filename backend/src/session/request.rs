//! Requests to the task that owns a session.

use bytes::Bytes;
use limpet_pty::EndMode;
use limpet_screen::Text;
use limpet_shared::{Hello, ViewerId, Winsize, WinsizeError, api::UpdateSession, theme::Colours};
use tokio::sync::{mpsc, oneshot};

use super::{
    AttachingViewer, Attachment, AttachmentId, AttachmentStart,
    attach::ViewerSnapshot,
    flow::{LogReader, Rank},
    own_output::Purpose,
};

/// Maximum number of requests that may wait for the session's task. Further senders have to wait.
pub(super) const MAX_WAITING_REQUESTS: usize = 32;

/// A request to a session's task.
#[derive(Debug)]
pub(super) enum Request {
    /// Attaches a viewer.
    Attach(Box<AttachRequest>),
    /// Makes a snapshot with at most `history` rows of scrollback. The reply has a cursor of this
    /// rank from which output continues.
    Snapshot { history: usize, rank: Rank, reply: oneshot::Sender<(ViewerSnapshot, LogReader)> },
    /// Returns the screen as text.
    Text { reply: oneshot::Sender<Text> },
    /// Sets the colours of a viewer's terminal.
    Colours(Box<Colours>),
    /// Writes input that a viewer has typed.
    Input(TypedInput),
    /// Sets the size of a viewer's window.
    Resize { attachment: AttachmentId, size: Winsize },
    /// Makes a viewer the primary one. The reply is false if there is no such viewer, or if it
    /// lacks the right to type.
    MakePrimary { to: AttachmentId, reply: oneshot::Sender<bool> },
    /// Puts output of limpet's own into the log.
    OwnOutput(Purpose),
    /// Changes the title, the rules or the size. The reply comes once the size is in force. An
    /// impossible size changes nothing.
    Update { update: UpdateSession, reply: oneshot::Sender<Result<(), WinsizeError>> },
    /// Ends the program, and everything else on its terminal that the mode includes.
    End(EndMode),
}

/// A viewer that is to be attached.
#[derive(Debug)]
pub(super) struct AttachRequest {
    pub(super) hello: Hello,
    pub(super) visitor: AttachingViewer,
    pub(super) reply: oneshot::Sender<(Attachment, AttachmentStart)>,
}

/// Input, with its offset in the viewer's input.
#[derive(Debug)]
pub(super) struct TypedInput {
    pub(super) viewer: ViewerId,
    pub(super) attachment: AttachmentId,
    pub(super) offset: u64,
    pub(super) bytes: Bytes,
}

/// The session's end of the channel. It has memory for 32 requests from the start, for each
/// session, so its items are boxed.
pub(super) type Requests = mpsc::Receiver<Box<Request>>;
