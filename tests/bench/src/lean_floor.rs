//! The leanest relay between a pty and a WebSocket: one thread, poll(2), one read, one write.
//!
//! It has no runtime and no queue, and reads only once. No server can undercut its cost of an echo.
//! Unlike the other relay it sends whatever the first read returns, so it is the floor for latency
//! but not for throughput.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::fd::{AsFd as _, OwnedFd},
    thread,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd,
};

use crate::{
    floor::{answer_handshake, open_terminal},
    wire::{FrameHeader, Opcode, frame_header},
};

/// Maximum number of bytes that one read of the pty returns.
const READ_BYTES: usize = 4096;

/// Bytes reserved before the payload for the longest frame header.
const MAX_HEADER_BYTES: usize = 10;

/// Serves until the process is killed, with one thread for each connection. Prints the address on
/// standard output.
pub(crate) fn serve(program: &[String]) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut out = io::stdout();
    writeln!(out, "{}", listener.local_addr()?)?;
    out.flush()?;
    loop {
        let (stream, _) = listener.accept()?;
        let program = program.to_vec();
        // A connection that fails must not end the others.
        thread::spawn(move || relay(stream, &program));
    }
}

fn relay(mut stream: TcpStream, program: &[String]) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    if !shake_hands(&mut stream)? {
        return Ok(());
    }
    let (master, mut command) = open_terminal(program)?;
    let mut child = command.spawn()?;
    // The command holds copies of the terminal's slave side.
    drop(command);
    let relayed = carry(&mut stream, &master);
    child.kill()?;
    child.wait()?;
    relayed
}

/// Completes the handshake. Returns false if the client has left before the end of its request.
fn shake_hands(stream: &mut TcpStream) -> anyhow::Result<bool> {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        let mut bytes = [0; 1024];
        let count = stream.read(&mut bytes)?;
        if count == 0 {
            return Ok(false);
        }
        seen.extend_from_slice(&bytes[..count]);
    }
    stream.write_all(answer_handshake(&seen)?.as_bytes())?;
    Ok(true)
}

/// Relays in both directions until either side ends.
fn carry(stream: &mut TcpStream, master: &OwnedFd) -> anyhow::Result<()> {
    let mut input = Vec::new();
    loop {
        let [socket_is_ready, master_is_ready] = {
            let watch = |fd| PollFd::new(fd, PollFlags::POLLIN);
            let mut both = [watch(stream.as_fd()), watch(master.as_fd())];
            poll(&mut both, PollTimeout::NONE)?;
            both.map(|polled| polled.any().unwrap_or(false))
        };
        if socket_is_ready {
            let mut bytes = [0; READ_BYTES];
            let count = stream.read(&mut bytes)?;
            if count == 0 {
                return Ok(());
            }
            input.extend_from_slice(&bytes[..count]);
            while let Some(payload) = next_payload(&mut input)? {
                unistd::write(master, &payload)?;
            }
        }
        if master_is_ready && !carry_output(stream, master)? {
            return Ok(());
        }
    }
}

/// Sends what one read of the terminal returns. Returns false when the program has ended.
fn carry_output(stream: &mut TcpStream, master: &OwnedFd) -> anyhow::Result<bool> {
    let mut output = [0; MAX_HEADER_BYTES + READ_BYTES];
    let count = match unistd::read(master, &mut output[MAX_HEADER_BYTES..]) {
        Ok(0) | Err(Errno::EIO) => return Ok(false),
        read => read?,
    };
    let header = frame_header(Opcode::Binary, count, false);
    let start = MAX_HEADER_BYTES - header.len();
    output[start..MAX_HEADER_BYTES].copy_from_slice(&header);
    stream.write_all(&output[start..MAX_HEADER_BYTES + count])?;
    Ok(true)
}

/// Removes the first complete frame from the input and returns its payload.
fn next_payload(input: &mut Vec<u8>) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(header) = FrameHeader::parse(input).filter(|header| header.len + header.payload <= input.len())
    else {
        return Ok(None);
    };
    let rest = input.split_off(header.len + header.payload);
    let mut frame = std::mem::replace(input, rest);
    header.unmask(&mut frame);
    let is_data = matches!(header.opcode()?, None | Some(Opcode::Binary | Opcode::Text));
    Ok(Some(if is_data { frame.split_off(header.len) } else { Vec::new() }))
}
