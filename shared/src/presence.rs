//! Who is at a session, what they may do, and whose wishes count.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::message::is_default;

/// What a viewer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything, ending the session included.
    Owner,
    /// Watch, type, and have the pen.
    Writer,
    /// Watch.
    Reader,
}

impl Role {
    /// Whether it may type and have the pen.
    #[must_use]
    pub const fn may_write(self) -> bool {
        matches!(self, Self::Owner | Self::Writer)
    }
}

/// One of those attached, as the others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Tells the session's attachments apart.
    pub id: u64,
    /// What they may do.
    pub role: Role,
    /// When they attached, in milliseconds since the Unix epoch.
    pub since: u64,
    /// The address they came from; empty if that is not known.
    #[serde(default, skip_serializing_if = "is_default")]
    pub from: String,
    /// What program they use, as it calls itself (RFC 9110, 10.1.5); empty if it does not.
    #[serde(default, skip_serializing_if = "is_default")]
    pub agent: String,
    /// Whether they have the pen: their terminal answers what programs ask, and by default its size is in force.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pen: bool,
    /// Whether this is who is being told.
    #[serde(default, skip_serializing_if = "is_default")]
    pub you: bool,
}

/// Whose size a session's terminal has. Readers never count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sizing {
    /// That of who has the pen. The pen is taken and handed over, and typing leaves it where it is.
    #[default]
    Pen,
    /// That of who has the pen, which goes to whoever types or resizes.
    Latest,
    /// That of the owner who used the terminal last.
    Owner,
    /// The largest that everybody's window holds.
    Smallest,
    /// The one that it was given, whoever comes.
    Fixed,
}

/// Whether the program has to wait for those who watch it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flow {
    /// For viewers that want all of its output, and for those that follow at a speed that a person would not notice. Others are
    /// brought to the present from time to time.
    #[default]
    Auto,
    /// For the fastest viewer, however slow that is; so nothing is skipped.
    Hold,
    /// Never.
    Free,
}

/// A word that names nothing here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{word}' is none of {choices}")]
pub struct UnknownChoice {
    word: String,
    choices: String,
}

/// Choices, by the names that they have on the wire.
macro_rules! choices {
    ($name:ident: $($choice:ident = $word:literal),+) => {
        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$choice),+];

            /// The name on the wire.
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
            type Err = UnknownChoice;

            fn from_str(word: &str) -> Result<Self, UnknownChoice> {
                Self::ALL.iter().copied().find(|choice| choice.name() == word).ok_or_else(|| {
                    let choices = Self::ALL.iter().map(|choice| choice.name()).collect::<Vec<_>>().join(", ");
                    UnknownChoice { word: word.to_owned(), choices }
                })
            }
        }
    };
}

choices!(Sizing: Pen = "pen", Latest = "latest", Owner = "owner", Smallest = "smallest", Fixed = "fixed");
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
        assert_eq!(error.to_string(), "'never' is none of auto, hold, free");
    }
}
