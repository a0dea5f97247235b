//! The environment, shell and directory that a program gets, as login(1) sets them.

use std::fs;

use limpet_shared::api::SessionInfo;
use nix::unistd::Uid;
use serde_json::{Value, json};

use crate::harness::{
    Client, Hello, Options, Server,
    standalone::{NOBODY, is_root, run_failing, set_mode},
};

/// Returns the environment that a program gets.
async fn program_environment(server: &Server, wish: Value) -> Vec<String> {
    let mut session = json!({ "command": ["sh", "-c", "env; echo end of it"] });
    session.as_object_mut().unwrap().extend(wish.as_object().unwrap().clone());
    let info: SessionInfo = server.post("/api/sessions", session).await.json().await.unwrap();
    let mut client = Client::attach(server, &info.id, Hello::default()).await;
    client.read_to_end().await;
    client.text().lines().map(str::to_owned).collect()
}

/// Opens a login shell, types a line, and waits for its first answer.
async fn open_shell(server: &Server, line: &str, expected: &str) -> Client {
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
        let seen = program_environment(&server, json!({})).await;
        let user = nix::unistd::User::from_uid(Uid::effective()).unwrap().unwrap();
        let home = user.dir.display().to_string();
        // The user that runs the tests may be a service's user without a shell.
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
    // These are examples of each kind, most of which are recognized by a prefix: terminals,
    // multiplexers, editors, shells, service managers, limpet. The complete list is in the code
    // that filters the environment.
    let names =
        ["KITTY_OF_THE_FUTURE", "TMUX_OF_THE_FUTURE", "NVIM", "OLDPWD", "JOURNAL_STREAM", "LIMPET_SECRET"];
    let options =
        Options::default().env("TERM_PROGRAM", "kitty").env("SSH_CONNECTION", "kept").env("DISPLAY", "kept");
    let server = Server::start(names.into_iter().fold(options, |options, name| options.env(name, "99999")));
    let seen =
        program_environment(&server, json!({ "env": { "ZELLIJ": "as I like", "TERM": "dumb" } })).await;
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
        open_shell(&server, "echo $0 $SHELL.", "sh.").await;
        let log = server.log();
        assert_eq!(log.matches(&format!("{refused} is not an interactive shell")).count(), 1, "{log}");
        // A client that asks for this program explicitly gets it.
        let id = server.open_session(["/bin/false"]).await;
        let mut client = Client::attach(&server, &id, Hello::default()).await;
        assert_eq!(client.read_to_end().await.0, Some(limpet_shared::ExitStatus::Code(1)));
    }
    if is_root() {
        let as_nobody = ["setpriv", "--reuid", NOBODY, "--clear-groups"];
        let server = Server::start(Options::default().bare_env().wrapped(as_nobody));
        open_shell(&server, "echo $0 $SHELL for $USER in $HOME.", "-bash /bin/bash for nobody in /.").await;
    }
}

#[tokio::test]
async fn a_start_directory_that_is_gone_is_told_and_left_for_home() {
    let folder = tempfile::tempdir().unwrap();
    let (given, current) = (folder.path().join("given"), folder.path().join("current"));
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    // The directory comes from the option in the first case, and from limpet's own directory in the
    // second.
    for (is_option, gone) in [(true, &given), (false, &current)] {
        fs::create_dir(gone).unwrap();
        let mut options = Options::default().env("HOME", home.to_str().unwrap());
        if is_option {
            options = options.with_args(["--cwd", gone.to_str().unwrap()]);
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
        // A successor server continues without the directory.
        server.kill().await;
        assert!(server.upgrade().0);
        let info: SessionInfo = server.post("/api/sessions", json!({})).await.json().await.unwrap();
        let mut client = Client::attach(&server, &info.id, Hello::default().size(200, 24)).await;
        client.sees("no longer exists").await;
        // Once the directory exists again, it is used again.
        fs::create_dir(gone).unwrap();
        open_shell(&server, "echo in $PWD''.", &format!("in {}.", gone.display())).await;
    }
}

#[tokio::test]
async fn a_directory_that_is_asked_for_has_to_be_there() {
    let server = Server::start(Options::default());
    let refused = server.post("/api/sessions", json!({ "cwd": "/no/such" })).await;
    assert_eq!(refused.status(), 422);
    let said = refused.text().await.unwrap();
    assert!(said.contains("could not start in /no/such: No such file or directory"), "{said}");
    // The permission to enter the directory is enough.
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o711);
    let there = server.post("/api/sessions", json!({ "cwd": folder.path() })).await;
    assert_eq!(there.status(), 201);
    let (code, said) = run_failing(&["--cwd", "/no/such"], &[]);
    assert!(code == Some(2) && said.contains("--cwd /no/such"), "{code:?}: {said}");
}
