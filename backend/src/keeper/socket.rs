//! Packets with descriptors, over a socket between two processes (unix(7)).
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
        AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, setsockopt, socketpair, sockopt,
    },
};
use serde::{Serialize, de::DeserializeOwned};

/// The largest packet that is received, in bytes.
const MAX_PACKET_BYTES: usize = 512 * 1024;

/// The largest message that a server sends, in bytes. It holds the largest request that starts a program. Whatever the keeper
/// answers repeats at most one of them, and so fits into a packet as well, also in the smaller ones that the kernel grants to
/// ordinary users (`net.core.wmem_max`, socket(7)).
pub(super) const MAX_ORDER_BYTES: usize = 384 * 1024;

/// Most descriptors in a packet.
const MAX_DESCRIPTORS: usize = 8;

/// How often it is tried to send when the kernel has no memory for that, and how long it is waited in between, in milliseconds.
const SEND_TRIES: usize = 5;
const SEND_PAUSE_MS: u16 = 2;

/// Two ends that are connected, both closed on exec. Sockets of this kind keep packets whole and in order.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let ends = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    for end in [&ends.0, &ends.1] {
        // The kernel grants less than this to ordinary users, which is enough for ordinary packets.
        setsockopt(end, sockopt::SndBuf, &(2 * MAX_PACKET_BYTES))?;
    }
    Ok(ends)
}

/// Sends a message. Whole or not at all.
///
/// # Errors
/// Those of sendmsg(2): `EPIPE` when nobody is at the other end any more, `EMSGSIZE` when the message is too large.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    message: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    send_text(socket, &serde_json::to_vec(message)?, descriptors)
}

/// The same, of a message that is written already.
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

/// Sends a message from a process that has nothing else to do. A kernel without memory is asked again, for some milliseconds.
///
/// # Errors
/// As above.
pub(super) fn send_patiently(
    socket: BorrowedFd<'_>,
    message: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    for _ in 1..SEND_TRIES {
        match send(socket, message, descriptors) {
            Err(error) if is_transient(&error) => {
                // Waits for nothing but time. An error says that it has waited less.
                let _ = poll(&mut [], PollTimeout::from(SEND_PAUSE_MS));
            }
            sent => return sent,
        }
    }
    send(socket, message, descriptors)
}

/// Whether the same call may succeed when it is made again, though nobody does anything about it.
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

/// Room for a packet.
#[derive(Debug)]
pub(super) struct Room(Vec<u8>);

impl Room {
    pub(super) fn new() -> Self {
        Self(vec![0; MAX_PACKET_BYTES])
    }
}

/// The descriptors that came with a message, in the order they were sent in.
///
/// There are fewer than were sent when this process could not have more: the message itself arrives all the same.
#[derive(Debug, Default)]
pub(super) struct Descriptors {
    received: VecDeque<OwnedFd>,
    is_truncated: bool,
}

impl Descriptors {
    /// Takes the next one.
    ///
    /// # Errors
    /// `EMFILE` when some were lost on arrival, else that there is none.
    pub(super) fn next(&mut self) -> io::Result<OwnedFd> {
        self.check()?;
        let missing = || io::Error::new(io::ErrorKind::InvalidData, "a message lacks a descriptor");
        self.received.pop_front().ok_or_else(missing)
    }

    /// Fails when some were lost on arrival.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.is_truncated { Err(Errno::EMFILE.into()) } else { Ok(()) }
    }
}

/// The next message, and the descriptors that came with it, which are closed on exec; `None` when there is nobody at the other
/// end any more.
///
/// # Errors
/// Those of recvmsg(2), after which the message may still be there, and `InvalidData` for what is no such message.
pub(super) fn receive<M: DeserializeOwned>(
    socket: BorrowedFd<'_>,
    Room(packet): &mut Room,
) -> io::Result<Option<(M, Descriptors)>> {
    let (len, descriptors) = receive_packet(socket, packet)?;
    if len == 0 {
        return Ok(None);
    }
    let message = serde_json::from_slice(&packet[..len]);
    Ok(Some((message.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?, descriptors)))
}

/// Room for the descriptors of a packet, as recvmsg(2) writes them.
#[repr(C, align(8))]
struct ControlBuffer([u8; 128]);

const _: () = assert!(
    size_of::<libc::cmsghdr>() + MAX_DESCRIPTORS * size_of::<RawFd>() <= size_of::<ControlBuffer>(),
    "it holds the descriptors of a packet"
);

/// Receives a packet. The wrapper of nix loses track of what has arrived when not all of it has.
fn receive_packet(socket: BorrowedFd<'_>, packet: &mut [u8]) -> io::Result<(usize, Descriptors)> {
    let mut control = ControlBuffer([0; 128]);
    let mut slice = libc::iovec { iov_base: packet.as_mut_ptr().cast(), iov_len: packet.len() };
    // SAFETY: it is made of integers and pointers, all of which may be zero.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut slice;
    header.msg_iovlen = 1;
    header.msg_control = (&raw mut control).cast();
    header.msg_controllen = size_of::<ControlBuffer>() as _;
    // SAFETY: the descriptor is open for the call, and the header names memory that is ours alone, with its lengths.
    let len =
        Errno::result(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC) })?;
    let mut descriptors =
        Descriptors { is_truncated: header.msg_flags & libc::MSG_CTRUNC != 0, ..Default::default() };
    // SAFETY: the kernel has filled the header, and what it names lives as long as this function.
    let mut part = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    while let Some(found) = ptr::NonNull::new(part) {
        // SAFETY: it is a part that the kernel has written, aligned as the buffer is.
        let (level, kind, len) = unsafe {
            ((*found.as_ptr()).cmsg_level, (*found.as_ptr()).cmsg_type, (*found.as_ptr()).cmsg_len)
        };
        if (level, kind) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: as above.
            let (start, overhead) = unsafe { (libc::CMSG_DATA(part), libc::CMSG_LEN(0)) };
            for index in 0..len.saturating_sub(overhead as usize) / size_of::<RawFd>() {
                // SAFETY: the part's length, which the kernel wrote, says that so many numbers are there.
                let number =
                    unsafe { start.add(index * size_of::<RawFd>()).cast::<RawFd>().read_unaligned() };
                // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
                let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
                descriptors.received.push_back(descriptor);
            }
        }
        // SAFETY: as for the first part.
        part = unsafe { libc::CMSG_NXTHDR(&raw const header, part) };
    }
    Ok((len.cast_unsigned(), descriptors))
}

/// The descriptors that a service manager has started this process with (`sd_listen_fds(3)`), and their names. To be called once, before
/// this process has opened any.
pub(super) fn inherited() -> io::Result<Vec<(String, OwnedFd)>> {
    let inherited = sd_notify::listen_fds_with_names()?;
    // SAFETY: whoever started this process says, to no other than it, that these are open, and that they are for it. Nobody else
    // in it knows of them, since this is called once.
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
        let ((one, other), mut room) = (pair().unwrap(), Room::new());
        let (read, write) = io::pipe().unwrap();
        send(one.as_fd(), &"first", &[write.as_fd()]).unwrap();
        send(one.as_fd(), &"second", &[]).unwrap();
        drop((one, write));
        let (text, mut descriptors) = receive::<String>(other.as_fd(), &mut room).unwrap().unwrap();
        assert_eq!((text.as_str(), descriptors.received.len()), ("first", 1));
        File::from(descriptors.next().unwrap()).write_all(b"through it").unwrap();
        let (text, descriptors) = receive::<String>(other.as_fd(), &mut room).unwrap().unwrap();
        assert_eq!((text.as_str(), descriptors.received.len()), ("second", 0));
        assert!(descriptors.check().is_ok() && { descriptors }.next().is_err());
        assert!(receive::<String>(other.as_fd(), &mut room).unwrap().is_none());
        let mut through = String::new();
        { read }.read_to_string(&mut through).unwrap();
        assert_eq!(through, "through it");
    }
}
