//! Runs `limpet serve`: start, hand-over from a previous server, and shutdown.

use std::{
    convert::Infallible,
    future::pending,
    io::{self, ErrorKind},
    net::SocketAddr,
    os::fd::OwnedFd,
    panic::{self, AssertUnwindSafe},
    pin::pin,
    process,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow};
use limpet_keeper::{
    self as keeper, KeeperClient, KeeperConnection, Launch, OrphanedSession, PredecessorState,
};
use limpet_pty::{Login, Program};
use limpet_sys::background;
use nix::unistd::{Pid, getppid};
use serde::{Deserialize, Serialize};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinError,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    access_urls::AccessUrls,
    auth::{self, Auth, SignInFile},
    browser,
    config::{Args, BasePath, Config, Token},
    runtimes::{Runtimes, Threads},
    session::{SessionSaver, Sessions, SpawnDefaults},
    shutdown::{Shutdown, ShutdownReason},
    web::{self, App, Listener},
};

/// Maximum time that blocked threads delay the exit. Ending the programs uses such threads and
/// takes a little less.
const BLOCKED_THREAD_TIMEOUT: Duration = Duration::from_secs(4);

/// Pause before the server repeats a health check of itself that failed.
const HEALTH_CHECK_RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Time limit for saving the sessions' state and ending them in good order.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_mins(1);

/// Time limit for closing the attachments before another server takes over.
const HANDOVER_TIMEOUT: Duration = Duration::from_millis(500);

/// Exit code after a panic, the same as in Rust.
const PANIC_EXIT_CODE: i32 = 101;

/// Runs the server until `SIGTERM` or `SIGINT` ends it. Its keeper is at the other end of `socket`;
/// `token` is the value of `LIMPET_TOKEN`.
///
/// # Errors
/// When the server cannot start, for example because it has no runtime or cannot listen, and when
/// it cannot end in good order: a second signal arrives, or the time limit passes.
pub fn run(args: Args, Launch { token, is_without_screens }: Launch, socket: OwnedFd) -> anyhow::Result<()> {
    let threads = Threads::start(args.worker_threads).context("could not start the server's threads")?;
    let serving = || threads.run(serve((args, token), (socket, !is_without_screens), threads.runtimes()));
    // Unwinding further would drop sessions that another process continues.
    let ended =
        panic::catch_unwind(AssertUnwindSafe(serving)).unwrap_or_else(|_| process::exit(PANIC_EXIT_CODE));
    match ended {
        Ok(End::HandedOver { code }) => process::exit(code),
        Ok(End::CannotServe(error)) => {
            tracing::error!("{error:#}; another server continues the sessions");
            process::exit(1)
        }
        ended => {
            threads.stop(BLOCKED_THREAD_TIMEOUT);
            ended.map(drop)
        }
    }
}

/// The ways in which the server ends.
enum End {
    /// The server ends all its sessions.
    Stopped,
    /// Only this server ends, with this exit code; another one continues the sessions.
    HandedOver { code: i32 },
    /// The server ends all its sessions, because the keeper is gone.
    KeeperLost,
    /// Only this server ends, because it cannot serve the sessions that it took over.
    CannotServe(anyhow::Error),
}

impl End {
    /// Returns the reason that viewers are told.
    const fn shutdown_reason(&self) -> ShutdownReason {
        match self {
            Self::HandedOver { .. } | Self::CannotServe(_) => ShutdownReason::HandOver,
            Self::Stopped | Self::KeeperLost => ShutdownReason::Stop,
        }
    }
}

/// Decides how to end when the connection to the keeper, process `keeper`, is lost.
fn end_on_keeper_loss(is_stored: bool, keeper: Pid) -> End {
    if getppid() == keeper {
        // The keeper holds all sessions and starts another server.
        tracing::error!("lost the connection to the keeper; it starts another server");
        End::HandedOver { code: 1 }
    } else if is_stored {
        tracing::error!("the keeper is gone; the sessions wait until the service manager starts another one");
        End::HandedOver { code: 1 }
    } else {
        tracing::error!("the keeper is gone, so all sessions end");
        End::KeeperLost
    }
}

/// The state that the server leaves to the next one, apart from sessions.
#[derive(Serialize, Deserialize)]
struct HandoffRecord {
    token: String,
    /// The key of share links, and the sign-ins.
    #[serde(default)]
    access: Option<auth::SavedAccess>,
}

impl HandoffRecord {
    fn encode(token: &Token, access: auth::SavedAccess) -> io::Result<String> {
        Ok(serde_json::to_string(&Self { token: token.reveal().to_owned(), access: Some(access) })?)
    }
}

async fn serve(
    (args, token): (Args, Option<String>),
    (socket, draws_screens): (OwnedFd, bool),
    runtimes: Runtimes,
) -> anyhow::Result<End> {
    let parent = getppid();
    let KeeperConnection { client: keeper, predecessor, is_stored } =
        KeeperClient::connect(socket, draws_screens).await.context("could not connect to the keeper")?;
    let mut signals = Signals::watch().context("could not watch for signals")?;
    let is_first = predecessor.is_none();
    let Startup { config, listener, orphaned_sessions, has_fallback, access } =
        start((args, token), predecessor).await?;
    let saving = open_state_dir(&config, is_first)?;
    log_limits(&config);
    let address = listener.address().context("could not determine the listening address")?;
    let links = AccessUrls::new(&config, address);
    let sessions = create_registry(&config, &keeper, runtimes.clone());
    let failed_takeovers = sessions.take_over(orphaned_sessions).await;
    if failed_takeovers > 0 && has_fallback {
        return Ok(End::CannotServe(anyhow!(
            "could not take over {failed_takeovers} sessions because descriptors or memory are exhausted"
        )));
    }
    if let Some(saving) = saving {
        if is_first {
            sessions.restore(&saving).await.context("could not read --state-dir")?;
        }
        sessions.save(saving);
    }
    let shutdown = Shutdown::default();
    let sign_in_file = open_sign_in_file(&config).map(Arc::new);
    let access = if is_first { sign_in_file.as_deref().and_then(read_sign_ins) } else { access };
    let base_path = config.base_path.clone();
    let auth = Arc::new(Auth::new(&config.token, access));
    let app = App::new(config.clone(), Arc::clone(&auth), sessions.clone(), shutdown.clone());
    let record = HandoffRecord::encode(&config.token, auth.snapshot())?;
    if let Err(error) = keeper.register_server(&record, &links.to_text(), listener.socket()).await {
        let error = anyhow!(error).context("could not tell the keeper that the server is ready");
        return if is_first { Err(error) } else { Ok(End::CannotServe(error)) };
    }
    if is_first {
        announce(&config, &links);
    }
    if config.open {
        browser::remove_leftovers();
    }
    let _opened =
        (is_first && config.open).then(|| AbortOnDropHandle::new(tokio::spawn(open_browser(links))));
    let mut serving = AbortOnDropHandle::new(runtimes.requests.spawn(web::serve(listener, app)));
    let mut saving_sign_ins = pin!(async {
        let with_keeper = auth.save_with_keeper(async |access| {
            store_sign_ins_with_keeper(access, &config.token, &keeper).await
        });
        let on_disk = async {
            if let Some(file) = &sign_in_file {
                auth.save_on_disk(async |access| store_sign_ins_on_disk(access, file).await).await;
            }
        };
        tokio::join!(with_keeper, on_disk, auth.log_repeats())
    });
    let end = tokio::select! {
        served = &mut serving => stopped_serving(served),
        () = signals.next() => End::Stopped,
        () = keeper.lost() => end_on_keeper_loss(is_stored, parent),
        () = keeper.leave_requested() => End::HandedOver { code: 0 },
        // The client that waits for this server to take over wants to know that it answers.
        _ = report_answer(&keeper, address, &base_path), if !is_first => End::Stopped,
        _ = &mut saving_sign_ins => End::Stopped,
    };
    shutdown.start(end.shutdown_reason());
    match end {
        End::HandedOver { .. } => {
            tracing::info!("handing over to another server");
            // Viewers that have not parted by then notice when the connection closes.
            let _ = timeout(HANDOVER_TIMEOUT, serving).await;
            return Ok(end);
        }
        End::CannotServe(_) => return Ok(end),
        End::Stopped | End::KeeperLost => {}
    }
    tracing::info!("ending");
    let ending = async {
        let (served, ()) = tokio::join!(serving, sessions.shutdown());
        ok_or_log(served.map_err(io::Error::from).flatten(), "some requests were interrupted");
        auth.wait_until_saved().await
    };
    tokio::select! {
        _ = ending => {
            if let End::KeeperLost = end {
                return Err(anyhow!("the sessions were lost because the keeper is gone"));
            }
            keeper.announce_end().await;
            Ok(End::Stopped)
        }
        _ = saving_sign_ins => Ok(End::Stopped),
        // The keeper kills a server that shows no progress.
        _ = keeper.keep_showing_progress() => Ok(End::Stopped),
        () = sleep(SHUTDOWN_TIMEOUT) => {
            Err(anyhow!("not all sessions could be ended within {SHUTDOWN_TIMEOUT:?}"))
        }
        // Returning still ends everything: tasks are dropped, and the process that holds a program
        // kills it.
        () = signals.next() => Err(anyhow!("a second signal arrived before all sessions had ended")),
    }
}

/// Opens `--state-dir`, if there is one. A successor continues without it, because running sessions
/// matter more than those that could be restored after a reboot.
fn open_state_dir(config: &Config, is_first: bool) -> anyhow::Result<Option<SessionSaver>> {
    match config.open_state_dir() {
        Err(error) if !is_first => {
            tracing::error!(%error, "could not use --state-dir; sessions are not saved");
            Ok(None)
        }
        saving => saving.context("--state-dir"),
    }
}

fn log_limits(config: &Config) {
    if let Some(open_files) = config.limits.open_files {
        let sessions = config.limits.sessions;
        tracing::info!(
            sessions,
            open_files,
            "the limit of open files allows fewer sessions than --max-sessions"
        );
    }
}

/// Returns how the server ends when it stopped serving requests without being asked: alone, so that
/// another server continues.
fn stopped_serving(served: Result<io::Result<()>, JoinError>) -> End {
    End::CannotServe(match served.map_err(io::Error::from).flatten() {
        Ok(()) => anyhow!("stopped serving requests"),
        Err(error) => anyhow!(error).context("could not continue serving requests"),
    })
}

/// The state that a server starts with.
struct Startup {
    config: Config,
    listener: Listener,
    /// Sessions that the previous server left.
    orphaned_sessions: Vec<OrphanedSession>,
    /// Set if another server continues when this one cannot take over all sessions.
    has_fallback: bool,
    /// The sign-ins and the key of share links, if a previous server left them.
    access: Option<auth::SavedAccess>,
}

/// Starts from what the previous server left, or else from the arguments alone.
async fn start(
    (args, token): (Args, Option<String>),
    predecessor: Option<PredecessorState>,
) -> anyhow::Result<Startup> {
    let Some(PredecessorState { record, listener, sessions, has_fallback }) = predecessor else {
        let config = Config::new(args, token.as_deref())?;
        let address = config.listen;
        let listener = match Listener::bind(address).await {
            Ok(listener) => listener,
            Err(error) => return Err(bind_error(address, &error).await),
        };
        return Ok(Startup {
            config,
            listener,
            orphaned_sessions: Vec::new(),
            has_fallback: false,
            access: None,
        });
    };
    let record: HandoffRecord =
        serde_json::from_str(&record).context("could not read the hand-off from the previous server")?;
    let predecessor = Token::of_predecessor(record.token);
    let config = Config::for_successor(args, token.as_deref(), predecessor);
    let listener = Listener::take_over(listener).context("could not take over the listening socket")?;
    Ok(Startup { config, listener, orphaned_sessions: sessions, has_fallback, access: record.access })
}

/// Creates the registry, without any sessions.
fn create_registry(config: &Config, keeper: &KeeperClient, runtimes: Runtimes) -> Sessions {
    let login = Login::find();
    if let (None, Some(shell)) = (&config.command, login.refused_shell()) {
        let (refused, instead) = (shell.display(), login.shell());
        tracing::warn!("{refused} is not an interactive shell; sessions run {} instead", instead.display());
    }
    let defaults = SpawnDefaults {
        command: config.command.clone(),
        cwd: config.cwd.clone(),
        login,
        sizing: config.sizing,
        flow: config.flow,
    };
    Sessions::new(config.limits, defaults, keeper.clone(), runtimes)
}

/// Sends requests to this server until one is answered, and reports that to the keeper.
async fn report_answer(keeper: &KeeperClient, address: SocketAddr, base_path: &BasePath) -> Infallible {
    while let Err(error) = web::check_health(address, base_path).await {
        if error.kind() == ErrorKind::AddrNotAvailable || error.kind() == ErrorKind::NetworkUnreachable {
            tracing::warn!(%address, %error, "could not connect to this server at its own address");
            break;
        }
        tracing::debug!(%address, %error, "the server does not answer yet");
        sleep(HEALTH_CHECK_RETRY_PAUSE).await;
    }
    keeper.report_answered().await;
    pending().await
}

/// Returns the file in which sign-ins survive a restart, if there is a place for it: in the state
/// directory, or beside the token's file.
fn open_sign_in_file(config: &Config) -> Option<SignInFile> {
    if let Some(dir) = &config.state_dir {
        return Some(SignInFile::in_dir(dir));
    }
    let token_file = config.token_file.as_ref()?;
    let only_here = "browsers have to log in again after a restart";
    match SignInFile::beside(token_file) {
        Ok(Some(file)) => return Some(file),
        Ok(None) => {
            tracing::warn!(
                "another limpet uses {} too, and stores its sign-ins beside it; {only_here}",
                token_file.display()
            );
        }
        Err(error) => tracing::warn!(%error, "could not lock {}; {only_here}", token_file.display()),
    }
    None
}

/// Reads the sign-ins from before a restart. If they cannot be read, browsers have to log in again.
fn read_sign_ins(file: &SignInFile) -> Option<auth::SavedAccess> {
    let read = file.read();
    read.unwrap_or_else(|error| {
        let path = file.path().display();
        tracing::error!(%error, "could not use {path}, so browsers have to log in again and share links change");
        None
    })
}

/// Stores the sign-ins with the keeper, for the next server. Returns false if that failed.
async fn store_sign_ins_with_keeper(access: auth::SavedAccess, token: &Token, keeper: &KeeperClient) -> bool {
    let stored = match HandoffRecord::encode(token, access) {
        Ok(record) => keeper.update_server_record(&record).await,
        Err(error) => Err(error),
    };
    ok_or_log(
        stored,
        "could not store the sign-ins with the keeper; after an upgrade browsers have to log in again",
    )
}

/// Stores the sign-ins on disk, for the time after a restart. Returns false if that failed.
async fn store_sign_ins_on_disk(access: auth::SavedAccess, file: &Arc<SignInFile>) -> bool {
    let written = {
        let file = Arc::clone(file);
        background::run(move || file.write(&access)).await
    };
    ok_or_log(written.flatten(), "could not save the sign-ins")
}

fn ok_or_log(result: io::Result<()>, otherwise: &str) -> bool {
    result.inspect_err(|error| tracing::error!(%error, "{otherwise}")).is_ok()
}

/// Returns the error of a failed bind, with advice that depends on its cause.
async fn bind_error(address: SocketAddr, error: &io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        ErrorKind::AddrInUse => match find_limpet_at(address).await {
            Some(pid) => format!(
                "your limpet with process id {pid} already listens there. To print its link, run: limpet \
                 link {pid}. To start \
                 another one, choose another port with --listen, or 0 for any free one"
            ),
            None => "another program listens there already; pick another port by --listen, or 0 for any"
                .to_owned(),
        },
        ErrorKind::AddrNotAvailable => {
            "this machine does not have that address; 127.0.0.1 and 0.0.0.0 are always there".to_owned()
        }
        ErrorKind::PermissionDenied => {
            "ports below 1024 need administrator rights; choose another with --listen".to_owned()
        }
        _ => "pick another by --listen".to_owned(),
    };
    anyhow!("could not listen on {address}: {error}; {advice}")
}

/// Finds the limpet of this user that listens at an address, and returns its process id.
async fn find_limpet_at(address: SocketAddr) -> Option<u32> {
    let running = background::run(keeper::links).await.unwrap_or_default();
    let mut links =
        running.into_iter().filter_map(|(pid, text)| Some((pid, AccessUrls::from_text(&text).ok()?)));
    links.find(|(_, links)| links.conflicts_with(address)).map(|(pid, _)| pid)
}

/// Warns if the program that sessions run cannot be found. The server runs all the same, because
/// the program may be installed later.
fn check_program(config: &Config) {
    let Some([file, args @ ..]) = config.command.as_deref() else { return };
    let program = Program { cwd: config.cwd.clone(), ..Program::new(file.clone(), args.to_vec()) };
    if let Err(error) = program.check(&Login::find()) {
        tracing::warn!("{error}");
    }
}

/// Prints the link and its risk. The server runs all the same if printing fails.
fn announce(config: &Config, links: &AccessUrls) {
    check_program(config);
    if let Some(path) = &config.created_token_file {
        tracing::warn!("created {} with a new token; from now on the link stays the same", path.display());
    }
    if let Some(warning) = links.exposure_warning() {
        tracing::warn!("{warning}");
    }
    if let Err(error) = links.announce(config.format) {
        tracing::warn!(%error, "could not print the link");
    }
}

/// Opens the link in a browser.
async fn open_browser(links: AccessUrls) {
    if let Err(error) = browser::open(&links.local_url()).await {
        tracing::warn!(%error, "could not open a browser; open the link yourself");
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
