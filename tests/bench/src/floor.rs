//! Floors: servers that do the least possible work, with which limpet is compared.
//!
//! Each connection has its own pty and program. A floor stores nothing, authenticates nobody, and
//! does nothing about slow viewers.

use std::{
    io::{self, Write as _},
    os::fd::OwnedFd,
    process::{self, Stdio},
};

use anyhow::Context;
use clap::ValueEnum;
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    pty::{Winsize, openpty},
    unistd,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, unix::AsyncFd},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    process::{Child, Command},
    task::{LocalSet, yield_now},
};

use crate::{
    stage,
    wire::{FrameHeader, Opcode, frame_header},
};

/// A floor, by its treatment of the program's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Floor {
    /// Output is read and discarded; only its end is passed on. No server can be faster.
    Reader,
    /// Output is read until there is none, and passed on in one frame.
    Relay,
    /// One thread, one read, one write: see [`lean_floor`](crate::lean_floor).
    Lean,
    /// No program at all: a frame from memory, over and over, which shows the load generator's
    /// capacity.
    Source,
}

/// Maximum payload of a frame in bytes, the same as limpet's.
const MAX_PAYLOAD_BYTES: usize = 64 * 1024;

/// Bytes reserved before the payload for the longest frame header that is sent.
const MAX_HEADER_BYTES: usize = 10;

/// Serves until the process is killed. Prints the address on standard output.
pub(crate) async fn serve(floor: Floor, program: &[String]) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut out = io::stdout();
    writeln!(out, "{}", listener.local_addr()?)?;
    out.flush()?;
    let tasks = LocalSet::new();
    let accept = async {
        loop {
            let (stream, _) = listener.accept().await?;
            let program = program.to_vec();
            // A connection that fails does not affect the others.
            tokio::task::spawn_local(async move { connection(stream, floor, &program).await });
        }
    };
    tasks.run_until(accept).await
}

async fn connection(mut stream: TcpStream, floor: Floor, program: &[String]) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    shake_hands(&mut stream).await?;
    let (mut from, mut to) = stream.into_split();
    if floor == Floor::Source {
        return serve_source(&mut from, &mut to).await;
    }
    let (master, _child) = spawn(program)?;
    // The end of either direction ends the connection and the program.
    tokio::select! {
        ended = carry_output(&master, &mut to, floor) => ended,
        ended = carry_input(&mut from, &master) => ended,
    }
}

async fn shake_hands(stream: &mut TcpStream) -> anyhow::Result<()> {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut seen).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(answer_handshake(&seen)?.as_bytes()).await?;
    Ok(())
}

/// Returns the answer to the request that opens a WebSocket.
pub(crate) fn answer_handshake(request: &[u8]) -> anyhow::Result<String> {
    let request = String::from_utf8_lossy(request);
    let key = request
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| *name == "Sec-WebSocket-Key");
    let (_, key) = key.context("the handshake has no Sec-WebSocket-Key")?;
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ))
}

/// Starts the program on a pty. Dropping the child kills it.
#[expect(deprecated, reason = "sound here, where the descriptor has one owner; the other way is unsafe")]
fn spawn(program: &[String]) -> anyhow::Result<(AsyncFd<OwnedFd>, Child)> {
    let (master, command) = open_terminal(program)?;
    fcntl(&master, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))?;
    let child = Command::from(command).kill_on_drop(true).spawn().context("could not run setsid")?;
    Ok((AsyncFd::new(master)?, child))
}

/// Opens a pty. Returns its master side and the command that starts the program on the other side.
pub(crate) fn open_terminal(program: &[String]) -> anyhow::Result<(OwnedFd, process::Command)> {
    let size = Winsize { ws_col: 80, ws_row: 24, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(Some(&size), None)?;
    for descriptor in [&pty.master, &pty.slave] {
        fcntl(descriptor, FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    }
    // setsid makes its standard input the controlling terminal, and then executes the program.
    let mut command = process::Command::new("setsid");
    command.arg("--ctty").args(program);
    let slave = || pty.slave.try_clone().map(Stdio::from);
    command.stdin(slave()?).stdout(slave()?).stderr(slave()?);
    Ok((pty.master, command))
}

async fn carry_output(
    master: &AsyncFd<OwnedFd>,
    to: &mut OwnedWriteHalf,
    floor: Floor,
) -> anyhow::Result<()> {
    let mut buffer = vec![0; MAX_HEADER_BYTES + MAX_PAYLOAD_BYTES];
    loop {
        let count = drain(master, &mut buffer[MAX_HEADER_BYTES..]).await?;
        if count == 0 {
            return Ok(());
        }
        let payload = MAX_HEADER_BYTES..MAX_HEADER_BYTES + count;
        if floor == Floor::Relay {
            send(to, &mut buffer, payload).await?;
        } else if buffer[payload.clone()].ends_with(stage::MARK_END) {
            send(
                to,
                &mut buffer,
                payload.start.max(payload.end.saturating_sub(stage::MAX_MARK_BYTES))..payload.end,
            )
            .await?;
        }
    }
}

/// Sends a part of the buffer in one call, with the frame header in the space before it.
async fn send(
    to: &mut OwnedWriteHalf,
    buffer: &mut [u8],
    part: std::ops::Range<usize>,
) -> anyhow::Result<()> {
    let header = frame_header(Opcode::Binary, part.len(), false);
    let start = part.start - header.len();
    buffer[start..part.start].copy_from_slice(&header);
    to.write_all(&buffer[start..part.end]).await?;
    Ok(())
}

/// Reads until nothing is left even after other tasks have run once, or until the buffer is full.
/// Returns 0 at the end.
async fn drain(master: &AsyncFd<OwnedFd>, buffer: &mut [u8]) -> anyhow::Result<usize> {
    let mut count = 0;
    loop {
        let mut ready = master.readable().await?;
        let mut may_yield = true;
        while count < buffer.len() {
            match unistd::read(master.get_ref(), &mut buffer[count..]) {
                // The program has ended, and no other process has the terminal open.
                Ok(0) | Err(nix::Error::EIO) => return Ok(count),
                Ok(more) => count += more,
                Err(nix::Error::EAGAIN) if may_yield && count > 0 => {
                    may_yield = false;
                    yield_now().await;
                }
                Err(nix::Error::EAGAIN) => {
                    ready.clear_ready();
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if count > 0 {
            return Ok(count);
        }
    }
}

async fn carry_input(from: &mut OwnedReadHalf, master: &AsyncFd<OwnedFd>) -> anyhow::Result<()> {
    let mut seen = Vec::new();
    while let Some(payload) = read_frame(from, &mut seen).await? {
        let mut rest = &payload[..];
        while !rest.is_empty() {
            let mut ready = master.writable().await?;
            match unistd::write(master.get_ref(), rest) {
                Ok(count) => rest = &rest[count..],
                Err(nix::Error::EAGAIN) => ready.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Reads the payload of the next frame. Returns `None` at the end.
async fn read_frame(from: &mut OwnedReadHalf, seen: &mut Vec<u8>) -> anyhow::Result<Option<Vec<u8>>> {
    loop {
        if let Some(header) =
            FrameHeader::parse(seen).filter(|header| header.len + header.payload <= seen.len())
        {
            let rest = seen.split_off(header.len + header.payload);
            let mut frame = std::mem::replace(seen, rest);
            header.unmask(&mut frame);
            let is_data = matches!(header.opcode()?, None | Some(Opcode::Binary | Opcode::Text));
            return Ok(is_data.then(|| frame.split_off(header.len)));
        }
        if from.read_buf(seen).await? == 0 {
            return Ok(None);
        }
    }
}

/// Sends as many bytes as the client asks for, then the end mark.
async fn serve_source(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf) -> anyhow::Result<()> {
    let mut buffer = vec![b'x'; MAX_HEADER_BYTES + 16 * 1024];
    let mut seen = Vec::new();
    while let Some(asked) = read_frame(from, &mut seen).await? {
        let mut left: usize = String::from_utf8_lossy(&asked).trim().parse()?;
        while left > 0 {
            let part = left.min(buffer.len() - MAX_HEADER_BYTES);
            send(to, &mut buffer, MAX_HEADER_BYTES..MAX_HEADER_BYTES + part).await?;
            left -= part;
        }
        to.write_all(
            &[frame_header(Opcode::Binary, stage::END_MARK.len(), false), stage::END_MARK.to_vec()].concat(),
        )
        .await?;
    }
    Ok(())
}
