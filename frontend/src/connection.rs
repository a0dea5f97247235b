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
        Notice::InputRefused => "Not sent: too much input is already waiting for the program.",
        Notice::InputUncertain => "Your last input may be lost: the server has no record of it.",
        Notice::OtherVersion => "The server runs another version of limpet. Reload the page to use it.",
        Notice::NoSuchViewer => "That viewer is no longer attached.",
        Notice::ReadOnly => "You can view this terminal, not change it.",
        Notice::FromServer(message) => return message,
    };
    text.to_owned()
}
