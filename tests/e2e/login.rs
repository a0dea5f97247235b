//! What login(1) does for who logs in, and what others on the same machine must not be able to do.

use std::{
    fs::{self, Permissions},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::{
        fs::{PermissionsExt as _, chown},
        net::UnixStream,
    },
    path::Path,
    process::{Child, Command, Stdio},
};

use limpet_shared::api::SessionInfo;
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Client, Hello, Options, Server, TOKEN, until};

/// A user of every system who has no shell.
const NOBODY: &str = "nobody";

/// Only the administrator can be somebody else.
fn is_root() -> bool {
    Uid::effective().is_root()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The environment that a program gets.
async fn environment(server: &Server, wish: Value) -> Vec<String> {
    let mut session = json!({ "command": ["sh", "-c", "env; echo end of it"] });
    session.as_object_mut().unwrap().extend(wish.as_object().unwrap().clone());
    let info: SessionInfo = server.post("/api/sessions", session).await.json().await.unwrap();
    let mut client = Client::attach(server, &info.id, Hello::default()).await;
    client.finishes().await;
    client.text().lines().map(str::to_owned).collect()
}

/// A login shell, and its first answer to a line.
async fn shell(server: &Server, line: &str, expected: &str) -> Client {
    let info: SessionInfo = server.post("/api/sessions", json!({})).await.json().await.unwrap();
    let mut client = Client::attach(server, &info.id, Hello::default()).await;
    client.type_in(&format!("{line}\n")).await;
    client.sees(expected).await;
    client
}

#[tokio::test]
async fn what_is_missing_or_empty_in_the_environment_is_as_after_a_login() {
    let names = ["HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE"];
    let bare = || Options::default().bare_env().env("PATH", "/usr/bin:/bin");
    let empty = names.into_iter().fold(bare(), |options, name| options.env(name, ""));
    for options in [bare(), empty, Options::default().bare_env().env("PATH", "")] {
        let server = Server::start(options);
        let seen = environment(&server, json!({})).await;
        let user = nix::unistd::User::from_uid(Uid::effective()).unwrap().unwrap();
        let home = user.dir.display().to_string();
        // Whoever runs the tests may be a user of a service.
        let has_shell = !["nologin", "false"].iter().any(|name| user.shell.ends_with(name));
        let shell = if has_shell { user.shell.display().to_string() } else { "/bin/bash".to_owned() };
        for (name, value) in [
            ("HOME", &home),
            ("USER", &user.name),
            ("LOGNAME", &user.name),
            ("SHELL", &shell),
            ("LANG", &"C.UTF-8".to_owned()),
        ] {
            assert!(seen.contains(&format!("{name}={value}")), "{name}={value}: {seen:?}");
        }
        assert!(seen.iter().any(|line| line.starts_with("PATH=/")), "{seen:?}");
    }
}

#[tokio::test]
async fn variables_that_tell_of_another_terminal_are_withheld() {
    let names = [
        "KITTY_WINDOW_ID",
        "ZELLIJ",
        "INSIDE_EMACS",
        "VTE_VERSION",
        "WEZTERM_PANE",
        "GHOSTTY_RESOURCES_DIR",
        "NVIM",
        "WT_SESSION",
        "TMUX",
        "STY",
        "TERM_PROGRAM_VERSION",
        "VSCODE_INJECTION",
        "LC_TERMINAL",
        "KONSOLE_VERSION",
        "COLORFGBG",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "SHLVL",
        "OLDPWD",
        "LIMPET_HEARTBEAT_MS",
    ];
    let options =
        Options::default().env("TERM_PROGRAM", "kitty").env("SSH_CONNECTION", "kept").env("DISPLAY", "kept");
    let server = Server::start(names.into_iter().fold(options, |options, name| options.env(name, "99999")));
    let seen = environment(&server, json!({ "env": { "ZELLIJ": "as I like", "TERM": "dumb" } })).await;
    let others: Vec<_> =
        seen.iter().filter(|line| line.ends_with("=99999") || line.ends_with("=kitty")).collect();
    assert!(others.is_empty(), "{others:?}");
    for line in
        ["SSH_CONNECTION=kept", "DISPLAY=kept", "TERM_PROGRAM=limpet", "ZELLIJ=as I like", "TERM=dumb"]
    {
        assert!(seen.contains(&line.to_owned()), "{line}: {seen:?}");
    }
}

#[tokio::test]
async fn what_keeps_people_out_is_not_started_as_a_shell() {
    for refused in ["/usr/sbin/nologin", "/bin/false", "bash"] {
        let server = Server::start(Options::default().env("SHELL", refused));
        shell(&server, "echo $0 $SHELL.", "sh.").await;
        let log = server.log();
        assert_eq!(log.matches(&format!("{refused} is no shell to work in")).count(), 1, "{log}");
        // But whoever asks for it gets it.
        let id = server.open(["/bin/false"]).await;
        let mut client = Client::attach(&server, &id, Hello::default()).await;
        assert_eq!(client.finishes().await.0, Some(limpet_shared::ExitStatus::Code(1)));
    }
    if is_root() {
        let as_nobody = ["setpriv", "--reuid", NOBODY, "--clear-groups"];
        let server = Server::start(Options::default().bare_env().wrapped(as_nobody));
        shell(&server, "echo $0 $SHELL for $USER in $HOME.", "-bash /bin/bash for nobody in /.").await;
    }
}

#[tokio::test]
async fn a_start_directory_that_is_gone_is_told_and_left_for_home() {
    let folder = tempfile::tempdir().unwrap();
    let (given, current) = (folder.path().join("given"), folder.path().join("current"));
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    // By the option, and by where it was started.
    for (is_option, gone) in [(true, &given), (false, &current)] {
        fs::create_dir(gone).unwrap();
        let mut options = Options::default().env("HOME", home.to_str().unwrap());
        if is_option {
            options = options.and(["--cwd", gone.to_str().unwrap()]);
        } else {
            options = options.wrapped(["env", "--chdir", gone.to_str().unwrap()]);
        }
        let server = Server::start(options);
        let model = server.bash("sleep 1000").await;
        fs::remove_dir(gone).unwrap();
        for wish in [json!({}), json!({ "command": ["bash"] }), json!({ "like": model })] {
            let made = server.post("/api/sessions", wish).await;
            assert_eq!(made.status(), 201);
            let info: SessionInfo = made.json().await.unwrap();
            let mut client = Client::attach(&server, &info.id, Hello::default().size(200, 24)).await;
            client.sees(&format!("{} no longer exists; started in ~ ──", gone.display())).await;
            if info.command != ["bash", "-c", "sleep 1000"] {
                client.type_in("echo in $PWD''.\n").await;
                client.sees(&format!("in {}.", home.display())).await;
            }
        }
        assert!(server.log().contains("could not start a program in its directory"), "{}", server.log());
        // A server that goes on does so without it.
        server.kill().await;
        assert!(server.upgrade().0);
        let info: SessionInfo = server.post("/api/sessions", json!({})).await.json().await.unwrap();
        let mut client = Client::attach(&server, &info.id, Hello::default().size(200, 24)).await;
        client.sees("no longer exists").await;
        // There again, it counts again.
        fs::create_dir(gone).unwrap();
        shell(&server, "echo in $PWD''.", &format!("in {}.", gone.display())).await;
    }
}

#[tokio::test]
async fn a_directory_that_is_asked_for_has_to_be_there() {
    let server = Server::start(Options::default());
    let refused = server.post("/api/sessions", json!({ "cwd": "/no/such" })).await;
    assert_eq!(refused.status(), 422);
    let said = refused.text().await.unwrap();
    assert!(said.contains("could not start in /no/such: No such file or directory"), "{said}");
    // To be entered is enough.
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o711);
    let there = server.post("/api/sessions", json!({ "cwd": folder.path() })).await;
    assert_eq!(there.status(), 201);
    let (code, said) = fails(&["--cwd", "/no/such"], &[]);
    assert!(code == Some(2) && said.contains("--cwd /no/such"), "{code:?}: {said}");
}

/// Starts it in vain: the code that it ends with, and what it says.
fn fails(args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_limpet"));
    command.args(["--listen", "127.0.0.1:0", "--format", "json"]).args(args).envs(env.iter().copied());
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn a_state_directory_of_others_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("shared/state");
    let shared = state.parent().unwrap();
    fs::create_dir_all(&state).unwrap();
    let refused = |reason: &str| {
        let (code, said) = fails(&["--state-dir", state.to_str().unwrap()], &[]);
        assert!(code == Some(1) && said.contains("--state-dir") && said.contains(reason), "{code:?}: {said}");
    };
    set_mode(&state, 0o777);
    refused("chmod go-w");
    set_mode(&state, 0o755);
    set_mode(shared, 0o777);
    refused("chmod go-w");
    set_mode(shared, 0o755);
    if is_root() {
        for path in [&state, shared] {
            chown(path, Some(4242), None).unwrap();
            refused("belongs to user 4242");
            chown(path, Some(0), None).unwrap();
        }
    }
    // What cannot be told to be ours is not started.
    let planted = r#"{"program":{"file":"sh","argv0":"sh","args":["-c","echo planted; exec sleep 1000"],"cwd":"/","env":{}},"created":1,"title":null,"sizing":"pen","flow":"auto","size":{"cols":80,"rows":24}}"#.to_owned() + "\n";
    for name in ["writable", "link", "theirs"] {
        let file = state.join(format!("{name}.session"));
        match name {
            "link" => {
                fs::write(folder.path().join("target"), &planted).unwrap();
                std::os::unix::fs::symlink(folder.path().join("target"), &file).unwrap();
            }
            _ => fs::write(&file, &planted).unwrap(),
        }
        match name {
            "writable" => set_mode(&file, 0o646),
            "theirs" if is_root() => chown(&file, Some(4242), None).unwrap(),
            "theirs" => fs::remove_file(&file).unwrap(),
            _ => {}
        }
    }
    fs::write(state.join("ours.session"), &planted).unwrap();
    let server = Server::start(Options::args(["--state-dir", state.to_str().unwrap()]));
    let sessions: Vec<SessionInfo> = server.get("/api/sessions").await.json().await.unwrap();
    let ids: Vec<_> = sessions.iter().map(|session| session.id.as_str()).collect();
    assert_eq!(ids, ["ours"], "{}", server.log());
    // A server that goes on does so, come what may.
    set_mode(&state, 0o777);
    server.kill().await;
    assert!(server.log().contains("nothing is saved"), "{}", server.log());
    let sessions: Vec<SessionInfo> = server.get("/api/sessions").await.json().await.unwrap();
    assert_eq!(sessions.len(), 1);
}

#[tokio::test]
async fn a_token_file_is_made_and_kept_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config/limpet");
    let words = ["--token-file", path.to_str().unwrap()];
    let mut links = Vec::new();
    for is_first in [true, false] {
        let limpet = Limpet::start(&words, "json");
        let ready: Value = serde_json::from_str(&limpet.first_line).unwrap();
        assert_eq!(ready["token"], fs::read_to_string(&path).unwrap().trim());
        links.push(ready["token"].clone());
        assert_eq!(limpet.end().contains(&format!("made {}", path.display())), is_first);
    }
    assert_eq!(links[0], links[1], "the same link every time");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for mode in [0o640, 0o604] {
        set_mode(&path, mode);
        let (code, said) = fails(&words, &[]);
        assert!(
            code == Some(2) && said.contains("other users can read") && said.contains("chmod 600"),
            "{said}"
        );
    }
    set_mode(&path, 0o606);
    assert!(fails(&words, &[]).1.contains("chmod go-w"));
    set_mode(&path, 0o600);
    let (code, said) = fails(&["--token-file", folder.path().to_str().unwrap()], &[]);
    assert!(code == Some(2) && said.contains("is a directory; name a file"), "{said}");
    if is_root() {
        chown(&path, Some(4242), None).unwrap();
        assert!(fails(&words, &[]).1.contains("belongs to user 4242"));
        chown(&path, Some(0), None).unwrap();
    }

    // A server that goes on has the token that it had, whatever has become of the file.
    let server = Server::start(Options::args(words));
    let token = links[0].as_str().unwrap().to_owned();
    fs::remove_file(&path).unwrap();
    let may = async |token: &str| {
        let request = server.anonymous(reqwest::Method::GET, "/api/sessions").bearer_auth(token);
        request.send().await.unwrap().status().is_success()
    };
    assert!(may(&token).await);
    server.kill().await;
    assert!(may(&token).await && !path.exists(), "{}", server.log());
}

#[tokio::test]
async fn a_weak_token_is_refused_with_advice() {
    for token in ["aaaaaaaaaaaaaaaaaaaa", "1234567890123456", "passwordpassword", "short"] {
        let (code, said) = fails(&[], &[("LIMPET_TOKEN", token)]);
        assert!(code == Some(2) && said.contains("openssl rand -hex 32"), "{token}: {said}");
        assert!(!said.contains(token), "{said}");
    }
}

/// limpet as somebody runs it, in text and not at a terminal, as a service does.
struct Limpet {
    process: Child,
    first_line: String,
    home: TempDir,
}

impl Limpet {
    fn start(args: &[&str], format: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_limpet"));
        command.args(["--listen", "127.0.0.1:0", "--format", format]).args(args).env_remove("LIMPET_TOKEN");
        command
            .env("XDG_RUNTIME_DIR", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut first_line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut first_line).unwrap();
        Self { process, first_line, home }
    }

    fn pid(&self) -> String {
        self.process.id().to_string()
    }

    fn ask(&self, args: &[&str]) -> (bool, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_limpet"));
        let output = command.args(args).env("XDG_RUNTIME_DIR", self.home.path()).output().unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    }

    /// Ends it, and gives what it has logged.
    fn end(mut self) -> String {
        kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM).unwrap();
        let mut log = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        self.process.wait().unwrap();
        log
    }
}

impl Drop for Limpet {
    fn drop(&mut self) {
        // It has ended already unless the test has failed.
        let _ = kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM);
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn the_link_is_in_no_journal_and_can_be_asked_for() {
    let limpet = Limpet::start(&[], "text");
    let first_line = limpet.first_line.clone();
    let address = first_line
        .strip_prefix("limpet is ready at ")
        .and_then(|rest| rest.strip_suffix("; run `limpet link` to print the link\n"));
    let address = address.unwrap_or_else(|| panic!("{first_line}")).to_owned();
    assert!(!first_line.contains("token"), "{first_line}");
    let (done, link) = limpet.ask(&["link", &limpet.pid()]);
    let token = link.strip_prefix(&format!("{address}#token=")).unwrap_or_else(|| panic!("{link}")).trim();
    assert!(done && token.len() == 64, "{link}");
    let (done, said) = limpet.ask(&["link", &limpet.pid(), "--format", "json"]);
    let ready: Value = serde_json::from_str(&said).unwrap();
    assert!(done && ready["url"] == link.trim() && ready["token"] == token, "{said}");

    let other = Limpet::start(&[], "text");
    let (done, said) = limpet.ask(&["link"]);
    assert!(!done && said.contains("several limpets are running. Choose one: limpet link PID ("), "{said}");
    assert!(said.contains(&limpet.pid()) && said.contains(&other.pid()), "{said}");
    let (done, said) = limpet.ask(&["link", "1"]);
    assert!(!done && said.contains("process 1 is not your limpet. Running: "), "{said}");
    drop(other);

    // Nor can a program in a session have it, or somebody else.
    let client = reqwest::Client::new();
    let script =
        format!("{} link {}; echo end of it; sleep 1000", env!("CARGO_BIN_EXE_limpet"), limpet.pid());
    let made = client.post(format!("{address}api/sessions")).bearer_auth(token);
    let made = made
        .json(&json!({ "command": ["sh", "-c", script], "env": { "XDG_RUNTIME_DIR": limpet.home.path() } }));
    let session: SessionInfo = made.send().await.unwrap().json().await.unwrap();
    let host = address.strip_prefix("http://").unwrap().trim_end_matches('/');
    let mut viewer = Client::attach_at(host, &session.id, Hello::default().with(token)).await.unwrap();
    viewer.sees("end of it").await;
    let said = viewer.text();
    assert!(!said.contains(token) && said.contains("limpet's own terminals cannot print its link"), "{said}");
    if is_root() {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid",
            NOBODY,
            "--clear-groups",
            env!("CARGO_BIN_EXE_limpet"),
            "link",
            &limpet.pid(),
        ]);
        let output = command.env("XDG_RUNTIME_DIR", limpet.home.path()).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!output.status.success() && said.contains("no limpet of yours is running"), "{said}");
    }
    let log = limpet.end();
    assert!(!log.contains("token=") && !log.contains(token), "{log}");
}

#[tokio::test]
async fn the_link_is_printed_to_a_terminal() {
    let limpet = format!("{} --listen 127.0.0.1:0", env!("CARGO_BIN_EXE_limpet"));
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &limpet, "/dev/null"]);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("Open this in a browser"));
    let link = lines.find(|line| line.as_ref().unwrap().contains("#token=")).unwrap().unwrap();
    assert!(link.starts_with("http://127.0.0.1:"), "{link}");
    // Ctrl-C.
    process.stdin.take().unwrap().write_all(b"\x03").unwrap();
    lines.for_each(drop);
    process.wait().unwrap();
}

#[tokio::test]
async fn the_socket_for_commands_can_be_neither_taken_nor_held_up() {
    let folder = tempfile::tempdir().unwrap();
    let squatted = folder.path().join("limpet");
    fs::create_dir(&squatted).unwrap();
    let options = || Options::default().env("XDG_RUNTIME_DIR", folder.path().to_str().unwrap());
    if is_root() {
        // Somebody else's directory is not used, and the next one is.
        chown(&squatted, Some(4242), Some(4242)).unwrap();
        let server = Server::start(options());
        assert!(server.log().contains("belongs to user 4242"), "{}", server.log());
        assert_eq!(fs::read_dir(&squatted).unwrap().count(), 0);
        assert!(server.command("link").0);
        drop(server);
        chown(&squatted, Some(0), Some(0)).unwrap();
    }
    set_mode(&squatted, 0o777);
    let server = Server::start(options());
    assert_eq!(fs::metadata(&squatted).unwrap().permissions().mode() & 0o777, 0o700);
    let abstract_ones = fs::read_to_string("/proc/net/unix").unwrap();
    assert!(!abstract_ones.contains(&format!("@limpet-upgrade-{}-{}", Uid::effective(), server.keeper())));
    let socket = squatted.join(format!("{}.sock", server.keeper()));
    let silent: Vec<UnixStream> = (0..100).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    let id = server.open(["cat"]).await;
    let (done, said) = server.command("link");
    assert!(done && said.contains(TOKEN), "{said}");
    let (done, said) = server.command("upgrade");
    assert!(done && said.contains("with 1 session"), "{said}");
    drop(silent);
    server.close(&id).await;
    drop(server);
    assert!(!socket.exists(), "and nothing is left of it");
}

#[tokio::test]
async fn a_killed_server_leaves_no_page_with_the_link() {
    let folder = tempfile::tempdir().unwrap();
    let opener = folder.path().join("xdg-open");
    fs::write(&opener, "#!/bin/sh\necho \"$@\" > \"$XDG_RUNTIME_DIR/opened\"\n").unwrap();
    set_mode(&opener, 0o700);
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let options =
        Options::args(["--open"]).env("PATH", &path).env("XDG_RUNTIME_DIR", folder.path().to_str().unwrap());
    let server = Server::start(options);
    let words = || fs::read_to_string(folder.path().join("opened")).unwrap_or_default();
    until("the browser to be started", || words().ends_with('\n')).await;
    let page = words().trim().to_owned();
    assert!(fs::exists(&page).unwrap(), "{page}");
    server.kill().await;
    until("the page to be gone", || !fs::exists(&page).unwrap()).await;
}
