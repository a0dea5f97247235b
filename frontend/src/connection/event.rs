//! The vocabulary of a connection: what happens to it, and what it wants done.

use limpet_shared::{ExitStatus, Presence, Role, Winsize, theme::Colours};

use super::{
    Phase, Trouble,
    inflow::{Mark, Piece},
};

/// What happens to a connection.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// It is wanted.
    Start,
    /// The socket is open. This browser's sign-in has this key.
    Opened(&'a str),
    /// The socket is open, and hello was said over it already, with this size.
    Greeted(Winsize),
    /// A text message has come.
    Text(&'a str),
    /// A binary message of `len` bytes has come that begins with `head`.
    Frame {
        /// At least the header, if the message is that long.
        head: &'a [u8],
        /// Length of the whole message.
        len: usize,
    },
    /// The socket has closed, or could not be opened.
    Closed {
        /// As in `CloseEvent`: 1006 when there was no closing handshake.
        code: u16,
    },
    /// What asking for the session over HTTP has brought.
    Probed(Probe<'a>),
    /// The timer that was last set has run out.
    Timer,
    /// The page can be seen, or no longer.
    Visible(bool),
    /// The network came back, or has changed.
    Online,
    /// Somebody is here, perhaps again after the machine has slept.
    Stirred,
    /// A person asks to try now.
    RetryNow,
    /// Something was typed.
    Typed(&'a [u8]),
    /// The pane holds a terminal of this size now.
    Resized(Winsize),
    /// A person wants the pen, or wants another one to have it.
    PenWanted(Option<u64>),
    /// The terminal has processed this output; `idle` tells that it has no more to process.
    Rendered(Mark, bool),
    /// The terminal has these colours now.
    Colours(&'a Colours),
    /// A person wants to see what has scrolled out of the snapshot.
    HistoryWanted,
    /// A person wants the terminal cleared, for everybody.
    ClearWanted,
    /// A person wants the modes reset that programs have set, for everybody.
    SoftResetWanted,
}

/// How a failed attachment looks over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe<'a> {
    /// The session is there, and may be attached to.
    Alive,
    /// 401: the login has passed.
    Unauthorized,
    /// 404: no such session.
    NotFound,
    /// The server refuses an attachment, for this reason.
    Refused(&'a str),
    /// No answer, or none of limpet's.
    Unreachable,
}

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Open a new socket in place of the one there may be.
    Open,
    /// Close the socket; nothing more is heard from it.
    Close,
    /// Send a text message.
    SendText(String),
    /// Send a binary message.
    SendFrame(Vec<u8>),
    /// Ask over HTTP whether the session may be attached to.
    Probe,
    /// Run the timer out after this many milliseconds, in place of the one that was set.
    Timer(f64),
    /// Set no timer.
    NoTimer,
    /// This part of the binary message at hand goes to the terminal.
    Write(Piece),
    /// Something that the pane is to know.
    Tell(Tell),
}

/// What the pane learns from its connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Tell {
    /// For people.
    Phase(Phase),
    /// What stands in the way; `None` when nothing does any more.
    Trouble(Option<Trouble>),
    /// Clear the terminal: what comes does not continue what it shows. So many bytes in between are lost.
    Clear {
        /// Bytes that this viewer will never get.
        skipped: u64,
        /// Rows of scrollback that can be asked for.
        earlier: u64,
    },
    /// What this viewer may do.
    Role(Role),
    /// The size of the terminal, from here on.
    Size {
        /// The size.
        size: Winsize,
        /// Whether this viewer's own size is in force.
        own: bool,
    },
    /// Whether this terminal answers the program's queries.
    Pen(bool),
    /// Who is attached.
    Viewers {
        /// So many.
        count: u32,
        /// Who they are, if the server says so; of many, the first ones.
        list: Vec<Presence>,
    },
    /// The session's title.
    Title(String),
    /// The program has ended.
    Exited {
        /// How.
        status: ExitStatus,
        /// Whether an owner closed the session.
        closed: bool,
    },
    /// Something to read.
    Notice(String),
}

/// The moment at which something happens, and chance.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// A clock that only goes forward, in milliseconds. While the machine sleeps it may stand still, and timers with it.
    pub now_ms: f64,
    /// The clock on the wall, in milliseconds, which goes on meanwhile.
    pub wall_ms: f64,
    /// A random number from 0 to 1.
    pub jitter: f64,
}
