//! The viewers of a session, their roles, and the rules for size and flow.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::message::is_default;

/// The rights of a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May do everything, including ending the session.
    Owner,
    /// May watch, type, and be the primary viewer.
    Writer,
    /// May watch.
    Reader,
}

impl Role {
    /// Reports whether this role may type and be the primary viewer.
    #[must_use]
    pub const fn may_write(self) -> bool {
        matches!(self, Self::Owner | Self::Writer)
    }
}

/// An attached viewer, as other viewers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewerInfo {
    /// The number of the attachment, unique in the session.
    pub id: u64,
    /// The viewer's role.
    pub role: Role,
    /// Time of attaching, in milliseconds since the Unix epoch.
    pub since: u64,
    /// The viewer's address; empty if unknown.
    #[serde(default, skip_serializing_if = "is_default")]
    pub from: String,
    /// The `User-Agent` of the viewer's program (RFC 9110, 10.1.5); empty if it sent none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub agent: String,
    /// True for the primary viewer: its terminal answers the program's queries, and by default its
    /// size is in force.
    #[serde(default, skip_serializing_if = "is_default")]
    pub primary: bool,
    /// True for the viewer that receives this list.
    #[serde(default, skip_serializing_if = "is_default")]
    pub you: bool,
}

/// The rule that decides a session's size. Readers never count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sizing {
    /// The size of the primary viewer. Typing does not change which viewer is primary.
    #[default]
    Primary,
    /// The size of the primary viewer. A viewer that types becomes primary.
    Latest,
    /// The size of the owner who used the terminal last.
    Owner,
    /// The largest size that fits into every viewer's window.
    Smallest,
    /// The size that was set explicitly, whatever viewers attach.
    Fixed,
}

/// The rule that decides when the program waits for viewers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flow {
    /// Waits for viewers that want all of the output, and for others as long as they keep up
    /// without a noticeable delay. A viewer that does not keep up gets a snapshot from time to
    /// time.
    #[default]
    Auto,
    /// Waits for the fastest viewer, however slow it is, so nothing is skipped.
    Hold,
    /// Never waits.
    Free,
}

/// The error for a word that is not one of the choices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{word}' is not one of {choices}")]
pub struct UnknownChoiceError {
    word: String,
    choices: String,
}

/// Gives an enum names on the wire and a parser for them.
macro_rules! choices {
    ($name:ident: $($choice:ident = $word:literal),+) => {
        impl $name {
            /// All choices.
            pub const ALL: &[Self] = &[$(Self::$choice),+];

            /// Returns the name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$choice => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $name {
            type Err = UnknownChoiceError;

            fn from_str(word: &str) -> Result<Self, UnknownChoiceError> {
                Self::ALL.iter().copied().find(|choice| choice.name() == word).ok_or_else(|| {
                    let choices = Self::ALL.iter().map(|choice| choice.name()).collect::<Vec<_>>().join(", ");
                    UnknownChoiceError { word: word.to_owned(), choices }
                })
            }
        }
    };
}

choices!(Sizing: Primary = "primary", Latest = "latest", Owner = "owner", Smallest = "smallest", Fixed = "fixed");
choices!(Flow: Auto = "auto", Hold = "hold", Free = "free");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_have_one_name_each() {
        for &sizing in Sizing::ALL {
            assert_eq!(sizing.name().parse(), Ok(sizing));
            assert_eq!(serde_json::to_value(sizing).unwrap(), sizing.name());
        }
        for &flow in Flow::ALL {
            assert_eq!(flow.name().parse(), Ok(flow));
            assert_eq!(serde_json::to_value(flow).unwrap(), flow.name());
        }
        let error = "never".parse::<Flow>().unwrap_err();
        assert_eq!(error.to_string(), "'never' is not one of auto, hold, free");
    }
}
