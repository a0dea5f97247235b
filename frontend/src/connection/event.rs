//! The events that a connection handles, and the effects that it requests.

use limpet_shared::{ExitStatus, Role, ViewerInfo, Winsize, theme::Colours};

use super::{
    ConnectionProblem, Phase,
    inflow::{Mark, Piece},
};

/// An event that a connection handles.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The pane wants the connection.
    Start,
    /// The socket is open. The key is that of this browser's sign-in.
    Opened(&'a str),
    /// The socket is open, and `hello` with this size was already sent over it.
    HelloSent(Winsize),
    /// A text message has arrived.
    Text(&'a str),
    /// A binary message of `len` bytes that begins with `head` has arrived.
    Frame {
        /// The first bytes of the message, at least the header if it is that long.
        head: &'a [u8],
        /// Length of the whole message, in bytes.
        len: usize,
    },
    /// The socket has closed, or could not be opened.
    Closed {
        /// The code of the `CloseEvent`: 1006 without a closing handshake.
        code: u16,
    },
    /// The HTTP probe of the session has this result.
    Probed(Probe<'a>),
    /// The timer that was set last has expired.
    Timer,
    /// The page became visible or hidden.
    Visible(bool),
    /// The network came back, or has changed.
    Online,
    /// The user is active, perhaps for the first time since the machine slept.
    UserActive,
    /// The user asks for a retry now.
    RetryNow,
    /// The terminal has produced input.
    Input(&'a [u8]),
    /// A grid of this size now fits into the pane.
    Resized(Winsize),
    /// The user wants to be the primary viewer, or to make another viewer primary.
    PrimaryRequested(Option<u64>),
    /// The terminal has processed this output. The flag is true if it has no more to process.
    Rendered(Mark, bool),
    /// The terminal now has these colours.
    Colours(&'a Colours),
    /// The user wants to see the scrollback that the snapshot left out.
    HistoryRequested,
    /// The user wants to clear the terminal for all viewers.
    ClearRequested,
    /// The user wants to reset the modes that programs have set, for all viewers.
    SoftResetRequested,
}

/// The result of probing over HTTP why an attachment failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe<'a> {
    /// The session exists and may be attached to.
    Alive,
    /// 401: the sign-in is no longer valid.
    Unauthorized,
    /// 404: there is no such session.
    NotFound,
    /// The server refuses an attachment, for this reason.
    Refused(&'a str),
    /// There was no response, or not one of limpet's.
    Unreachable,
}

/// An effect that the state machine requests. Effects are carried out in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Opens a new socket in place of the current one.
    Open,
    /// Closes the socket. No more events come from it.
    Close,
    /// Sends a text message.
    SendText(String),
    /// Sends a binary message.
    SendFrame(Vec<u8>),
    /// Probes over HTTP whether the session may be attached to.
    Probe,
    /// Sets the timer to expire after this many milliseconds, in place of the previous one.
    Timer(f64),
    /// Cancels the timer.
    NoTimer,
    /// Writes this part of the current binary message to the terminal.
    Write(Piece),
    /// Notifies the pane.
    Notify(Notification),
}

/// A notification from a connection to its pane.
#[derive(Clone, Debug, PartialEq)]
pub enum Notification {
    /// The state to show to the user has changed.
    Phase(Phase),
    /// The problem in the way of the connection has changed; `None` means that it is gone.
    Problem(Option<ConnectionProblem>),
    /// The terminal must be cleared, since the output to come does not continue what it shows.
    Clear {
        /// Number of bytes of output that this viewer will never get.
        skipped: u64,
        /// Number of rows of scrollback that can be requested.
        earlier: u64,
    },
    /// The role of this viewer.
    Role(Role),
    /// The size of the terminal from here on.
    Size {
        /// The size.
        size: Winsize,
        /// True if it is this viewer's own size.
        own: bool,
    },
    /// True if this is the primary viewer, whose terminal answers the program's queries.
    Primary(bool),
    /// The attached viewers have changed.
    Viewers {
        /// Number of viewers.
        count: u32,
        /// The viewers, if the server lists them; only the first ones if there are many.
        list: Vec<ViewerInfo>,
    },
    /// The session's title.
    Title(String),
    /// The program has ended.
    Exited {
        /// The exit status.
        status: ExitStatus,
        /// True if an owner closed the session.
        closed: bool,
    },
    /// A message for the user.
    Notice(String),
}

/// The clocks at the moment of an event, and a random number.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// A monotonic clock, in milliseconds. While the machine sleeps it may stand still, and so may
    /// timers.
    pub now_ms: f64,
    /// The wall clock, in milliseconds, which advances while the machine sleeps.
    pub wall_ms: f64,
    /// A random number from 0 to 1.
    pub jitter: f64,
}
