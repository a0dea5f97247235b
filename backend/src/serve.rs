//! `limpet serve`, from the first descriptor to the last.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    os::fd::OwnedFd,
    pin::pin,
    process,
    time::Duration,
};

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};
use tokio::{
    runtime::Handle,
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    browser::{self, Opened},
    config::Config,
    keeper::{Connected, Estate, Left, Link},
    link::Links,
    session::{Sessions, SpawnDefaults},
    threads::Threads,
    web::{self, App, Listener},
};

/// How long a blocked thread may hold up the end. Programs are ended on such threads, which takes a little less.
const LINGER: Duration = Duration::from_secs(4);

/// How long viewers have to part before another server takes over.
const PARTING: Duration = Duration::from_millis(500);

/// Runs the server until it is told to end by `SIGTERM` or `SIGINT`. Its keeper is at the other end of `socket`.
///
/// # Errors
/// When it cannot start, for it has no runtime or cannot listen, and when a second signal does not let it end in order.
pub fn run(config: Config, socket: OwnedFd) -> anyhow::Result<()> {
    let threads = Threads::start(config.worker_threads).context("could not start the server's threads")?;
    let ended = threads.run(serve(config, socket, threads.floods()));
    if let Ok(End::Leaves) = ended {
        // Whatever would be dropped now is to go on, in another process.
        process::exit(0);
    }
    threads.stop(LINGER);
    ended.map(drop)
}

/// How the server ends.
enum End {
    /// With all its sessions.
    Over,
    /// Alone: another server goes on with them.
    Leaves,
}

/// What to do without a keeper.
fn when_lost(is_stored: bool) -> End {
    if is_stored {
        tracing::error!(
            "the process that keeps sessions is gone; they wait for the service manager to start another one"
        );
        End::Leaves
    } else {
        tracing::error!("the process that keeps sessions is gone, and so they end");
        End::Over
    }
}

/// What the next server is to know.
#[derive(Serialize, Deserialize)]
struct Record {
    token: String,
}

async fn serve(mut config: Config, socket: OwnedFd, floods: Option<Handle>) -> anyhow::Result<End> {
    let Connected { link: keeper, estate, is_stored } =
        Link::connect(socket).await.context("could not reach the process that keeps sessions")?;
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
    let links = Links::new(&config, listener.address().context("could not tell where it listens")?);
    let sessions = sessions(&config, (&keeper, floods), left).await;
    if let Some(saving) = saving {
        if is_first {
            sessions.restore(&saving).await;
        }
        sessions.save(saving);
    }
    let shutdown = CancellationToken::new();
    let app = App::new(config.clone(), sessions.clone(), shutdown.clone());
    let record = serde_json::to_string(&Record { token: config.token.reveal().to_owned() })?;
    keeper.serving(record, listener.socket()).await.context("could not tell its keeper that it serves")?;

    // Until the end, since the browser takes its time.
    let _opened = if is_first { announce(&config, &links) } else { None };
    let mut serving = pin!(web::serve(listener, app));
    let how = tokio::select! {
        () = &mut serving => End::Over,
        () = signals.next() => End::Over,
        () = keeper.lost() => when_lost(is_stored),
        () = keeper.leave() => End::Leaves,
    };
    shutdown.cancel();
    if let End::Leaves = how {
        tracing::info!("making room for another server");
        // Who has not understood by then will notice.
        let _ = timeout(PARTING, serving).await;
        return Ok(End::Leaves);
    }
    tracing::info!("ending");
    tokio::select! {
        _ = async { tokio::join!(serving, sessions.shutdown()) } => {
            keeper.end().await;
            Ok(End::Over)
        }
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
