//! The real server as a child process.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    os::{
        fd::{OwnedFd, RawFd},
        unix::fs::FileExt,
    },
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    thread,
};

use command_fds::{CommandFdExt, FdMapping};
use limpet_shared::{
    SessionId,
    api::{SessionDetails, SessionInfo},
};
use nix::{
    sys::{
        memfd::{MFdFlags, memfd_create},
        signal::{Signal, kill},
    },
    unistd::{Pid, Uid},
};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use super::{
    Census,
    census::{connections_to, keeper_below, server_of},
    container, until,
};

pub(crate) const TOKEN: &str = "token-of-the-tests-0123456789";

/// The options that a server is started with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Command that is started instead of the binary and gets the binary as its last argument, for
    /// example `taskset -c 0`.
    pub(crate) wrapper: Vec<String>,
    /// The binary, if it is not the one under test.
    pub(crate) binary: Option<String>,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    /// True if the environment contains nothing else.
    pub(crate) is_env_bare: bool,
    /// Inherited descriptors, numbered from 3.
    pub(crate) inherited: Vec<Arc<OwnedFd>>,
}

impl Options {
    pub(crate) fn args<const N: usize>(args: [&str; N]) -> Self {
        Self::default().with_args(args)
    }

    pub(crate) fn with_args<const N: usize>(mut self, args: [&str; N]) -> Self {
        self.args.extend(args.map(str::to_owned));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts from an empty environment.
    pub(crate) fn bare_env(mut self) -> Self {
        self.is_env_bare = true;
        self
    }

    pub(crate) fn wrapped<const N: usize>(mut self, words: [&str; N]) -> Self {
        self.wrapper = words.map(str::to_owned).to_vec();
        self
    }

    /// Returns the directory of the server's sockets, if one was set.
    fn runtime_dir(&self) -> Option<(&str, &str)> {
        let dir = self.env.iter().find(|(name, _)| name == "XDG_RUNTIME_DIR");
        dir.map(|(name, value)| (&name[..], &value[..]))
    }

    /// Runs the server in a bare container: its own process and user namespace, a user that no
    /// database knows, a root that is read-only except for `/tmp`, and an empty environment.
    pub(crate) fn in_container(self) -> Self {
        self.bare_env().wrapped(container::WRAPPER)
    }

    /// Returns the options for running here and, where possible, in a bare container.
    pub(crate) fn environments() -> Vec<Self> {
        [Self::default()].into_iter().chain(Self::in_container_if_possible()).collect()
    }

    /// Returns the options for running in a bare container, where that is possible.
    pub(crate) fn in_container_if_possible() -> Option<Self> {
        container::is_possible().then(|| Self::default().in_container())
    }

    fn is_contained(&self) -> bool {
        self.wrapper.get(..container::WRAPPER.len()).is_some_and(|wrapper| wrapper == container::WRAPPER)
    }

    /// Returns the options for one core and all cores, each with one thread and several.
    pub(crate) fn thread_and_core_variants() -> [Self; 4] {
        let core = |options: Self| options.wrapped(["taskset", "-c", "0"]);
        let one = || Self::args(["--worker-threads", "1"]);
        let several = || Self::args(["--worker-threads", "4"]);
        [core(one()), core(several()), one(), several()]
    }
}

/// A running server. Dropping it ends it, and prints its log if the test has failed.
pub(crate) struct Server {
    /// The started process: the keeper, or its wrapper.
    process: Child,
    keeper: Pid,
    log: File,
    address: String,
    http: reqwest::Client,
    options: Options,
}

impl Server {
    pub(crate) fn start(options: Options) -> Self {
        let (mut process, log) = Self::spawn(&options);
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!("the server did not start: {line}{}", read(&log));
        });
        let address = ready["listen"].as_str().unwrap().to_owned();
        let keeper = keeper_of(&process);
        Self { process, keeper, log, address, http: http_client(), options }
    }

    /// Starts a server that continues where another one was, at the same address.
    pub(crate) async fn start_again(options: Options, address: &str) -> Self {
        let (process, log) = Self::spawn(&options);
        let keeper = keeper_of(&process);
        let address = address.to_owned();
        let mut server = Self { process, keeper, log, address, http: http_client(), options };
        assert_eq!(
            server.anonymous(Method::GET, "/api/health").send().await.unwrap().status(),
            StatusCode::OK
        );
        server.keeper = keeper_of(&server.process);
        server
    }

    fn spawn(options: &Options) -> (Child, File) {
        let binary = options.binary.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_limpet").to_owned());
        let mut words = options.wrapper.iter().chain([&binary]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).args(["--listen", "127.0.0.1:0", "--format", "json", "-vv"]).args(&options.args);
        if options.is_env_bare {
            command.env_clear();
        } else {
            command.env("SHELL", "/bin/bash").env("HISTFILE", "");
        }
        if !Uid::current().is_root() {
            // The tests count the server's resources, which otherwise only root may do.
            command.env("LIMPET_TEST_DUMPABLE", "1");
        }
        command
            .env("LIMPET_TOKEN", TOKEN)
            .env_remove("LIMPET_LOG")
            .envs(options.env.iter().map(|(name, value)| (name, value)));
        let inherited = options.inherited.iter().zip(3..);
        let mapping = |(fd, child_fd): (&Arc<OwnedFd>, RawFd)| FdMapping {
            parent_fd: fd.try_clone().unwrap(),
            child_fd,
        };
        command.fd_mappings(inherited.map(mapping).collect()).unwrap();
        let log = anonymous_file();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.try_clone().unwrap());
        (command.spawn().unwrap(), log)
    }

    /// Returns the listening address.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Returns the keeper, which holds the sessions and runs a server for them.
    pub(crate) fn keeper_pid(&self) -> Pid {
        self.keeper
    }

    /// Returns the process that serves at present.
    pub(crate) fn server_pid(&self) -> Pid {
        server_of(self.keeper_pid()).unwrap()
    }

    pub(crate) fn census(&self) -> Census {
        Census::of(self.keeper_pid(), self.server_pid())
    }

    /// Takes the census once no connection is open, so that it counts nothing that is about to
    /// close.
    pub(crate) async fn idle_census(&self) -> Census {
        until("all connections to be closed", || connections_to(self.port()) == 0).await;
        self.census()
    }

    /// Kills the serving process, and waits until another one serves.
    pub(crate) async fn kill(&self) {
        let killed = self.server_pid();
        kill(killed, Signal::SIGKILL).unwrap();
        until("another server", || server_of(self.keeper_pid()).is_some_and(|server| server != killed)).await;
        assert_eq!(self.anonymous(Method::GET, "/api/health").send().await.unwrap().status(), StatusCode::OK);
    }

    /// Requests an upgrade as a person does. Returns whether it succeeded, and the command's
    /// output.
    pub(crate) fn upgrade(&self) -> (bool, String) {
        self.run_command("upgrade")
    }

    /// Runs one of limpet's commands where the server runs, as a person does. Returns whether it
    /// succeeded, and its output.
    pub(crate) fn run_command(&self, verb: &str) -> (bool, String) {
        let limpet = env!("CARGO_BIN_EXE_limpet");
        let mut command = if self.options.is_contained() {
            // Inside the container the process has another number, and is the only limpet.
            let mut command = Command::new("nsenter");
            let keeper = self.keeper_pid().to_string();
            command.args(["--preserve-credentials", "-U", "-m", "-p", "-t", &keeper]).args([limpet, verb]);
            command
        } else {
            let mut command = Command::new(limpet);
            command.args([verb, &self.keeper_pid().to_string()]);
            command
        };
        let output = command.env_remove("XDG_RUNTIME_DIR").envs(self.options.runtime_dir()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    /// Returns the log so far.
    pub(crate) fn log(&self) -> String {
        read(&self.log)
    }

    /// Builds a request without credentials.
    pub(crate) fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address))
    }

    /// Builds a request with the token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(TOKEN)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Response {
        self.request(Method::POST, path).json(&body).send().await.unwrap()
    }

    /// Starts a program in a new session.
    pub(crate) async fn open_session<const N: usize>(&self, command: [&str; N]) -> SessionId {
        let response = self.post("/api/sessions", json!({ "command": &command[..] })).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        response.json::<SessionInfo>().await.unwrap().id
    }

    /// Starts a bash script in a new session.
    pub(crate) async fn bash(&self, script: &str) -> SessionId {
        self.open_session(["bash", "-c", script]).await
    }

    pub(crate) async fn details(&self, id: &SessionId) -> SessionDetails {
        self.get(&format!("/api/sessions/{id}")).await.json().await.unwrap()
    }

    pub(crate) async fn close(&self, id: &SessionId) {
        let response = self.request(Method::DELETE, &format!("/api/sessions/{id}")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
    }

    pub(crate) fn signal_keeper(&self, signal: Signal) {
        kill(self.keeper_pid(), signal).unwrap();
    }

    /// Waits until the process has ended by itself.
    pub(crate) async fn wait_until_ended(&mut self) -> ExitStatus {
        let mut status = None;
        until("the server to end", || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The keeper may have ended already.
        let _ = kill(self.keeper_pid(), Signal::SIGTERM);
        let _ = self.process.wait();
        if thread::panicking() {
            eprintln!("the log of the server ({:?}):\n{}", self.options, self.log());
        }
    }
}

/// Finds the keeper: the process or one of its descendants. Returns the process itself while there
/// is no keeper yet.
fn keeper_of(process: &Child) -> Pid {
    let process = Pid::from_raw(process.id().cast_signed());
    keeper_below(process).unwrap_or(process)
}

/// Creates a client that opens a connection for each request: a connection kept open would break
/// when the server is replaced.
fn http_client() -> reqwest::Client {
    reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap()
}

/// Creates a file without a name, which is deleted with its last descriptor.
fn anonymous_file() -> File {
    memfd_create("log", MFdFlags::MFD_CLOEXEC).unwrap().into()
}

/// Reads the file without moving the position at which the server writes.
fn read(log: &File) -> String {
    let mut text = vec![0; usize::try_from(log.metadata().unwrap().len()).unwrap()];
    log.read_exact_at(&mut text, 0).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}
