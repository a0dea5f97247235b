//! Stores descriptors in the service manager's file-descriptor store (`FDSTORE=1`, `sd_notify(3)`),
//! where they outlive even the keeper.
//!
//! A service manager with such a store gets a copy of every descriptor that the keeper holds, and
//! passes the copies to the process that it starts next (`sd_listen_fds(3)`). Each descriptor has a
//! name that consists of its session, its part and a number. The number exists because a replaced
//! part must be in the store all the time: the new descriptor is put there before the old one is
//! removed, and the highest number is valid.

use std::{
    collections::BTreeMap,
    env, fmt, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use limpet_shared::SessionId;
use limpet_sys::descriptors;
use sd_notify::NotifyState;

/// The meaning of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// The memory of a session's output log and input.
    Memory,
    /// The master side of a session's terminal.
    Master,
    /// The pidfd of a session's program.
    Program,
    /// The pipe that holds a session's input on its way to the terminal.
    Pipe,
    /// The checkpoint of a session.
    Screen,
    /// The description of a session, with its record.
    Report,
    /// The pidfd of the server.
    Server,
    /// The listening socket of the server.
    Listener,
    /// The server's record for the next server.
    Record,
}

impl Part {
    const ALL: [(Self, &str); 9] = [
        (Self::Memory, "memory"),
        (Self::Master, "master"),
        (Self::Program, "program"),
        (Self::Pipe, "pipe"),
        (Self::Screen, "screen"),
        (Self::Report, "note"),
        (Self::Server, "server"),
        (Self::Listener, "listener"),
        (Self::Record, "record"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(part, _)| *part == self).map_or("", |&(_, name)| name)
    }
}

/// Name of a stored descriptor.
#[derive(Clone, Debug, PartialEq)]
struct Name {
    /// `None` for a part that belongs to no session.
    session: Option<SessionId>,
    part: Part,
    number: u64,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let session = self.session.as_ref().map_or("", SessionId::as_str);
        write!(f, "{session}.{}.{}", self.part.name(), self.number)
    }
}

impl Name {
    fn parse(name: &str) -> Option<Self> {
        let mut fields = name.split('.');
        let (session, part, number) = (fields.next()?, fields.next()?, fields.next()?.parse().ok()?);
        let session = if session.is_empty() { None } else { Some(session.parse().ok()?) };
        let &(part, _) = Part::ALL.iter().find(|(_, name)| *name == part)?;
        Some(Self { session, part, number })
    }
}

/// The service manager's store, if there is one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Store {
    is_available: bool,
}

impl Store {
    /// Returns the store that this process was started with.
    pub(super) fn find() -> Self {
        let max_descriptors = env::var("FDSTORE").ok().and_then(|max| max.parse::<u32>().ok()).unwrap_or(0);
        Self { is_available: max_descriptors > 0 && env::var_os("NOTIFY_SOCKET").is_some() }
    }

    pub(super) fn is_available(self) -> bool {
        self.is_available
    }
}

fn put(name: &Name, fd: BorrowedFd<'_>) {
    let name = name.to_string();
    // The service manager must keep a terminal even if its program has ended.
    let state = [NotifyState::FdStore, NotifyState::FdName(&name), NotifyState::Custom("FDPOLL=0")];
    if let Err(error) = sd_notify::notify_with_fds(&state, &[fd]) {
        tracing::error!(%name, %error, "could not store a descriptor with the service manager");
    }
}

fn remove(name: &Name) {
    let name = name.to_string();
    if let Err(error) = sd_notify::notify(&[NotifyState::FdStoreRemove, NotifyState::FdName(&name)]) {
        tracing::error!(%name, %error, "could not remove a descriptor from the service manager's store");
    }
}

/// Notifies the service manager, if there is one, of the state of this service.
pub(super) fn notify(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        tracing::warn!(%error, "could not notify the service manager");
    }
}

/// The stored descriptors of one session, or those that belong to no session.
#[derive(Debug, Default)]
pub(super) struct FdStoreSlot {
    store: Store,
    session: Option<SessionId>,
    numbers: BTreeMap<Part, u64>,
}

impl FdStoreSlot {
    pub(super) fn new(store: Store, session: Option<SessionId>) -> Self {
        Self { store, session, numbers: BTreeMap::new() }
    }

    /// Reports whether there is a store.
    pub(super) fn is_available(&self) -> bool {
        self.store.is_available
    }

    /// Stores a descriptor, in the place of the last one.
    pub(super) fn put(&mut self, part: Part, fd: BorrowedFd<'_>) {
        if !self.store.is_available {
            return;
        }
        let before = self.numbers.get(&part).copied();
        let number = before.map_or(0, |number| number + 1);
        put(&self.name(part, number), fd);
        self.numbers.insert(part, number);
        if let Some(number) = before {
            remove(&self.name(part, number));
        }
    }

    /// Stores a text.
    pub(super) fn put_text(&mut self, part: Part, text: &str) -> io::Result<()> {
        if self.store.is_available {
            self.put(part, super::create_memory_file("limpet-note", &[text.as_bytes()])?.as_fd());
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, part: Part) {
        if let Some(number) = self.numbers.remove(&part) {
            remove(&self.name(part, number));
        }
    }

    pub(super) fn clear(&mut self) {
        while let Some((&part, _)) = self.numbers.first_key_value() {
            self.remove(part);
        }
    }

    fn name(&self, part: Part, number: u64) -> Name {
        Name { session: self.session.clone(), part, number }
    }
}

/// The descriptors that an earlier keeper has stored for one session, or those that belong to no
/// session.
#[derive(Debug)]
pub(super) struct StoredParts {
    slot: FdStoreSlot,
    parts: BTreeMap<Part, OwnedFd>,
}

impl StoredParts {
    pub(super) fn take(&mut self, part: Part) -> Option<OwnedFd> {
        self.parts.remove(&part)
    }

    pub(super) fn take_text(&mut self, part: Part) -> io::Result<String> {
        super::read_text(self.take(part).ok_or(io::ErrorKind::NotFound)?)
    }

    /// Returns the entries of these descriptors in the store.
    pub(super) fn take_slot(&mut self) -> FdStoreSlot {
        std::mem::take(&mut self.slot)
    }
}

/// Returns the descriptors that an earlier keeper has stored. Must be called once, before anything
/// else opens descriptors.
///
/// # Errors
/// Returns an error if the service manager's variables are malformed.
pub(super) fn take_stored(store: Store) -> io::Result<BTreeMap<Option<SessionId>, StoredParts>> {
    let mut all: BTreeMap<Option<SessionId>, StoredParts> = BTreeMap::new();
    for (name, fd) in descriptors::take_inherited()? {
        let Some(name) = Name::parse(&name) else {
            tracing::warn!(name, "the service manager passed a descriptor that is not limpet's; closing it");
            continue;
        };
        let stored = all.entry(name.session.clone()).or_insert_with(|| StoredParts {
            slot: FdStoreSlot::new(store, name.session.clone()),
            parts: BTreeMap::new(),
        });
        let before = stored.slot.numbers.get(&name.part).copied();
        if before.is_none_or(|before| before < name.number) {
            stored.slot.numbers.insert(name.part, name.number);
            stored.parts.insert(name.part, fd);
        }
        // The keeper was killed between storing the new one of two descriptors and removing the old
        // one.
        if let Some(before) = before {
            remove(&Name { number: before.min(name.number), ..name });
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_were() {
        for session in [None, Some("0123-ab_C".parse().unwrap())] {
            for (part, _) in Part::ALL {
                let name = Name { session: session.clone(), part, number: 17 };
                assert_eq!(Name::parse(&name.to_string()), Some(name));
            }
        }
        let name = Name { session: Some("a".parse().unwrap()), part: Part::Screen, number: 3 };
        assert_eq!(name.to_string(), "a.screen.3", "as earlier versions have named it");
        for odd in ["", "stored", "a.screen", "a.screen.x", "a.other.1", "a b.note.1"] {
            assert_eq!(Name::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn nothing_is_stored_where_there_is_no_store() {
        let mut slot = FdStoreSlot::new(Store::default(), None);
        slot.put_text(Part::Record, "text").unwrap();
        assert!(slot.numbers.is_empty());
    }
}
