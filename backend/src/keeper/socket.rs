//! Packets with descriptors, over a socket between two processes (unix(7)).
#![expect(unsafe_code, reason = "descriptors arrive as numbers, and become owned here")]

use std::{
    io::{self, IoSlice, IoSliceMut},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use nix::{
    cmsg_space,
    sys::socket::{
        AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg,
        setsockopt, socketpair, sockopt,
    },
};
use serde::{Serialize, de::DeserializeOwned};

/// The largest packet, in bytes. It holds the largest request that starts a program.
pub(super) const PACKET: usize = 512 * 1024;

/// Most descriptors in a packet.
const DESCRIPTORS: usize = 8;

/// Two ends that are connected, both closed on exec. Sockets of this kind keep packets whole and in order.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let ends = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    for end in [&ends.0, &ends.1] {
        // The kernel grants less than this to ordinary users, which is enough for ordinary packets.
        setsockopt(end, sockopt::SndBuf, &(2 * PACKET))?;
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
    let text = serde_json::to_vec(message)?;
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let rights = if numbers.is_empty() { &[][..] } else { &rights[..] };
    let flags = MsgFlags::MSG_NOSIGNAL;
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&text)], rights, flags, None)?;
    Ok(())
}

/// Room for a packet.
#[derive(Debug)]
pub(super) struct Room(Vec<u8>);

impl Room {
    pub(super) fn new() -> Self {
        Self(vec![0; PACKET])
    }
}

/// The next message, and the descriptors that came with it, which are closed on exec; `None` when there is nobody at the other
/// end any more.
///
/// # Errors
/// Those of recvmsg(2), and what is no such message.
pub(super) fn receive<M: DeserializeOwned>(
    socket: BorrowedFd<'_>,
    Room(packet): &mut Room,
) -> io::Result<Option<(M, Vec<OwnedFd>)>> {
    let mut control = cmsg_space!([RawFd; DESCRIPTORS]);
    let (len, descriptors) = {
        let mut slices = [IoSliceMut::new(packet)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let received = recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags)?;
        let mut descriptors = Vec::new();
        for message in received.cmsgs()? {
            if let ControlMessageOwned::ScmRights(numbers) = message {
                // SAFETY: the kernel has just made these descriptors for us, and nobody else knows of them.
                descriptors.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
            }
        }
        (received.bytes, descriptors)
    };
    if len == 0 {
        return Ok(None);
    }
    Ok(Some((serde_json::from_slice(&packet[..len])?, descriptors)))
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
        assert_eq!((text.as_str(), descriptors.len()), ("first", 1));
        File::from(descriptors.remove(0)).write_all(b"through it").unwrap();
        let (text, descriptors) = receive::<String>(other.as_fd(), &mut room).unwrap().unwrap();
        assert_eq!((text.as_str(), descriptors.len()), ("second", 0));
        assert!(receive::<String>(other.as_fd(), &mut room).unwrap().is_none());
        let mut through = String::new();
        { read }.read_to_string(&mut through).unwrap();
        assert_eq!(through, "through it");
    }
}
