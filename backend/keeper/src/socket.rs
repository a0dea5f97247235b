//! Sends and receives packets with descriptors over a socket between two processes (unix(7)).

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd},
};

use limpet_sys::descriptors::{self, Received};
use nix::{
    errno::Errno,
    poll::{PollTimeout, poll},
    sys::socket::{
        AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, recv, sendmsg, setsockopt, socketpair,
        sockopt,
    },
};
use serde::{Serialize, de::DeserializeOwned};

/// Maximum size of a received packet, in bytes.
const MAX_PACKET_BYTES: usize = 512 * 1024;

/// Maximum size of a message from a server, in bytes. The largest request that starts a program
/// fits into it. An answer of the keeper repeats at most one request, so it fits into a packet as
/// well, even into the smaller ones that the kernel grants to ordinary users (`net.core.wmem_max`,
/// socket(7)).
pub(super) const MAX_REQUEST_BYTES: usize = 384 * 1024;

/// Maximum number of attempts to send when the kernel has no memory for it, and the pause between
/// them in milliseconds.
const MAX_SEND_ATTEMPTS: usize = 5;
const SEND_PAUSE_MS: u16 = 2;

/// Creates two connected sockets, both close-on-exec. This kind of socket (`SOCK_SEQPACKET`) keeps
/// packets whole and in order.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let ends = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    for end in [&ends.0, &ends.1] {
        // The kernel grants less than this to ordinary users, which suffices for ordinary packets.
        setsockopt(end, sockopt::SndBuf, &(2 * MAX_PACKET_BYTES))?;
    }
    Ok(ends)
}

/// Sends a message, whole or not at all.
///
/// # Errors
/// Returns the errors of sendmsg(2): `EPIPE` if the other end is closed, `EMSGSIZE` if the message
/// is too large.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    message: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    send_text(socket, &serde_json::to_vec(message)?, descriptors)
}

/// Like [`send`], for a message that is serialized already.
pub(super) fn send_text(
    socket: BorrowedFd<'_>,
    text: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    if text.len() > MAX_PACKET_BYTES {
        return Err(Errno::EMSGSIZE.into());
    }
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let rights = if numbers.is_empty() { &[][..] } else { &rights[..] };
    let flags = MsgFlags::MSG_NOSIGNAL;
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(text)], rights, flags, None)?;
    Ok(())
}

/// Sends a message from a process that has nothing else to do. Retries for some milliseconds if the
/// kernel is short of memory.
///
/// # Errors
/// Returns the errors of [`send`].
pub(super) fn send_with_retries(
    socket: BorrowedFd<'_>,
    message: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    for _ in 1..MAX_SEND_ATTEMPTS {
        match send(socket, message, descriptors) {
            Err(error) if is_transient(&error) => {
                // This call only passes time. If it fails, the pause is shorter.
                let _ = poll(&mut [], PollTimeout::from(SEND_PAUSE_MS));
            }
            sent => return sent,
        }
    }
    send(socket, message, descriptors)
}

/// Reports whether the same call may succeed later without any other change.
pub(super) fn is_transient(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(
        errno,
        Some(
            Errno::ENOMEM
                | Errno::ENOBUFS
                | Errno::EMFILE
                | Errno::ENFILE
                | Errno::ETOOMANYREFS
                | Errno::EINTR
        )
    )
}

/// A buffer for a packet. It grows to the largest packet received.
#[derive(Debug, Default)]
pub(super) struct ReceiveBuffer(Vec<u8>);

impl ReceiveBuffer {
    /// Makes room for the next packet, and returns the room.
    fn prepare(&mut self, socket: BorrowedFd<'_>) -> io::Result<&mut [u8]> {
        // The size of the whole packet, which stays in the socket.
        let len = recv(socket.as_raw_fd(), &mut [], MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC)?;
        let len = len.min(MAX_PACKET_BYTES);
        if self.0.len() < len {
            self.0.resize(len, 0);
        }
        Ok(&mut self.0)
    }
}

/// The descriptors that came with a message, in the order in which they were sent.
///
/// Some are missing if this process could not have more descriptors. The message itself arrives all
/// the same.
#[derive(Debug, Default)]
pub(super) struct Descriptors {
    received: VecDeque<OwnedFd>,
    is_truncated: bool,
}

impl Descriptors {
    /// Takes the next descriptor.
    ///
    /// # Errors
    /// Returns `EMFILE` if some were lost on arrival, and `InvalidData` if there are no more.
    pub(super) fn next(&mut self) -> io::Result<OwnedFd> {
        self.check()?;
        let missing = || io::Error::new(io::ErrorKind::InvalidData, "a descriptor is missing from a message");
        self.received.pop_front().ok_or_else(missing)
    }

    /// Returns an error if some descriptors were lost on arrival.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.is_truncated { Err(Errno::EMFILE.into()) } else { Ok(()) }
    }
}

/// Receives the next message and its descriptors, which are close-on-exec. Returns `None` if the
/// other end is closed.
///
/// # Errors
/// Returns the errors of recvmsg(2), after which the message may still be there, and `InvalidData`
/// for a malformed message.
pub(super) fn receive<M: DeserializeOwned>(
    socket: BorrowedFd<'_>,
    buffer: &mut ReceiveBuffer,
) -> io::Result<Option<(M, Descriptors)>> {
    let packet = buffer.prepare(socket)?;
    let Received { len, descriptors, is_truncated } = descriptors::receive(socket, packet)?;
    if len == 0 {
        return Ok(None);
    }
    let message = serde_json::from_slice(&packet[..len]);
    let message = message.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(Some((message, Descriptors { received: descriptors, is_truncated })))
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{Read, Write},
        os::fd::AsFd,
    };

    use super::*;

    #[test]
    fn messages_and_descriptors_arrive_together() {
        let ((one, other), mut buffer) = (pair().unwrap(), ReceiveBuffer::default());
        let (read, write) = io::pipe().unwrap();
        send(one.as_fd(), &"first", &[write.as_fd()]).unwrap();
        send(one.as_fd(), &"second", &[]).unwrap();
        drop((one, write));
        let (text, mut descriptors) = receive::<String>(other.as_fd(), &mut buffer).unwrap().unwrap();
        assert_eq!((text.as_str(), descriptors.received.len()), ("first", 1));
        File::from(descriptors.next().unwrap()).write_all(b"through it").unwrap();
        let (text, descriptors) = receive::<String>(other.as_fd(), &mut buffer).unwrap().unwrap();
        assert_eq!((text.as_str(), descriptors.received.len()), ("second", 0));
        assert!(descriptors.check().is_ok() && { descriptors }.next().is_err());
        assert!(receive::<String>(other.as_fd(), &mut buffer).unwrap().is_none());
        let mut through = String::new();
        { read }.read_to_string(&mut through).unwrap();
        assert_eq!(through, "through it");
    }
}
