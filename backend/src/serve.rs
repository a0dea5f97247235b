//! `limpet serve`, from the first descriptor to the last.

use std::{
    convert::Infallible,
    future::pending,
    io::{self, ErrorKind},
    net::SocketAddr,
    os::fd::OwnedFd,
    pin::pin,
    process,
    time::Duration,
};

use anyhow::{Context, anyhow};
use nix::unistd::{Pid, getppid};
use serde::{Deserialize, Serialize};
use tokio::{
    runtime::Handle,
    signal::unix::{Signal, SignalKind, signal},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    browser::{self, Opened},
    config::{BasePath, Config},
    keeper::{Connected, Estate, Left, Link},
    link::Links,
    session::{Sessions, SpawnDefaults},
    threads::Threads,
    web::{self, App, Listener},
};

/// How long a blocked thread may hold up the end. Programs are ended on such threads, which takes a little less.
const LINGER: Duration = Duration::from_secs(4);

/// How soon a server that has not answered itself asks itself again.
const RETRY: Duration = Duration::from_millis(200);

/// How long sessions have to end in good order, their state saved before.
const ENDING: Duration = Duration::from_mins(1);

/// How long viewers have to part before another server takes over.
const PARTING: Duration = Duration::from_millis(500);

/// Runs the server until it is told to end by `SIGTERM` or `SIGINT`. Its keeper is at the other end of `socket`.
///
/// # Errors
/// When it cannot start, for it has no runtime or cannot listen, and when a second signal does not let it end in order.
pub fn run(config: Config, socket: OwnedFd, is_without_screens: bool) -> anyhow::Result<()> {
    let threads = Threads::start(config.worker_threads).context("could not start the server's threads")?;
    let ended = threads.run(serve(config, (socket, !is_without_screens), threads.floods()));
    if let Ok(End::Leaves { code }) = ended {
        // Whatever would be dropped now is to go on, in another process.
        process::exit(code);
    }
    threads.stop(LINGER);
    ended.map(drop)
}

/// How the server ends.
enum End {
    /// With all its sessions.
    Over,
    /// Alone, with this exit code: another server goes on with them.
    Leaves { code: i32 },
    /// With all its sessions, since nobody keeps them any more.
    Lost,
}

/// What to do without a connection to the keeper, which was process `keeper`.
fn when_lost(is_stored: bool, keeper: Pid) -> End {
    if getppid() == keeper {
        // It holds all sessions, and starts another server.
        tracing::error!("the connection to the process that keeps sessions broke; another server goes on");
        End::Leaves { code: 1 }
    } else if is_stored {
        tracing::error!(
            "the process that keeps sessions is gone; they wait for the service manager to start another one"
        );
        End::Leaves { code: 1 }
    } else {
        tracing::error!("the process that keeps sessions is gone, and so they end");
        End::Lost
    }
}

/// What the next server is to know.
#[derive(Serialize, Deserialize)]
struct Record {
    token: String,
}

async fn serve(
    mut config: Config,
    (socket, draws_screens): (OwnedFd, bool),
    floods: Option<Handle>,
) -> anyhow::Result<End> {
    let parent = getppid();
    let Connected { link: keeper, estate, is_stored } = Link::connect(socket, draws_screens)
        .await
        .context("could not reach the process that keeps sessions")?;
    let mut signals = Signals::watch().context("could not watch for signals")?;
    let is_first = estate.is_none();
    let saving = config.saving().context("--state-dir")?;
    let (listener, left) = if let Some(Estate { record, listener, sessions }) = estate {
        let record: Record =
            serde_json::from_str(&record).context("could not read what an earlier server has left")?;
        config.keep_token(&record.token);
        let listener = listener.context("an earlier server has left no socket")?;
        (Listener::take_over(listener).context("could not go on listening")?, sessions)
    } else {
        let address = config.listen;
        (Listener::bind(address).await.map_err(|error| cannot_listen(address, &error))?, Vec::new())
    };
    let address = listener.address().context("could not tell where it listens")?;
    let links = Links::new(&config, address);
    let sessions = sessions(&config, (&keeper, floods), left).await;
    if let Some(saving) = saving {
        if is_first {
            sessions.restore(&saving).await;
        }
        sessions.save(saving);
    }
    let shutdown = CancellationToken::new();
    let base_path = config.base_path.clone();
    let app = App::new(config.clone(), sessions.clone(), shutdown.clone());
    let record = serde_json::to_string(&Record { token: config.token.reveal().to_owned() })?;
    keeper.serving(record, listener.socket()).await.context("could not tell its keeper that it serves")?;

    // Until the end, since the browser takes its time.
    let _opened = if is_first { announce(&config, &links) } else { None };
    let mut serving = pin!(web::serve(listener, app));
    let how = tokio::select! {
        () = &mut serving => End::Over,
        () = signals.next() => End::Over,
        () = keeper.lost() => when_lost(is_stored, parent),
        () = keeper.leave() => End::Leaves { code: 0 },
        // Whoever waits for this server to take over wants to know that it answers.
        _ = report_answer(&keeper, address, &base_path), if !is_first => End::Over,
    };
    shutdown.cancel();
    if let End::Leaves { .. } = how {
        tracing::info!("making room for another server");
        // Who has not understood by then will notice.
        let _ = timeout(PARTING, serving).await;
        return Ok(how);
    }
    tracing::info!("ending");
    tokio::select! {
        _ = async { tokio::join!(serving, sessions.shutdown()) } => {
            if let End::Lost = how {
                return Err(anyhow!("sessions were lost, since the process that keeps them is gone"));
            }
            keeper.end().await;
            Ok(End::Over)
        }
        // It takes a server for dead that does not.
        _ = keeper.keep_showing_progress() => Ok(End::Over),
        () = sleep(ENDING) => Err(anyhow!("not all sessions could be ended within {ENDING:?}")),
        // What is let go now ends as well: tasks are dropped, and programs are killed by whoever holds them.
        () = signals.next() => Err(anyhow!("a second signal came before all had ended in good order")),
    }
}

/// The registry, with the sessions that an earlier server has left.
async fn sessions(config: &Config, (keeper, floods): (&Link, Option<Handle>), left: Vec<Left>) -> Sessions {
    let defaults = SpawnDefaults {
        command: config.command.clone(),
        cwd: config.cwd.clone(),
        sizing: config.sizing,
        flow: config.flow,
    };
    let sessions = Sessions::new(config.limits, defaults, keeper.clone(), floods);
    for session in sessions.take_over(left).await {
        keeper.forget(&session).await;
    }
    sessions
}

/// Tells the keeper as soon as this server has answered a request, which it sends itself.
async fn report_answer(keeper: &Link, address: SocketAddr, base_path: &BasePath) -> Infallible {
    while let Err(error) = web::ask_health(address, base_path).await {
        if error.kind() == ErrorKind::AddrNotAvailable || error.kind() == ErrorKind::NetworkUnreachable {
            tracing::warn!(%address, %error, "could not reach this server by its own address");
            break;
        }
        tracing::debug!(%address, %error, "does not answer yet");
        sleep(RETRY).await;
    }
    keeper.answered().await;
    pending().await
}

/// What to do about it depends on what is wrong.
fn cannot_listen(address: SocketAddr, error: &io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        ErrorKind::AddrInUse => {
            "something listens there already; pick another port by --listen, or 0 for any"
        }
        ErrorKind::AddrNotAvailable => {
            "this machine does not have that address; 127.0.0.1 and 0.0.0.0 are always there"
        }
        ErrorKind::PermissionDenied => "ports below 1024 are the administrator's; pick another by --listen",
        _ => "pick another by --listen",
    };
    anyhow!("could not listen on {address}: {error}; {advice}")
}

/// Prints the link, and what it puts at risk, and opens it. The server runs all the same if none of that can be done.
fn announce(config: &Config, links: &Links) -> Option<Opened> {
    if let Some(risk) = links.risk() {
        tracing::warn!("{risk}");
    }
    if let Err(error) = links.print(config) {
        tracing::warn!(%error, "could not print the link");
    }
    config
        .open
        .then(|| browser::open(links.first()))?
        .inspect_err(|error| {
            tracing::warn!(%error, "could not open a browser; open the link by hand");
        })
        .ok()
}

/// The signals that end the server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn watch() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
