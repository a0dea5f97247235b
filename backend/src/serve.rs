//! `limpet serve`, from the first descriptor to the last.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    os::fd::OwnedFd,
    panic::{self, AssertUnwindSafe},
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
    keeper::{Connected, Estate, Link},
    link::Links,
    session::{Sessions, SpawnDefaults},
    threads::Threads,
    web::{self, App, Listener},
};

/// How long a blocked thread may hold up the end. Programs are ended on such threads, which takes a little less.
const LINGER: Duration = Duration::from_secs(4);

/// How long viewers have to part before another server takes over.
const PARTING: Duration = Duration::from_millis(500);

/// The code to end with after a panic, as Rust has it.
const PANICKED: i32 = 101;

/// Runs the server until it is told to end by `SIGTERM` or `SIGINT`. Its keeper is at the other end of `socket`.
///
/// # Errors
/// When it cannot start, for it has no runtime or cannot listen, and when a second signal does not let it end in order.
pub fn run(config: Config, socket: OwnedFd) -> anyhow::Result<()> {
    let threads = Threads::start(config.worker_threads).context("could not start the server's threads")?;
    let serving = || threads.run(serve(config, socket, threads.floods()));
    // Whatever would be dropped now is to go on, in another process.
    let ended = panic::catch_unwind(AssertUnwindSafe(serving)).unwrap_or_else(|_| process::exit(PANICKED));
    match ended {
        Ok(End::Leaves) => process::exit(0),
        Ok(End::Failed(error)) => {
            tracing::error!("{error:#}; another server goes on with the sessions");
            process::exit(1)
        }
        ended => {
            threads.stop(LINGER);
            ended.map(drop)
        }
    }
}

/// How the server ends.
enum End {
    /// With all its sessions.
    Over,
    /// Alone: another server goes on with them.
    Leaves,
    /// Alone as well, since it could not begin to serve the sessions that it has taken over.
    Failed(anyhow::Error),
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
    let (listener, (left, has_fallback)) = if let Some(estate) = estate {
        let Estate { record, listener, sessions, has_fallback } = estate;
        let record: Record =
            serde_json::from_str(&record).context("could not read what an earlier server has left")?;
        config.keep_token(&record.token);
        (Listener::take_over(listener).context("could not go on listening")?, (sessions, has_fallback))
    } else {
        let address = config.listen;
        (Listener::bind(address).await.map_err(|error| cannot_listen(address, &error))?, (Vec::new(), false))
    };
    if let Some(open_files) = config.limits.open_files {
        let sessions = config.limits.sessions;
        tracing::info!(
            sessions,
            open_files,
            "the limit of open files allows fewer sessions than --max-sessions"
        );
    }
    let links = Links::new(&config, listener.address().context("could not tell where it listens")?);
    let sessions = sessions(&config, &keeper, floods);
    let waiting = sessions.take_over(left).await;
    if waiting > 0 && has_fallback {
        return Ok(End::Failed(anyhow!(
            "could not take over {waiting} sessions for want of descriptors or memory"
        )));
    }
    if let Some(saving) = saving {
        if is_first {
            sessions.restore(&saving).await;
        }
        sessions.save(saving);
    }
    let shutdown = CancellationToken::new();
    let app = App::new(config.clone(), sessions.clone(), shutdown.clone());
    let record = Record { token: config.token.reveal().to_owned() };
    if let Err(error) = keeper.serving(&serde_json::to_string(&record)?, listener.socket()).await {
        let error = anyhow!(error).context("could not tell its keeper that it serves");
        return if is_first { Err(error) } else { Ok(End::Failed(error)) };
    }

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

/// The registry, without any sessions.
fn sessions(config: &Config, keeper: &Link, floods: Option<Handle>) -> Sessions {
    let defaults = SpawnDefaults {
        command: config.command.clone(),
        cwd: config.cwd.clone(),
        sizing: config.sizing,
        flow: config.flow,
    };
    Sessions::new(config.limits, defaults, keeper.clone(), floods)
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
