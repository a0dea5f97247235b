//! Eight guests that behave as badly as possible in a session of their own. They run in a process
//! of low priority, since real guests run on other machines.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, anyhow};
use limpet_shared::{
    ClientMessage, Follow, Header, Hello, Kind, OutputOffset, SUBPROTOCOL, ServerMessage, ViewerId, Winsize,
    limits::MAX_INPUT_IN_FLIGHT_BYTES,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    process::{Child, Command},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::wire::{Opcode, Socket};

/// The address and session that the guests attach to, and their passes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct GuestAccess {
    address: String,
    session: String,
    reader: String,
    writer: String,
}

/// The behaviour of a guest.
#[derive(Clone, Copy, Debug)]
enum Misbehaviour {
    /// Asks for the whole scrollback without pause.
    History,
    /// Attaches again and again.
    Attach,
    /// Wants all output, and acknowledges a byte now and then.
    Trickle,
    /// Reads nothing.
    Unread,
    /// Changes its size with every message.
    Resize,
    /// Becomes the primary viewer without pause.
    TakePrimary,
    /// Types byte by byte to a program that does not read.
    Bytes,
    /// Sends messages that mean little or nothing.
    Noise,
}

impl Misbehaviour {
    const ALL: [Self; 8] = [
        Self::History,
        Self::Attach,
        Self::Trickle,
        Self::Unread,
        Self::Resize,
        Self::TakePrimary,
        Self::Bytes,
        Self::Noise,
    ];

    const fn may_write(self) -> bool {
        matches!(self, Self::Resize | Self::TakePrimary | Self::Bytes | Self::Noise)
    }
}

/// Number of messages that a guest sends before it reads.
const MESSAGES_PER_READ: usize = 32;

/// Maximum wait for each message while a guest reads.
const READ_TIMEOUT: Duration = Duration::from_millis(1);

/// Pause before a disconnected guest attaches again.
const REATTACH_DELAY: Duration = Duration::from_millis(20);

impl GuestAccess {
    pub(crate) fn new(address: &str, session: &str, (reader, writer): (String, String)) -> Self {
        Self { address: address.to_owned(), session: session.to_owned(), reader, writer }
    }

    /// Starts the guests.
    pub(crate) fn spawn(&self) -> anyhow::Result<Guests> {
        let this = std::env::current_exe().context("could not find this program's own file")?;
        let Self { address, session, reader, writer } = self;
        let mut command = Command::new("nice");
        command.args(["-n", "19"]).arg(this).args(["guests", address, session, reader, writer]);
        command.stdin(Stdio::null()).kill_on_drop(true);
        command.spawn().map(Guests).context("could not start the guests")
    }

    /// Runs all guests, for ever.
    pub(crate) async fn run(self) {
        let mut guests = JoinSet::new();
        for misbehaviour in Misbehaviour::ALL {
            let access = self.clone();
            guests.spawn(async move {
                loop {
                    // Whatever ends an attachment, the guest attaches again.
                    if let Ok(guest) = Guest::attach(&access, misbehaviour).await {
                        let _ = guest.misbehave(misbehaviour).await;
                    }
                    if !matches!(misbehaviour, Misbehaviour::Attach) {
                        sleep(REATTACH_DELAY).await;
                    }
                }
            });
        }
        while guests.join_next().await.is_some() {}
    }
}

/// All guests, in a child process. Dropping this ends them.
pub(crate) struct Guests(Child);

impl Guests {
    /// Stops the guests or lets them continue. Their connections stay open.
    pub(crate) fn set_paused(&self, is_paused: bool) -> anyhow::Result<()> {
        let pid = self.0.id().context("the guests' process has ended")?;
        let signal = if is_paused { Signal::SIGSTOP } else { Signal::SIGCONT };
        kill(Pid::from_raw(i32::try_from(pid)?), signal).context("could not signal the guests")
    }
}

struct Guest {
    socket: Socket,
    received: u64,
    typed: u64,
    acknowledged: u64,
}

impl Guest {
    async fn attach(access: &GuestAccess, misbehaviour: Misbehaviour) -> anyhow::Result<Self> {
        let GuestAccess { address, session, reader, writer } = access;
        let pass = if misbehaviour.may_write() { writer } else { reader };
        let lines = [format!("Authorization: Bearer {pass}")];
        let path = format!("/api/sessions/{session}/attach");
        let mut socket = Socket::open(address, &path, SUBPROTOCOL, &lines).await?;
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| anyhow!("no random bytes: {error}"))?;
        let (follow, window) = match misbehaviour {
            Misbehaviour::Trickle => (Follow::All, Some(1)),
            Misbehaviour::Unread => (Follow::All, None),
            _ => (Follow::Now, None),
        };
        let (viewer, size) = (ViewerId::from_random(bytes), Winsize::cells(80, 24));
        let hello = ClientMessage::Hello(Hello { viewer, size, window, resume: None, follow, key: None });
        socket.send(Opcode::Text, hello.to_json().as_bytes()).await?;
        Ok(Self { socket, received: 0, typed: 0, acknowledged: 0 })
    }

    async fn misbehave(mut self, misbehaviour: Misbehaviour) -> anyhow::Result<()> {
        for round in 0.. {
            match misbehaviour {
                Misbehaviour::Attach => return self.receive_message().await,
                Misbehaviour::Unread => sleep(Duration::from_secs(1)).await,
                Misbehaviour::Trickle => {
                    self.receive_message().await?;
                    sleep(Duration::from_secs(1)).await;
                    self.acknowledge().await?;
                }
                _ => {
                    self.send(misbehaviour, round).await?;
                    if round % MESSAGES_PER_READ == 0 {
                        while let Ok(taken) = timeout(READ_TIMEOUT, self.receive_message()).await {
                            taken?;
                        }
                        self.acknowledge().await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn send(&mut self, misbehaviour: Misbehaviour, round: usize) -> anyhow::Result<()> {
        let message = match misbehaviour {
            Misbehaviour::History => ClientMessage::History,
            Misbehaviour::Resize => {
                let cols = u16::try_from(round % 80)?;
                ClientMessage::Resize(Winsize::cells(60 + cols, 24))
            }
            Misbehaviour::TakePrimary => ClientMessage::Primary { to: None },
            Misbehaviour::Bytes if self.typed - self.acknowledged < MAX_INPUT_IN_FLIGHT_BYTES as u64 => {
                let frame = [&Header::data(self.typed).encode()[..], b"x"].concat();
                self.typed += 1;
                return self.socket.send(Opcode::Binary, &frame).await;
            }
            // The next attachment is a new viewer, which may type as much again.
            Misbehaviour::Bytes => anyhow::bail!("the input window is full"),
            _ => {
                let text =
                    ["{\"type\":\"nonsense\"}", "{\"type\":\"ping\",\"t\":1}", "{\"type\":\"history\"}"]
                        [round % 3];
                return self.socket.send(Opcode::Text, text.as_bytes()).await;
            }
        };
        self.socket.send(Opcode::Text, message.to_json().as_bytes()).await
    }

    async fn receive_message(&mut self) -> anyhow::Result<()> {
        let (opcode, place) = self.socket.next().await?.context("the connection ended")?;
        let payload = self.socket.payload(&place);
        if opcode == Opcode::Text {
            match std::str::from_utf8(payload).ok().and_then(|text| ServerMessage::parse(text).ok()) {
                Some(ServerMessage::Reset { output, .. }) => self.received = output.get(),
                Some(ServerMessage::Welcome(welcome)) => self.received = welcome.output.get(),
                Some(ServerMessage::Ack { input }) => self.acknowledged = input.get(),
                _ => {}
            }
        } else if let Ok((Header { kind: Kind::Data, offset }, output)) = Header::split(payload) {
            self.received = offset + output.len() as u64;
        }
        Ok(())
    }

    async fn acknowledge(&mut self) -> anyhow::Result<()> {
        let output = OutputOffset::new(self.received);
        self.socket.send(Opcode::Text, ClientMessage::Ack { output }.to_json().as_bytes()).await
    }
}
