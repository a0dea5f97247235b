//! limpet's messages to the person who starts it.

use std::{
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output},
};

use limpet_shared::{ErrorCode, api::ApiError};
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{Options, Server, standalone::Limpet};

/// Runs a limpet that is expected not to start.
fn run_failing(args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_limpet"));
    let Output { status, stderr, .. } = command.args(args).envs(env.iter().copied()).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_to_be_taken_by_whom() {
    let limpet = Limpet::start(&[], "json");
    let ready: serde_json::Value = serde_json::from_str(&limpet.first_line).unwrap();
    let home = limpet.home.path().to_str().unwrap();
    let here = [("XDG_RUNTIME_DIR", home)];
    let listen = ready["listen"].as_str().unwrap();
    let (code, said) = run_failing(&["--listen", listen], &here);
    let advice = format!("To print its link, run: limpet link {}", limpet.pid());
    assert!(code == Some(1) && said.contains(&advice), "{said}");
    let everywhere = listen.replace("127.0.0.1", "0.0.0.0");
    let (code, said) = run_failing(&["--listen", &everywhere], &here);
    assert!(code == Some(1) && said.contains(&advice), "{said}");
    let (done, link) = limpet.run_command(&["link", &limpet.pid()]);
    assert!(done && link.contains(listen), "{link}");

    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, said) = run_failing(&["--listen", &other.local_addr().unwrap().to_string()], &here);
    assert!(code == Some(1) && said.contains("another program listens there already"), "{said}");
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("not-executable");
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let file = file.to_str().unwrap();
    for (program, reason) in [
        ("nosuchprogram", "No such file or directory"),
        ("/no/such/program", "No such file or directory"),
        (file, "Permission denied"),
        ("/usr", "Is a directory"),
    ] {
        let server = Server::start(Options::args(["--", program, "argument"]));
        let warning = format!("could not start {program}: {reason}");
        assert!(server.log().contains(&warning), "{}", server.log());
        let refused = server.post("/api/sessions", json!({})).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let error: ApiError = refused.json().await.unwrap();
        assert_eq!(error.code, ErrorCode::SpawnFailed);
        assert!(error.message.contains("check its spelling, and that it is installed"), "{}", error.message);
    }
    for options in
        [Options::args(["--", "sh", "-c", "exit"]), Options::args(["--", "/bin/sh"]), Options::default()]
    {
        let server = Server::start(options);
        assert!(!server.log().contains("could not start"), "{}", server.log());
    }
    // A relative path is looked up in the directory where sessions start.
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let place = folder.path().to_str().unwrap();
    let server = Server::start(Options::args(["--cwd", place, "--", "./not-executable"]));
    assert!(!server.log().contains("could not start"), "{}", server.log());
}

/// Arguments, environment, and the expected exit code.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], i32);

#[tokio::test]
async fn a_start_that_fails_has_the_same_exit_code_every_time() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let cases: [Case<'_>; 6] = [
        (&["--cwd", "/nope", "--listen", "127.0.0.1:0"], &[], 2),
        (&["--token-file", "/proc/nope/token", "--listen", "127.0.0.1:0"], &[], 2),
        (&["--listen", "127.0.0.1:0"], &[("LIMPET_TOKEN", "short")], 2),
        (&["--listen", "here"], &[], 2),
        (&["--listen", "127.0.0.1:0"], &[("LIMPET_LOG", "limpet=nonsense=")], 2),
        (&["--listen", &taken], &[], 1),
    ];
    for (args, env, expected) in cases {
        for _ in 0..10 {
            let (code, said) = run_failing(args, env);
            assert_eq!(code, Some(expected), "{args:?} {env:?}: {said}");
            assert!(!said.is_empty());
        }
    }
}
