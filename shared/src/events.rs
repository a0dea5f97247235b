//! The feed of events, `GET {base}/api/events`: server-sent events about sessions.
//!
//! The feed begins with a `snapshot` of all sessions that the client may see. Each later event is a
//! change to it. The data of an event is JSON.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{SessionId, api::SessionInfo};

/// An event of the feed.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionEvent {
    /// All sessions, the oldest first. Everything that earlier events said is replaced.
    Snapshot(Vec<SessionInfo>),
    /// A session was created.
    Created(SessionInfo),
    /// Something about a session has changed.
    Changed(SessionChange),
    /// A session's program has ended; its exit status is among the changes.
    Ended(SessionChange),
    /// A session is no longer known.
    Removed(SessionRemoval),
}

/// The changes to one session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionChange {
    /// The session.
    pub id: SessionId,
    /// The fields of [`SessionInfo`] that have changed, with their new values. A field that has
    /// none any more is `null`.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// The end of a session's entry in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRemoval {
    /// The session.
    pub id: SessionId,
}

impl SessionEvent {
    /// Parses an event with this name. `None` if the name is unknown: such events are ignored.
    ///
    /// # Errors
    /// If the data is not what an event of that name has.
    pub fn parse(name: &str, data: &str) -> Result<Option<Self>, serde_json::Error> {
        Ok(Some(match name {
            "snapshot" => Self::Snapshot(serde_json::from_str(data)?),
            "created" => Self::Created(serde_json::from_str(data)?),
            "changed" => Self::Changed(serde_json::from_str(data)?),
            "ended" => Self::Ended(serde_json::from_str(data)?),
            "removed" => Self::Removed(serde_json::from_str(data)?),
            _ => return Ok(None),
        }))
    }

    /// Brings a list of sessions up to date.
    ///
    /// # Errors
    /// If a changed field has a value that it cannot have.
    pub fn apply_to(self, sessions: &mut Vec<SessionInfo>) -> Result<(), serde_json::Error> {
        match self {
            Self::Snapshot(all) => *sessions = all,
            Self::Created(session) => {
                sessions.retain(|known| known.id != session.id);
                sessions.push(session);
            }
            Self::Changed(change) | Self::Ended(change) => {
                if let Some(session) = sessions.iter_mut().find(|known| known.id == change.id) {
                    *session = change.apply_to(session)?;
                }
            }
            Self::Removed(SessionRemoval { id }) => sessions.retain(|known| known.id != id),
        }
        Ok(())
    }
}

impl SessionChange {
    /// Returns what has changed between two descriptions of a session, if anything has.
    #[must_use]
    pub fn between(before: &SessionInfo, after: &SessionInfo) -> Option<Self> {
        let (before, mut fields) = (fields_of(before), fields_of(after));
        let gone = before.keys().filter(|&name| !fields.contains_key(name));
        let gone: Vec<String> = gone.cloned().collect();
        fields.retain(|name, value| before.get(name) != Some(value));
        fields.extend(gone.into_iter().map(|name| (name, Value::Null)));
        (!fields.is_empty()).then(|| Self { id: after.id.clone(), fields })
    }

    /// Returns the description of the session after this change.
    ///
    /// # Errors
    /// If a field has a value that it cannot have.
    pub fn apply_to(&self, before: &SessionInfo) -> Result<SessionInfo, serde_json::Error> {
        let mut fields = fields_of(before);
        fields.extend(self.fields.clone());
        serde_json::from_value(Value::Object(fields))
    }
}

fn fields_of(session: &SessionInfo) -> Map<String, Value> {
    match serde_json::to_value(session) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;
    use crate::{ExitStatus, Role, SessionSpec, SessionState, Sizing};

    fn session() -> SessionInfo {
        SessionInfo {
            id: "a".parse().unwrap(),
            role: Role::Owner,
            command: vec!["bash".to_owned()],
            spec: SessionSpec { created: 1_790_000_000_000, ..SessionSpec::default() },
            state: SessionState { label: "bash".to_owned(), cols: 80, rows: 24, ..SessionState::default() },
        }
    }

    #[test]
    fn a_change_has_only_what_has_changed() {
        let before = session();
        assert_eq!(SessionChange::between(&before, &before), None);
        let mut after = before.clone();
        after.spec.title = Some("mine".to_owned());
        after.state.label = "mine".to_owned();
        let change = SessionChange::between(&before, &after).unwrap();
        let json = r#"{"id":"a","label":"mine","title":"mine"}"#;
        assert_eq!(serde_json::to_string(&change).unwrap(), json);
        assert_eq!(change.apply_to(&before).unwrap(), after);
        let back = SessionChange::between(&after, &before).unwrap();
        let json = r#"{"id":"a","label":"bash","title":null}"#;
        assert_eq!(serde_json::to_string(&back).unwrap(), json);
        assert_eq!(back.apply_to(&after).unwrap(), before);
    }

    #[test]
    fn events_keep_a_list_up_to_date() {
        let apply = |sessions: &mut Vec<SessionInfo>, name: &str, data: &str| {
            SessionEvent::parse(name, data).unwrap().unwrap().apply_to(sessions).unwrap();
        };
        let (mut sessions, one) = (Vec::new(), session());
        apply(&mut sessions, "snapshot", &serde_json::to_string(&[&one]).unwrap());
        assert_eq!(sessions, slice::from_ref(&one));
        apply(&mut sessions, "changed", r#"{"id":"a","sizing":"fixed","cols":100,"unknown":1}"#);
        assert_eq!((sessions[0].spec.sizing, sessions[0].state.cols), (Sizing::Fixed, 100));
        apply(&mut sessions, "ended", r#"{"id":"a","exit":{"code":3}}"#);
        assert_eq!(sessions[0].state.exit, Some(ExitStatus::Code(3)));
        let other = SessionInfo { id: "b".parse().unwrap(), ..one };
        apply(&mut sessions, "created", &serde_json::to_string(&other).unwrap());
        apply(&mut sessions, "removed", r#"{"id":"a"}"#);
        assert_eq!(sessions, [other]);
        assert!(SessionEvent::parse("later", "{}").unwrap().is_none(), "unknown events are ignored");
        assert!(SessionEvent::parse("removed", "{}").is_err());
    }
}
