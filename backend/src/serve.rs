//! `limpet serve`, from the first descriptor to the last.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    time::Duration,
};

use anyhow::{Context, anyhow};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::{
    browser::{self, Opened},
    config::Config,
    link::Links,
    session::{Sessions, SpawnDefaults},
    web::{self, App, Listener},
};

/// How long a blocked thread may hold up the end. Programs are ended on such threads, which takes a little less.
const LINGER: Duration = Duration::from_secs(4);

/// Runs the server until it is told to end by `SIGTERM` or `SIGINT`.
///
/// # Errors
/// When it cannot start, for it has no runtime or cannot listen, and when a second signal does not let it end in order.
pub fn run(config: Config) -> anyhow::Result<()> {
    let nofile = raise_open_files();
    let runtime = runtime(config.worker_threads).context("could not start the runtime")?;
    let ended = runtime.block_on(serve(config, nofile));
    runtime.shutdown_timeout(LINGER);
    ended
}

fn runtime(worker_threads: Option<usize>) -> io::Result<Runtime> {
    let mut builder = match worker_threads {
        Some(1) => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if let Some(threads) = worker_threads {
        builder.worker_threads(threads);
    }
    builder.enable_all().build()
}

async fn serve(config: Config, nofile: Option<(u64, u64)>) -> anyhow::Result<()> {
    let address = config.listen;
    let listener = Listener::bind(address).await.map_err(|error| cannot_listen(address, &error))?;
    let links = Links::new(&config, listener.address().context("could not tell where it listens")?);
    let defaults = SpawnDefaults {
        command: config.command.clone(),
        cwd: config.cwd.clone(),
        nofile,
        sizing: config.sizing,
        flow: config.flow,
    };
    let sessions = Sessions::new(config.limits, defaults);
    let shutdown = CancellationToken::new();
    let app = App::new(config.clone(), sessions.clone(), shutdown.clone());
    let mut signals = Signals::watch().context("could not watch for signals")?;

    // Until the end, since the browser takes its time.
    let _opened = announce(&config, &links);
    let serving = web::serve(listener, app);
    let ending = async {
        shutdown.cancelled().await;
        sessions.shutdown().await;
    };
    tokio::select! {
        _ = async { tokio::join!(serving, ending) } => Ok(()),
        // What is let go now ends as well: tasks are dropped, and programs are killed by whoever holds them.
        () = signals.obey(&shutdown) => Err(anyhow!("a second signal came before all had ended in good order")),
    }
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

    /// The first signal ends the server in good order. Comes to its end at the second, which is for the impatient.
    async fn obey(&mut self, shutdown: &CancellationToken) {
        self.next().await;
        tracing::info!("ending");
        shutdown.cancel();
        self.next().await;
    }
}

/// Allows the server as many descriptors as it may have: a session needs two, a viewer one. Gives the limits it was
/// started with, for programs to have those.
fn raise_open_files() -> Option<(u64, u64)> {
    let raise = || -> nix::Result<(u64, u64)> {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        Ok((soft, hard))
    };
    raise().inspect_err(|error| tracing::warn!(%error, "could not raise the limit of open files")).ok()
}
