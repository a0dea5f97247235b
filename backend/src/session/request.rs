//! What others ask of a session's owner.

use bytes::Bytes;
use limpet_shared::{Hello, ViewerId, Winsize, theme::Colours};
use tokio::sync::{mpsc, oneshot};

use super::{Attached, AttachmentId, Beginning, Visitor, begin::Drawn, own_output::Purpose};
use crate::{
    log::{LogReader, Rank},
    pty::EndMode,
    screen::Text,
};

/// How many requests may wait for the actor. Senders wait when there are more.
pub(super) const REQUESTS: usize = 32;

/// What others may ask of a session's owner.
#[derive(Debug)]
pub(super) enum Request {
    /// Lets a viewer in.
    Attach(Box<Attaching>),
    /// Draws the screen, with so many rows of scrollback at most; gives a cursor from which output goes on, of this rank.
    Redraw { history: usize, rank: Rank, reply: oneshot::Sender<(Drawn, LogReader)> },
    /// The screen as text.
    Text { reply: oneshot::Sender<Text> },
    /// The colours of somebody's terminal.
    Colours(Box<Colours>),
    /// A viewer has typed.
    Input(Typed),
    /// A viewer's window holds so much now.
    Resize { attachment: AttachmentId, size: Winsize },
    /// The pen is taken, or given. The answer is false if there is no such viewer, or it may not write.
    Pen { to: AttachmentId, reply: oneshot::Sender<bool> },
    /// Output of limpet's own.
    OwnOutput(Purpose),
    /// Another size, if one is asked for, and other rules, which have been changed already.
    Update { size: Option<Winsize>, reply: oneshot::Sender<()> },
    /// Ends the program, and with it what the mode says of everything else on its terminal.
    End(EndMode),
}

/// A viewer who wants to be let in.
#[derive(Debug)]
pub(super) struct Attaching {
    pub(super) hello: Hello,
    pub(super) visitor: Visitor,
    pub(super) reply: oneshot::Sender<(Attached, Beginning)>,
}

/// Input, at its offset among the viewer's.
#[derive(Debug)]
pub(super) struct Typed {
    pub(super) viewer: ViewerId,
    pub(super) attachment: AttachmentId,
    pub(super) offset: u64,
    pub(super) bytes: Bytes,
}

/// The channel has room for 32 of them from the start, for each session: so they are as small as can be.
pub(super) type Requests = mpsc::Receiver<Box<Request>>;
