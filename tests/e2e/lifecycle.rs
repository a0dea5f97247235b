//! How programs start and end, and the environment that they find.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

use limpet_shared::{CloseCode, ExitStatus};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::harness::{Client, Hello, Options, Server, TOKEN, census::is_running, until, within};

/// Runs a script to its end, and returns its output.
async fn output_of(server: &Server, script: &str) -> String {
    let id = server.bash(script).await;
    let mut client = Client::attach(server, &id, Hello::default()).await;
    client.read_to_end().await;
    client.text()
}

#[tokio::test]
async fn a_program_finds_a_terminal_of_its_own_and_nothing_of_the_server() {
    let inherited = fs::File::open("/dev/null").unwrap();
    nix::fcntl::fcntl(&inherited, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    let options = Options::default().wrapped(["nohup"]).env("LIMPET_LOG", "info").env("TMUX", "x");
    let server = Server::start(options);
    drop(inherited);
    let seen = output_of(
        &server,
        "ls /proc/self/fd | wc -l; echo $TERM $COLORTERM; env | grep -c -e ^LIMPET -e ^TMUX",
    )
    .await;
    // The fourth descriptor is the directory that ls reads.
    assert_eq!(seen, "4\r\nxterm-256color truecolor\r\n0\r\n");
    let signals = output_of(&server, "grep -E 'Sig(Blk|Ign)' /proc/self/status | tr -d '\\n\\t'").await;
    assert_eq!(
        signals, "SigBlk:0000000000000000SigIgn:0000000000000000",
        "clean, though nohup ignores SIGHUP"
    );
    let leader = output_of(&server, "ps -o pid=,sid=,tpgid=,tty= -p $$; tty").await;
    let words: Vec<&str> = leader.split_whitespace().collect();
    assert_eq!(words[0], words[1], "it leads its process session: {leader}");
    assert_eq!(words[0], words[2], "and stands in the foreground: {leader}");
    assert_eq!(format!("/dev/{}", words[3]), words[4], "of that terminal: {leader}");
    assert!(output_of(&server, "stty -a").await.contains(" iutf8"));
}

#[tokio::test]
async fn without_a_command_there_is_a_login_shell() {
    let server = Server::start(Options::args(["--cwd", "/usr"]));
    let session: limpet_shared::api::SessionInfo =
        server.post("/api/sessions", json!({})).await.json().await.unwrap();
    let mut client = Client::attach(&server, &session.id, Hello::default()).await;
    client.type_in("shopt login_shell; echo $0 in $PWD\n").await;
    client.sees("-bash in /usr").await;
    assert!(client.text().contains("login_shell    \ton"), "{}", client.text());
    let running = async |expected: &[&str]| {
        within("a shell at its prompt not to count", async {
            while server.details(&session.id).await.running != expected {}
        })
        .await;
    };
    running(&[]).await;
    client.type_in("sleep 1000\n").await;
    running(&["sleep"]).await;
}

#[tokio::test]
async fn a_program_is_started_again_as_it_was() {
    let server = Server::start(Options::default());
    let made = async |wish: serde_json::Value| {
        server.post("/api/sessions", wish).await.json::<limpet_shared::api::SessionInfo>().await.unwrap()
    };
    let shell =
        made(json!({ "cwd": "/usr", "env": { "MARK": "here" }, "title": "mine", "cols": 100, "rows": 40 }))
            .await;
    let again = made(json!({ "like": shell.id })).await;
    let state = &again.state;
    assert_eq!((state.label.as_str(), state.cols, state.rows), ("mine", 100, 40));
    let mut client = Client::attach(&server, &again.id, Hello::default().size(100, 40)).await;
    client.type_in("echo $0 $MARK in $PWD\n").await;
    client.sees("-bash here in /usr").await;
    let unlike = server.post("/api/sessions", json!({ "like": "nothing" })).await;
    assert_eq!(unlike.status(), 404);
}

#[tokio::test]
async fn a_command_of_the_server_is_what_sessions_run() {
    let server = Server::start(Options::args(["--", "bash", "-c", "echo args: $0 $1", "a b", "c"]));
    let session: limpet_shared::api::SessionInfo =
        server.post("/api/sessions", json!({})).await.json().await.unwrap();
    let mut client = Client::attach(&server, &session.id, Hello::default()).await;
    client.read_to_end().await;
    assert_eq!(client.text(), "args: a b c\r\n");
}

#[tokio::test]
async fn exit_codes_and_signals_are_told_apart() {
    for options in Options::thread_and_core_variants().into_iter().chain(Options::in_container_if_possible())
    {
        let server = Server::start(options);
        for (script, expected) in [
            ("exit 0", ExitStatus::Code(0)),
            ("exit 255", ExitStatus::Code(255)),
            ("kill -KILL $$", ExitStatus::Signal(9)),
            ("kill -SEGV $$", ExitStatus::Signal(11)),
            ("kill -34 $$", ExitStatus::Signal(34)),
        ] {
            let id = server.bash(script).await;
            let mut client = Client::attach(&server, &id, Hello::default()).await;
            assert_eq!(client.read_to_end().await, (Some(expected), Some(1000)), "{script}");
            assert_eq!(server.details(&id).await.info.state.exit, Some(expected));
        }
    }
}

#[tokio::test]
async fn the_last_byte_comes_before_the_exit() {
    for options in Options::thread_and_core_variants().into_iter().chain(Options::in_container_if_possible())
    {
        let server = Server::start(options);
        for _ in 0..20 {
            assert!(output_of(&server, "seq 3000; echo last").await.ends_with("3000\r\nlast\r\n"));
        }
    }
}

#[tokio::test]
async fn background_jobs_that_hold_the_terminal_do_not_hold_the_session() {
    let server = Server::start(Options::default());
    // The job has its own process group, as under an interactive shell: the kernel hangs up the
    // foreground process group.
    let id = server.bash("set -m; sleep 1000 & echo job $!; exit 3").await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    assert_eq!(client.read_to_end().await, (Some(ExitStatus::Code(3)), Some(1000)));
    let job = client.text().split_whitespace().last().unwrap().to_owned();
    assert!(is_running(&job), "it goes on, as under any terminal");
    std::process::Command::new("kill").arg(job).status().unwrap();
}

#[tokio::test]
async fn a_session_that_is_closed_leaves_nothing_running() {
    // The jobs have their own process groups. One is stopped, one is behind a subshell that has
    // exited, and all ignore the signals.
    let script = "set -m; trap '' HUP TERM INT
        (trap '' HUP TERM; exec -a deaf sleep 1000) & echo pid=$!
        sleep 1000 & kill -STOP $!; echo pid=$!
        (sleep 1000 & echo pid=$!)
        bash -c 'trap \"\" HUP TERM; while :; do sleep 1000; done' & echo pid=$!
        echo pid=$$ ready; while :; do sleep 1000; done";
    for options in Options::thread_and_core_variants() {
        let server = Server::start(options);
        let before = server.idle_census().await;
        let id = server.bash(script).await;
        let mut client = Client::attach(&server, &id, Hello::default()).await;
        client.sees("ready").await;
        let text = client.text();
        let pids: Vec<&str> = text.split_whitespace().filter_map(|word| word.strip_prefix("pid=")).collect();
        assert_eq!(pids.len(), 5, "{text}");
        server.close(&id).await;
        assert!(pids.iter().all(|pid| !is_running(pid)), "{pids:?}");
        assert_eq!(client.read_to_end().await, (Some(ExitStatus::Signal(9)), Some(1000)));
        until("the descriptors to be closed", || server.census() == before).await;
    }
}

#[tokio::test]
async fn a_server_that_is_told_to_end_leaves_nothing_running() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        for options in Options::thread_and_core_variants() {
            let mut server = Server::start(options);
            let deaf = server.bash("trap '' HUP TERM; sleep 1000 & echo $! $$ ready; wait").await;
            let mut client = Client::attach(&server, &deaf, Hello::default()).await;
            client.sees("ready").await;
            server.signal_keeper(signal);
            assert_eq!(client.read_to_end().await, (None, Some(CloseCode::GoingAway.code())));
            assert!(server.wait_until_ended().await.success());
            let text = client.text();
            assert!(text.split_whitespace().take(2).all(|pid| !is_running(pid)), "{text}");
        }
    }
}

#[tokio::test]
async fn a_program_that_hangs_up_its_terminal_goes_on() {
    let server = Server::start(Options::default());
    let id = server.bash("echo $$; exec >/dev/null 2>&1 </dev/null; sleep 1000").await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.sees("\r\n").await;
    client.type_in("nobody reads this").await;
    client.wait_for_ack(17).await;
    let pid = client.text().trim().to_owned();
    assert!(is_running(&pid));
    server.close(&id).await;
    assert!(!is_running(&pid));
}

#[tokio::test]
async fn the_browser_is_shown_the_link_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let read = |name: &str| fs::read_to_string(file(name)).unwrap_or_default();
    fs::write(
        file("xdg-open"),
        "#!/bin/sh\necho \"$@\" > words; stat -c %a \"$1\" > mode; cat \"$1\" > page; echo . > done\n",
    )
    .unwrap();
    fs::set_permissions(file("xdg-open"), Permissions::from_mode(0o700)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let place = folder.path().to_str().unwrap();
    let open = Options::args(["--open"]).env("PATH", &path).env("XDG_RUNTIME_DIR", place);
    let mut server = Server::start(open.wrapped(["env", "--chdir", place]));
    until("the browser to be started", || !read("done").is_empty()).await;
    let words = read("words");
    assert!(!words.contains(TOKEN) && words.ends_with(".html\n"), "{words}");
    assert_eq!(read("mode"), "600\n");
    let link = format!("url=http://{}/#token={TOKEN}\"", server.address());
    assert!(read("page").contains(&link), "{}", read("page"));
    server.signal_keeper(Signal::SIGTERM);
    assert!(server.wait_until_ended().await.success());
    assert!(!fs::exists(words.trim()).unwrap(), "{words}");
}
