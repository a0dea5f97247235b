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
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    browser,
    config::{Args, Config, Token},
    keeper::{Connected, Estate, Left, Link},
    link::Links,
    pty::Login,
    session::{Sessions, SpawnDefaults},
    threads::Threads,
    web::{self, App, Listener},
};

/// How long a blocked thread may hold up the end. Programs are ended on such threads, which takes a little less.
const LINGER: Duration = Duration::from_secs(4);

/// How long viewers have to part before another server takes over.
const PARTING: Duration = Duration::from_millis(500);

/// Runs the server until it is told to end by `SIGTERM` or `SIGINT`. Its keeper is at the other end of `socket`; `token` is what
/// `LIMPET_TOKEN` says.
///
/// # Errors
/// When it cannot start, for it has no runtime or cannot listen, and when a second signal does not let it end in order.
pub fn run(args: Args, token: Option<String>, socket: OwnedFd) -> anyhow::Result<()> {
    let threads = Threads::start(args.worker_threads).context("could not start the server's threads")?;
    let ended = threads.run(serve(args, token, socket, threads.floods()));
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

async fn serve(
    args: Args,
    token: Option<String>,
    socket: OwnedFd,
    floods: Option<Handle>,
) -> anyhow::Result<End> {
    let Connected { link: keeper, estate, is_stored } =
        Link::connect(socket).await.context("could not reach the process that keeps sessions")?;
    let mut signals = Signals::watch().context("could not watch for signals")?;
    let is_first = estate.is_none();
    let (config, listener, left) = if let Some(Estate { record, listener, sessions }) = estate {
        let record: Record =
            serde_json::from_str(&record).context("could not read what an earlier server has left")?;
        let predecessor = Token::of_predecessor(record.token);
        let config = Config::of_successor(args, token.as_deref(), predecessor);
        let listener = listener.context("an earlier server has left no socket")?;
        (config, Listener::take_over(listener).context("could not go on listening")?, sessions)
    } else {
        let config = Config::new(args, token.as_deref())?;
        let address = config.listen;
        let listener = Listener::bind(address).await.map_err(|error| cannot_listen(address, &error))?;
        (config, listener, Vec::new())
    };
    let saving = match config.saving() {
        // Sessions that run count more than those that might be restored.
        Err(error) if !is_first => {
            tracing::error!(%error, "could not go on with --state-dir; nothing is saved");
            None
        }
        saving => saving.context("--state-dir")?,
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
    keeper
        .serving(record, links.to_text(), listener.socket())
        .await
        .context("could not tell its keeper that it serves")?;
    if is_first {
        announce(&config, &links);
    }
    if config.open {
        browser::remove_leftovers();
    }
    let _opened = (is_first && config.open).then(|| AbortOnDropHandle::new(tokio::spawn(open(links))));
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
    let login = Login::find();
    if let (None, Some(shell)) = (&config.command, login.refused_shell()) {
        let (refused, instead) = (shell.display(), login.shell());
        tracing::warn!("{refused} is no shell to work in; sessions run {} instead", instead.display());
    }
    let defaults = SpawnDefaults {
        command: config.command.clone(),
        cwd: config.cwd.clone(),
        login,
        sizing: config.sizing,
        flow: config.flow,
    };
    let sessions = Sessions::new(config.limits, defaults, keeper.clone(), floods);
    for session in sessions.take_over(left) {
        keeper.forget(&session).await;
    }
    sessions
}

/// What to do about it depends on what is wrong.
fn cannot_listen(address: SocketAddr, error: &io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        ErrorKind::AddrInUse => {
            "something listens there already; pick another port by --listen, or 0 for any. If it is a limpet of yours, \
             its link is printed by: limpet link"
        }
        ErrorKind::AddrNotAvailable => {
            "this machine does not have that address; 127.0.0.1 and 0.0.0.0 are always there"
        }
        ErrorKind::PermissionDenied => "ports below 1024 are the administrator's; pick another by --listen",
        _ => "pick another by --listen",
    };
    anyhow!("could not listen on {address}: {error}; {advice}")
}

/// Prints the link, and what it puts at risk. The server runs all the same if that cannot be done.
fn announce(config: &Config, links: &Links) {
    if let Some(path) = &config.made_token_file {
        tracing::warn!("made {} with a new token; from now on the link stays the same", path.display());
    }
    if let Some(risk) = links.risk() {
        tracing::warn!("{risk}");
    }
    if let Err(error) = links.announce(config.format) {
        tracing::warn!(%error, "could not print the link");
    }
}

/// Opens the link in a browser.
async fn open(links: Links) {
    if let Err(error) = browser::open(&links.first()).await {
        tracing::warn!(%error, "could not open a browser; open the link by hand");
    }
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
