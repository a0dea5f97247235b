//! A service manager as seen by a service that stores descriptors with it: `sd_notify(3)`,
//! `sd_listen_fds(3)`.
#![expect(unsafe_code, reason = "descriptors arrive as numbers, and become owned here")]

use std::{
    io::IoSliceMut,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::net::UnixDatagram,
    },
    sync::{Arc, Mutex},
    thread,
};

use nix::{
    cmsg_space, libc,
    sys::socket::{ControlMessageOwned, MsgFlags, recvmsg},
};
use tempfile::TempDir;

use super::Options;

/// A service manager that listens to a service until it is dropped.
pub(crate) struct ServiceManager {
    folder: TempDir,
    state: Arc<Mutex<ServiceState>>,
}

#[derive(Default)]
struct ServiceState {
    store: Vec<(String, Arc<OwnedFd>)>,
    states: Vec<String>,
}

impl ServiceManager {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        let state = Arc::new(Mutex::new(ServiceState::default()));
        let listener = Arc::downgrade(&state);
        thread::spawn(move || {
            while let Some((text, descriptors)) = receive(&socket) {
                let Some(state) = listener.upgrade() else { break };
                state.lock().unwrap().on_notification(&text, descriptors);
            }
        });
        Self { folder, state }
    }

    /// Returns the options that start a service with the stored descriptors.
    pub(crate) fn options(&self) -> Options {
        let stored = self.state.lock().unwrap().store.clone();
        let names: Vec<&str> = stored.iter().map(|(name, _)| &name[..]).collect();
        let socket = self.folder.path().join("notify");
        let mut options =
            Options::default().env("NOTIFY_SOCKET", socket.to_str().unwrap()).env("FDSTORE", "512");
        if !stored.is_empty() {
            options =
                options.env("LISTEN_FDS", &names.len().to_string()).env("LISTEN_FDNAMES", &names.join(":"));
        }
        options.inherited = stored.into_iter().map(|(_, fd)| fd).collect();
        // The process knows its own number only once it runs, before it becomes the service.
        options.wrapped(["sh", "-c", r#"LISTEN_PID=$$ exec "$@""#, "sh"])
    }

    /// Returns the names of the stored descriptors.
    pub(crate) fn stored_names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            self.state.lock().unwrap().store.iter().map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    }

    pub(crate) fn has_received(&self, state: &str) -> bool {
        self.state.lock().unwrap().states.iter().any(|heard| heard == state)
    }
}

impl ServiceState {
    fn on_notification(&mut self, text: &str, descriptors: Vec<OwnedFd>) {
        let name = text.lines().find_map(|line| line.strip_prefix("FDNAME=")).map(str::to_owned);
        for line in text.lines() {
            match (line, &name) {
                ("FDSTORE=1", Some(name)) => assert!(!name.contains(':') && name.len() < 256, "{name}"),
                ("FDSTOREREMOVE=1", Some(name)) => self.store.retain(|(stored, _)| stored != name),
                _ => self.states.push(line.to_owned()),
            }
        }
        for fd in descriptors {
            if !self.store.iter().any(|(_, stored)| is_same(stored, &fd)) {
                self.store.push((name.clone().unwrap(), Arc::new(fd)));
            }
        }
    }
}

/// Reports whether two descriptors refer to the same open file description. Only one of them is
/// stored.
fn is_same(one: &OwnedFd, other: &OwnedFd) -> bool {
    const KCMP_FILE: i32 = 0;
    let this = std::process::id();
    // SAFETY: the call takes only integers, and only compares (kcmp(2)).
    unsafe { libc::syscall(libc::SYS_kcmp, this, this, KCMP_FILE, one.as_raw_fd(), other.as_raw_fd()) == 0 }
}

impl Drop for ServiceManager {
    fn drop(&mut self) {
        // The listening thread still has the socket open, since only this datagram ends it.
        let last = UnixDatagram::unbound().unwrap();
        let _ = last.send_to(b"", self.folder.path().join("notify"));
    }
}

/// Receives the next datagram. Returns `None` for an empty one, which is the last.
fn receive(socket: &UnixDatagram) -> Option<(String, Vec<OwnedFd>)> {
    let (mut text, mut control) = ([0; 4096], cmsg_space!([RawFd; 8]));
    let mut slices = [IoSliceMut::new(&mut text)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let received = recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags).unwrap();
    let mut descriptors = Vec::new();
    for message in received.cmsgs().unwrap() {
        if let ControlMessageOwned::ScmRights(numbers) = message {
            // SAFETY: the kernel has just created these descriptors for us, and nobody else knows
            // them.
            descriptors.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
        }
    }
    let len = received.bytes;
    (len > 0).then(|| (String::from_utf8(text[..len].to_vec()).unwrap(), descriptors))
}
