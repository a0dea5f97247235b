//! The measured servers: how each is started, and which protocol it speaks.

mod gotty;
mod limpet;
mod plain;
mod shellinabox;
mod terminado;
mod ttyd;
mod wetty;

use std::{net::TcpListener, path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context, anyhow, bail};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{
    connection::Connection,
    floor::Floor,
    machine,
    polling::Polling,
    proc,
    viewer::{Protocol, Viewer},
    wire::Socket,
};

pub(crate) use self::limpet::Follow;

/// Maximum time for a server to become ready or to end.
const START_STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Floor(Floor),
    Limpet,
    Ttyd,
    Gotty,
    Terminado,
    Wetty,
    Shellinabox,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ttyd" => Self::Ttyd,
            "gotty" => Self::Gotty,
            "terminado" => Self::Terminado,
            "wetty" => Self::Wetty,
            "shellinabox" => Self::Shellinabox,
            name if name.starts_with(OTHER_LIMPET) => Self::Limpet,
            _ => return None,
        })
    }
}

/// Prefix of the names of other versions of limpet.
pub(crate) const OTHER_LIMPET: &str = "limpet-";

/// A server that can be started.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The program and its first arguments.
    command: Vec<String>,
}

impl Peer {
    pub(crate) fn limpet(binary: &std::path::Path) -> Self {
        let command = vec![binary.display().to_string()];
        Self { name: "limpet".to_owned(), kind: Kind::Limpet, command }
    }

    pub(crate) fn floor(floor: Floor) -> anyhow::Result<Self> {
        let name = clap::ValueEnum::to_possible_value(&floor).context("every floor has a name")?;
        let name = name.get_name().to_owned();
        let this: PathBuf = std::env::current_exe().context("could not find this program's own file")?;
        let command = vec![this.display().to_string(), "floor".to_owned(), name.clone()];
        Ok(Self { name, kind: Kind::Floor(floor), command })
    }

    /// Parses `NAME=COMMAND`, where the name is that of a server with a known protocol.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let (name, command) = text.split_once('=').context("expected NAME=COMMAND")?;
        let kind = Kind::named(name).with_context(|| {
            format!(
                "unknown server {name}; known are ttyd, gotty, terminado, wetty, shellinabox, \
                 {OTHER_LIMPET}VERSION"
            )
        })?;
        let command: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        if command.is_empty() {
            bail!("{name} has no command");
        }
        Ok(Self { name: name.to_owned(), kind, command })
    }

    /// Returns the executable file.
    pub(crate) fn program(&self) -> &str {
        &self.command[0]
    }

    /// Returns the server's version, if it reports one.
    pub(crate) fn version(&self) -> Option<String> {
        let words: Vec<&str> = self.command.iter().map(String::as_str).chain(["--version"]).collect();
        machine::version(&words)
    }

    /// Starts the server, which runs this program in every session, and waits until it is ready.
    pub(crate) async fn start(&self, program: &[String], flags: &[&str]) -> anyhow::Result<Server> {
        let starting = async {
            match self.kind {
                Kind::Floor(_) => self.start_on_any_port(program, flags, plain::ready).await,
                Kind::Limpet => {
                    self.start_on_any_port(program, &[limpet::FLAGS, flags].concat(), limpet::ready).await
                }
                Kind::Ttyd => self.start_on_port(program, ttyd::arguments).await,
                Kind::Gotty => self.start_on_port(program, gotty::arguments).await,
                Kind::Terminado => self.start_on_port(program, terminado::arguments).await,
                Kind::Wetty => self.start_on_port(program, wetty::arguments).await,
                Kind::Shellinabox => self.start_on_port(program, shellinabox::arguments).await,
            }
        };
        let started = timeout(START_STOP_TIMEOUT, starting).await;
        let started = started.with_context(|| format!("{} did not become ready", self.name))?;
        started.with_context(|| format!("could not start {}", self.name))
    }

    fn spawn(&self, arguments: &[String], stdout: Stdio) -> anyhow::Result<Child> {
        // A background process ignores Ctrl-C, and so do the programs of servers that leave that
        // unchanged.
        let mut command = Command::new("env");
        command.arg("--default-signal=INT,QUIT").args(&self.command).args(arguments);
        command
            .env("SHELL", "/bin/sh")
            .env("LANG", "C.UTF-8")
            .env_remove("LIMPET_LOG")
            .env_remove("LIMPET_TOKEN");
        command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::null()).kill_on_drop(true);
        command.spawn().with_context(|| format!("could not run {}", self.command.join(" ")))
    }

    /// Starts a server that prints a line with its address and token.
    async fn start_on_any_port(
        &self,
        program: &[String],
        flags: &[&str],
        read: fn(&str) -> anyhow::Result<(String, String)>,
    ) -> anyhow::Result<Server> {
        let mut arguments: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
        arguments.push("--".to_owned());
        arguments.extend_from_slice(program);
        let mut child = self.spawn(&arguments, Stdio::piped())?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("standard output is not piped")?;
        BufReader::new(stdout).read_line(&mut line).await?;
        let (address, token) =
            read(line.trim()).with_context(|| format!("unexpected first line {line:?}"))?;
        Ok(Server { child, endpoint: Endpoint { kind: self.kind, address, token } })
    }

    /// Starts a server that is told where to listen.
    async fn start_on_port(
        &self,
        program: &[String],
        arguments: fn(u16, &[String]) -> Vec<String>,
    ) -> anyhow::Result<Server> {
        let port = free_port()?;
        let mut child = self.spawn(&arguments(port, program), Stdio::null())?;
        let address = format!("127.0.0.1:{port}");
        while TcpStream::connect(&address).await.is_err() {
            if let Some(status) = child.try_wait()? {
                bail!("the server ended with {status}");
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(Server { child, endpoint: Endpoint { kind: self.kind, address, token: String::new() } })
    }
}

/// Returns a free port outside the range of ephemeral ports. A connection attempt from such a port
/// could connect to itself.
fn free_port() -> anyhow::Result<u16> {
    for _ in 0..100 {
        let mut random = [0; 2];
        getrandom::fill(&mut random).map_err(|error| anyhow!("no random bytes: {error}"))?;
        let port = 10_000 + u16::from_be_bytes(random) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free")
}

/// A running server. Dropping it ends it.
pub(crate) struct Server {
    child: Child,
    pub(crate) endpoint: Endpoint,
}

/// The address of a server, and the protocol it speaks.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    kind: Kind,
    pub(crate) address: String,
    pub(crate) token: String,
}

/// The session that a viewer attaches to. Most servers create one for every connection.
#[derive(Clone, Debug)]
pub(crate) enum Session {
    PerConnection,
    Named(String),
}

/// A process of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pub(crate) role: &'static str,
    pub(crate) pid: u32,
}

impl Server {
    /// Returns the server's processes, without those of sessions.
    pub(crate) fn processes(&self) -> anyhow::Result<Vec<Process>> {
        let pid = self.child.id().context("the server has ended")?;
        if self.endpoint.kind != Kind::Limpet {
            return Ok(vec![Process { role: "server", pid }]);
        }
        let serving = proc::children(pid).into_iter().find(|(_, name)| name == "limpet");
        let (server, _) = serving.context("the keeper has no server")?;
        Ok(vec![Process { role: "server", pid: server }, Process { role: "keeper", pid }])
    }

    /// Ends the server, and waits until it has ended.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.child.id() {
            let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
        }
        if timeout(START_STOP_TIMEOUT, self.child.wait()).await.is_err() {
            self.child.kill().await?;
        }
        Ok(())
    }
}

impl Endpoint {
    /// Opens a session.
    pub(crate) async fn open(&self) -> anyhow::Result<Session> {
        match self.kind {
            Kind::Limpet => Ok(Session::Named(limpet::Client::new(self).await?.open(&Value::Null).await?)),
            _ => Ok(Session::PerConnection),
        }
    }

    /// Opens a connection for many requests.
    pub(crate) async fn client(&self) -> anyhow::Result<limpet::Client> {
        limpet::Client::new(self).await
    }

    pub(crate) async fn attach(&self, session: &Session, follow: Follow) -> anyhow::Result<Viewer> {
        self.attach_at(&self.address, session, follow).await
    }

    /// Attaches through another address.
    pub(crate) async fn attach_at(
        &self,
        address: &str,
        session: &Session,
        follow: Follow,
    ) -> anyhow::Result<Viewer> {
        let open = |path: String, protocol: &'static str, lines: Vec<String>| async move {
            Socket::open(address, &path, protocol, &lines).await.map(Connection::Socket)
        };
        let origin = || vec![format!("Origin: http://{address}")];
        let (connection, protocol): (_, Box<dyn Protocol>) = match (self.kind, session) {
            (Kind::Limpet, Session::Named(id)) => {
                let lines = vec![format!("Authorization: Bearer {}", self.token)];
                let path = format!("/api/sessions/{id}/attach");
                let connection = open(path, limpet_shared::SUBPROTOCOL, lines).await?;
                (connection, Box::new(limpet::Limpet::new(follow)?))
            }
            (Kind::Limpet, Session::PerConnection) => bail!("limpet needs an open session to attach to"),
            (Kind::Floor(_), _) => (open("/".to_owned(), "", vec![]).await?, Box::new(plain::Plain)),
            (Kind::Ttyd, _) => (open("/ws".to_owned(), "tty", vec![]).await?, Box::new(ttyd::Ttyd)),
            (Kind::Gotty, _) => (open("/ws".to_owned(), "webtty", vec![]).await?, Box::new(gotty::Gotty)),
            (Kind::Terminado, _) => {
                (open("/websocket".to_owned(), "", origin()).await?, Box::new(terminado::Terminado))
            }
            (Kind::Wetty, _) => {
                (open(wetty::PATH.to_owned(), "", origin()).await?, Box::new(wetty::Wetty::default()))
            }
            (Kind::Shellinabox, _) => (
                Connection::Polling(Box::new(Polling::open(address).await?)),
                Box::new(shellinabox::Shellinabox),
            ),
        };
        Viewer::new(connection, protocol).await
    }
}
