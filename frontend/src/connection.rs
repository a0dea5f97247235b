//! The connection of a pane to its session, kept alive across attachments.
//!
//! The state machine of `limpet-client` makes the decisions. [`socket`] carries them out with the
//! browser's WebSocket, timers and fetch.

pub mod socket;

use limpet_client::Notice;

pub use socket::{Connection, Observer, PendingSocket};

/// Returns the text of a notice.
#[must_use]
pub fn notice_text(notice: Notice) -> String {
    let text = match notice {
        Notice::InputRefused => "This was not sent: too much already waits for the program to read it.",
        Notice::InputUncertain => {
            "What you typed last may not have arrived: the server does not remember it."
        }
        Notice::OtherVersion => "A new version of limpet is here. Reload the page to use it.",
        Notice::NoSuchViewer => "That window is no longer here.",
        Notice::ReadOnly => "You can view this terminal, not change it.",
        Notice::FromServer(message) => return message,
    };
    text.to_owned()
}
