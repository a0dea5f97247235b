//! Sends and receives packets with descriptors over a socket between two processes (unix(7)).
#![expect(unsafe_code, reason = "descriptors arrive as numbers, and become owned here")]

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

use nix::{
    errno::Errno,
    libc,
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

/// Maximum number of descriptors in a packet.
const MAX_DESCRIPTORS: usize = 8;

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
    let (len, descriptors) = receive_packet(socket, packet)?;
    if len == 0 {
        return Ok(None);
    }
    let message = serde_json::from_slice(&packet[..len]);
    Ok(Some((message.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?, descriptors)))
}

/// A buffer for the descriptors of a packet, as recvmsg(2) writes them.
#[repr(C, align(8))]
struct ControlBuffer([u8; 128]);

const _: () = assert!(
    size_of::<libc::cmsghdr>() + MAX_DESCRIPTORS * size_of::<RawFd>() <= size_of::<ControlBuffer>(),
    "it holds the descriptors of a packet"
);

/// Receives a packet. The wrapper of nix loses descriptors that have arrived when others have not.
fn receive_packet(socket: BorrowedFd<'_>, packet: &mut [u8]) -> io::Result<(usize, Descriptors)> {
    let mut control = ControlBuffer([0; 128]);
    let mut slice = libc::iovec { iov_base: packet.as_mut_ptr().cast(), iov_len: packet.len() };
    // SAFETY: the struct consists of integers and pointers, all of which may be zero.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut slice;
    header.msg_iovlen = 1;
    header.msg_control = (&raw mut control).cast();
    header.msg_controllen = size_of::<ControlBuffer>() as _;
    // SAFETY: the descriptor is open for the call, and the header names memory that is ours alone,
    // with its lengths.
    let len =
        Errno::result(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC) })?;
    let mut descriptors =
        Descriptors { is_truncated: header.msg_flags & libc::MSG_CTRUNC != 0, ..Default::default() };
    // SAFETY: the kernel has filled in the header, and the memory that it names lives as long as
    // this function.
    let mut part = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    while let Some(found) = ptr::NonNull::new(part) {
        // SAFETY: the kernel has written this part, aligned as the buffer is.
        let (level, kind, len) = unsafe {
            ((*found.as_ptr()).cmsg_level, (*found.as_ptr()).cmsg_type, (*found.as_ptr()).cmsg_len)
        };
        if (level, kind) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: as above.
            let (start, overhead) = unsafe { (libc::CMSG_DATA(part), libc::CMSG_LEN(0)) };
            for index in 0..len.saturating_sub(overhead as usize) / size_of::<RawFd>() {
                // SAFETY: the length of the part, which the kernel wrote, covers this number.
                let number =
                    unsafe { start.add(index * size_of::<RawFd>()).cast::<RawFd>().read_unaligned() };
                // SAFETY: the kernel has just created this descriptor for us, and nobody else knows
                // of it.
                let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
                descriptors.received.push_back(descriptor);
            }
        }
        // SAFETY: as for the first part.
        part = unsafe { libc::CMSG_NXTHDR(&raw const header, part) };
    }
    Ok((len.cast_unsigned(), descriptors))
}

/// Returns the descriptors that a service manager has passed to this process (`sd_listen_fds(3)`),
/// with their names. Must be called once, before this process has opened any.
pub(super) fn take_inherited() -> io::Result<Vec<(String, OwnedFd)>> {
    let inherited = sd_notify::listen_fds_with_names()?;
    // SAFETY: the service manager tells this process, and no other one, that these are open and
    // belong to it. Nothing else in this process knows of them, since this is called once.
    Ok(inherited.map(|(number, name)| (name, unsafe { OwnedFd::from_raw_fd(number) })).collect())
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
