//! `limpet serve`, from the first descriptor to the last.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
};

use anyhow::{Context, anyhow};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    link::Links,
    session::{Sessions, SpawnDefaults},
    web::{self, App, Listener},
};

/// Runs the server until it is told to end by `SIGTERM` or `SIGINT`.
///
/// # Errors
/// When it cannot start: it has no runtime, or cannot listen.
pub fn run(config: Config) -> anyhow::Result<()> {
    let nofile = raise_open_files();
    let runtime = runtime(config.worker_threads).context("could not start the runtime")?;
    runtime.block_on(serve(config, nofile))
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
    let defaults = SpawnDefaults { command: config.command.clone(), cwd: config.cwd.clone(), nofile };
    let sessions = Sessions::new(config.limits, defaults);
    let shutdown = CancellationToken::new();
    let app = App::new(config.clone(), sessions.clone(), shutdown.clone());
    let signals = watch_signals(shutdown.clone()).context("could not watch for signals")?;

    announce(&config, &links);
    let serving = web::serve(listener, app);
    let ending = async {
        shutdown.cancelled().await;
        sessions.shutdown().await;
    };
    tokio::join!(serving, ending);
    signals.abort();
    Ok(())
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

/// Prints the link, and what it puts at risk. Nobody may be reading that, and the server runs all the same.
fn announce(config: &Config, links: &Links) {
    if let Some(risk) = links.risk() {
        tracing::warn!("{risk}");
    }
    if let Err(error) = links.print(config) {
        tracing::warn!(%error, "could not print the link");
    }
    if config.open
        && let Err(error) = open::that_detached(links.first())
    {
        tracing::warn!(%error, "could not open a browser; open the link by hand");
    }
}

/// The first signal ends the server in good order, a second one at once.
fn watch_signals(shutdown: CancellationToken) -> io::Result<tokio::task::JoinHandle<()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if shutdown.is_cancelled() {
                std::process::exit(130);
            }
            tracing::info!("ending");
            shutdown.cancel();
        }
    }))
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
