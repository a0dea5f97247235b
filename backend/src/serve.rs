//! `limpet serve`, from the first descriptor to the last.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    os::fd::OwnedFd,
    pin::pin,
    process,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};
use tokio::{
    runtime::Handle,
    signal::unix::{Signal, SignalKind, signal},
    task,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    auth::{self, Auth, SignInFile},
    browser::{self, Opened},
    config::{Config, Token},
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
    /// The key of share links, and who is signed in.
    #[serde(default)]
    access: Option<auth::Saved>,
}

impl Record {
    fn text(token: &Token, access: auth::Saved) -> io::Result<String> {
        Ok(serde_json::to_string(&Self { token: token.reveal().to_owned(), access: Some(access) })?)
    }
}

async fn serve(mut config: Config, socket: OwnedFd, floods: Option<Handle>) -> anyhow::Result<End> {
    let Connected { link: keeper, estate, is_stored } =
        Link::connect(socket).await.context("could not reach the process that keeps sessions")?;
    let mut signals = Signals::watch().context("could not watch for signals")?;
    let is_first = estate.is_none();
    let saving = config.saving().context("--state-dir")?;
    let sign_in_file = sign_in_file(&config).map(Arc::new);
    let (listener, left, access) = if let Some(Estate { record, listener, sessions }) = estate {
        let record: Record =
            serde_json::from_str(&record).context("could not read what an earlier server has left")?;
        config.keep_token(&record.token);
        let listener = listener.context("an earlier server has left no socket")?;
        (Listener::take_over(listener).context("could not go on listening")?, sessions, record.access)
    } else {
        let address = config.listen;
        let listener = Listener::bind(address).await.map_err(|error| cannot_listen(address, &error))?;
        (listener, Vec::new(), sign_in_file.as_deref().and_then(read_sign_ins))
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
    let auth = Arc::new(Auth::new(&config.token, access));
    let app = App::new(config.clone(), Arc::clone(&auth), sessions.clone(), shutdown.clone());
    let record = Record::text(&config.token, auth.snapshot())?;
    keeper.serving(record, listener.socket()).await.context("could not tell its keeper that it serves")?;

    // Until the end, since the browser takes its time.
    let _opened = if is_first { announce(&config, &links) } else { None };
    let mut serving = pin!(web::serve(listener, app));
    let mut keeping_sign_ins = pin!(async {
        let keep = auth.save_with_keeper(async |access| keep_sign_ins(access, &config.token, &keeper).await);
        let write = async {
            if let Some(file) = &sign_in_file {
                auth.save_on_disk(async |access| write_sign_ins(access, file).await).await;
            }
        };
        tokio::join!(keep, write, auth.write_counts())
    });
    let how = tokio::select! {
        () = &mut serving => End::Over,
        () = signals.next() => End::Over,
        () = keeper.lost() => when_lost(is_stored),
        () = keeper.leave() => End::Leaves,
        _ = &mut keeping_sign_ins => End::Over,
    };
    shutdown.cancel();
    if let End::Leaves = how {
        tracing::info!("making room for another server");
        // Who has not understood by then will notice.
        let _ = timeout(PARTING, serving).await;
        return Ok(End::Leaves);
    }
    tracing::info!("ending");
    let ending = async {
        tokio::join!(serving, sessions.shutdown());
        auth.saved().await
    };
    tokio::select! {
        _ = ending => {
            keeper.end().await;
            Ok(End::Over)
        }
        _ = keeping_sign_ins => Ok(End::Over),
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
    for session in sessions.take_over(left) {
        keeper.forget(&session).await;
    }
    sessions
}

/// Where sign-ins outlive a restart, if there is a place: in the directory for what does, or beside the token's file.
fn sign_in_file(config: &Config) -> Option<SignInFile> {
    if let Some(dir) = &config.state_dir {
        return Some(SignInFile::in_dir(dir));
    }
    let token_file = config.token_file.as_ref()?;
    let only_here = "browsers have to log in again after a restart";
    match SignInFile::beside(token_file) {
        Ok(Some(file)) => return Some(file),
        Ok(None) => {
            tracing::warn!(
                "another limpet uses {} as well, and keeps its sign-ins beside it; {only_here}",
                token_file.display()
            );
        }
        Err(error) => tracing::warn!(%error, "could not lock {}; {only_here}", token_file.display()),
    }
    None
}

/// The sign-ins of before a restart. When they cannot be read, browsers have to log in again.
fn read_sign_ins(file: &SignInFile) -> Option<auth::Saved> {
    let read = file.read();
    read.unwrap_or_else(|error| {
        let path = file.path().display();
        tracing::error!(%error, "could not use {path}, so browsers have to log in again, and share links are new");
        None
    })
}

/// Keeps sign-ins for the next server. False if that failed.
async fn keep_sign_ins(access: auth::Saved, token: &Token, keeper: &Link) -> bool {
    let kept = match Record::text(token, access) {
        Ok(record) => keeper.serving_still(record).await,
        Err(error) => Err(error),
    };
    went_well(kept, "could not keep who is signed in; a new server would not know")
}

/// Keeps sign-ins for the time after a restart. False if that failed.
async fn write_sign_ins(access: auth::Saved, file: &Arc<SignInFile>) -> bool {
    let written = {
        let file = Arc::clone(file);
        task::spawn_blocking(move || file.write(&access)).await
    };
    went_well(written.map_err(io::Error::other).flatten(), "could not write down who is signed in")
}

fn went_well(result: io::Result<()>, otherwise: &str) -> bool {
    result.inspect_err(|error| tracing::error!(%error, "{otherwise}")).is_ok()
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
