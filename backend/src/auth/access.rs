//! What somebody may do.

use limpet_shared::{Role, SessionId};
use serde::{Deserialize, Serialize};

/// What somebody shows to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The token itself.
    Token,
    /// A pass.
    Pass(Pass),
}

/// What somebody may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Everything.
    Owner,
    /// What these passes say.
    Passes(Vec<Pass>),
}

/// Lets somebody in to one session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pass {
    /// To which.
    pub session: SessionId,
    /// To do what: a [`Role::Writer`] or a [`Role::Reader`].
    pub role: Role,
}

impl From<Credential> for Access {
    fn from(credential: Credential) -> Self {
        match credential {
            Credential::Token => Self::Owner,
            Credential::Pass(pass) => Self::Passes(vec![pass]),
        }
    }
}

impl Access {
    /// What may be done with a session; `None` if it may not even be seen.
    #[must_use]
    pub fn role_at(&self, session: &SessionId) -> Option<Role> {
        match self {
            Self::Owner => Some(Role::Owner),
            Self::Passes(passes) => {
                let roles = || passes.iter().filter(|pass| pass.session == *session).map(|pass| pass.role);
                roles().find(|role| role.may_write()).or_else(|| roles().next())
            }
        }
    }

    /// Whether this is everything.
    #[must_use]
    pub const fn is_owner(&self) -> bool {
        matches!(self, Self::Owner)
    }
}
