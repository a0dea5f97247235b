//! The rights of clients.

use limpet_shared::{Role, SessionId};
use serde::{Deserialize, Serialize};

/// A credential that lets a client in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The token itself.
    Token,
    /// A pass.
    Pass(Pass),
}

/// The rights of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Everything.
    Owner,
    /// The rights of these passes.
    Passes(Vec<Pass>),
}

/// A credential for one session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pass {
    /// The session.
    pub session: SessionId,
    /// The role at the session: a [`Role::Writer`] or a [`Role::Reader`].
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
    /// Returns the role at a session, or `None` if the session may not even be seen.
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

    /// Reports whether everything is allowed.
    #[must_use]
    pub const fn is_owner(&self) -> bool {
        matches!(self, Self::Owner)
    }
}
