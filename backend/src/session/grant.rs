//! The credential that a viewer came with.

use limpet_shared::{Role, SessionId, ViewerId};
use sha2::{Digest, Sha256};

/// Identifies the credential that allows somebody to use a session. Clients choose viewer ids
/// themselves, so an id has a meaning only together with its grant: nobody can replace, or ask
/// about, the viewer of another grant by knowing its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GrantId(Option<[u8; 16]>);

/// The part of a [`ViewerId`] that names the guests' grant that it belongs to. Two grants may have
/// the same tag by chance; they then share a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GrantTag([u8; 4]);

/// UUID version of the ids that [`GrantId::viewer`] derives: custom content (RFC 9562, 5.8).
const VERSION: u8 = 8;

impl GrantId {
    /// The owner's grant.
    pub const OWNER: Self = Self(None);

    /// Returns the grant of a client with this role at a session. Guests with the
    /// same pass share one.
    #[must_use]
    pub fn of(session: &SessionId, role: Role) -> Self {
        if role == Role::Owner {
            return Self::OWNER;
        }
        let mut digest = Sha256::new();
        digest.update([role as u8]);
        digest.update(session.as_str());
        Self(Some(first(digest)))
    }

    /// Derives the id by which the session knows a viewer that calls itself `claimed`. Ids of
    /// owners stay as they are.
    #[must_use]
    pub fn viewer(&self, claimed: ViewerId) -> ViewerId {
        let Some(grant) = self.0 else { return claimed };
        let mut digest = Sha256::new();
        digest.update(grant);
        digest.update(claimed.as_bytes());
        let mut bytes: [u8; 16] = first(digest);
        bytes[..4].copy_from_slice(&grant[..4]);
        bytes[6] = VERSION << 4 | bytes[6] & 0x0f;
        bytes[8] = 0x80 | bytes[8] & 0x3f;
        ViewerId::from_bytes(bytes)
    }
}

impl GrantTag {
    /// Returns the tag in a viewer's id as the session knows it; `None` for an owner.
    pub(super) fn of(viewer: ViewerId) -> Option<Self> {
        let bytes = viewer.as_bytes();
        (bytes[6] >> 4 == VERSION).then(|| Self([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }
}

fn first(digest: Sha256) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.finalize()[..16]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_id_is_another_viewer_by_every_grant() {
        let (one, other) = ("a".parse().unwrap(), "b".parse().unwrap());
        let grants = [
            GrantId::OWNER,
            GrantId::of(&one, Role::Writer),
            GrantId::of(&one, Role::Reader),
            GrantId::of(&other, Role::Writer),
        ];
        let claimed = ViewerId::from_random([7; 16]);
        let viewers = grants.map(|grant| grant.viewer(claimed));
        assert_eq!(viewers[0], claimed);
        for (at, viewer) in viewers.iter().enumerate() {
            assert!(!viewers[..at].contains(viewer));
            assert_eq!(*viewer, grants[at].viewer(claimed), "it is the same every time");
            assert_eq!(GrantTag::of(*viewer).is_none(), at == 0);
            assert_ne!(*viewer, grants[at].viewer(ViewerId::from_random([8; 16])));
        }
        let tag = GrantTag::of(viewers[1]);
        assert_eq!(tag, GrantTag::of(grants[1].viewer(ViewerId::from_random([8; 16]))));
        assert_ne!(tag, GrantTag::of(viewers[2]));
    }
}
