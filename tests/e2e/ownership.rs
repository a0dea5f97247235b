//! The owners and permissions of the files that limpet trusts, and the tokens that it accepts.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
};

use limpet_shared::api::SessionInfo;
use serde_json::Value;

use crate::harness::{
    Options, Server,
    standalone::{Limpet, is_root, run_failing, set_mode},
};

#[tokio::test]
async fn a_state_directory_of_others_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("shared/state");
    let shared = state.parent().unwrap();
    fs::create_dir_all(&state).unwrap();
    let refused = |reason: &str| {
        let (code, said) = run_failing(&["--state-dir", state.to_str().unwrap()], &[]);
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
    // Sessions from files that others could have written are not started.
    let planted = r#"{"program":{"file":"sh","argv0":"sh","args":["-c","echo planted; exec sleep 1000"],"cwd":"/","env":{}},"created":1,"title":null,"sizing":"primary","flow":"auto","size":{"cols":80,"rows":24}}"#.to_owned() + "\n";
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
    // A successor server continues in spite of the permissions.
    set_mode(&state, 0o777);
    server.kill().await;
    assert!(server.log().contains("sessions are not saved"), "{}", server.log());
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
        assert_eq!(limpet.end().contains(&format!("created {}", path.display())), is_first);
    }
    assert_eq!(links[0], links[1], "the same link every time");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for mode in [0o640, 0o604] {
        set_mode(&path, mode);
        let (code, said) = run_failing(&words, &[]);
        assert!(
            code == Some(2) && said.contains("other users can read") && said.contains("chmod 600"),
            "{said}"
        );
    }
    set_mode(&path, 0o606);
    assert!(run_failing(&words, &[]).1.contains("chmod go-w"));
    set_mode(&path, 0o600);
    let (code, said) = run_failing(&["--token-file", folder.path().to_str().unwrap()], &[]);
    assert!(code == Some(2) && said.contains("is a directory; name a file"), "{said}");
    if is_root() {
        chown(&path, Some(4242), None).unwrap();
        assert!(run_failing(&words, &[]).1.contains("belongs to user 4242"));
        chown(&path, Some(0), None).unwrap();
    }

    // A successor server keeps its predecessor's token, whatever has become of the file.
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
        let (code, said) = run_failing(&[], &[("LIMPET_TOKEN", token)]);
        assert!(code == Some(2) && said.contains("openssl rand -hex 32"), "{token}: {said}");
        assert!(!said.contains(token), "{said}");
    }
}
