//! Credentials, guessing them, and signing in.

use std::{fs, os::unix::fs::PermissionsExt as _};

use limpet_shared::{
    ErrorCode, Role, ServerMessage, SessionId, ViewerInfo,
    api::{ApiError, Health, SessionDetails, SessionInfo, SignIn},
};
use nix::sys::signal::Signal;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message};

use crate::harness::{Browser, Client, Hello, Options, Server, TOKEN, passes};

async fn is_signed_in(server: &Server, browser: &Browser) -> bool {
    browser.request(server, Method::GET, "/api/access").send().await.unwrap().status() == StatusCode::OK
}

async fn sign_ins(server: &Server, browser: &Browser) -> Vec<SignIn> {
    browser.request(server, Method::GET, "/api/sign-ins").send().await.unwrap().json().await.unwrap()
}

/// A web server on another port of the same host receives the cookie, and can send it too.
#[tokio::test]
async fn a_cookie_alone_opens_nothing() {
    let server = Server::start(Options::default());
    let id = server.bash("echo secret; read line").await;
    let none: SessionId = "none-of-that-name".parse().unwrap();
    let browser = Browser::sign_in(&server, TOKEN).await;
    for (method, path) in [
        (Method::GET, "/api/access".to_owned()),
        (Method::GET, "/api/sessions".to_owned()),
        (Method::POST, "/api/sessions".to_owned()),
        (Method::GET, format!("/api/sessions/{id}")),
        (Method::GET, format!("/api/sessions/{id}/screen")),
        (Method::GET, format!("/api/sessions/{id}/passes")),
        (Method::DELETE, format!("/api/sessions/{id}")),
        (Method::GET, "/api/sign-ins".to_owned()),
        (Method::POST, "/api/logout".to_owned()),
    ] {
        let answer = browser.replayed(&server, method.clone(), &path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
        let forwarded = |request: reqwest::RequestBuilder| request.header("x-forwarded-for", "192.0.2.1");
        let guessed = forwarded(browser.replayed(&server, method, &path)).header("limpet-key", "x");
        assert!(!guessed.send().await.unwrap().status().is_success(), "{path}");
    }
    let mut told = Vec::new();
    for session in [&id, &none] {
        for key in [None, Some("wrong"), Some(&browser.cookie[16..])] {
            let mut socket = browser.open(&server, session).await.unwrap();
            socket.hello(key).await;
            told.push(socket.rest().await);
        }
    }
    assert!(
        told.iter().all(|one| *one == told[0]),
        "nothing tells a session that is there from one that is not: {told:?}"
    );
    let (messages, code) = &told[0];
    let [Message::Text(text)] = &messages[..] else { panic!("{messages:?}") };
    let Ok(ServerMessage::Error { code: error, .. }) = ServerMessage::parse(text) else { panic!("{text}") };
    assert_eq!((*code, error), (Some(4401), ErrorCode::Unauthorized));

    assert!(is_signed_in(&server, &browser).await, "who has both halves is not concerned");
    let mut socket = browser.open(&server, &id).await.unwrap();
    socket.hello(Some(&browser.key)).await;
    let Some(ServerMessage::Welcome(welcome)) = socket.next().await else { panic!("no welcome") };
    assert_eq!(welcome.role, Role::Owner);
    let mut socket = browser.open(&server, &none).await.unwrap();
    socket.hello(Some(&browser.key)).await;
    assert_eq!(socket.rest().await.1, Some(4404));
}

/// After too many wrong credentials from an address, right and wrong ones from there get the same
/// answer. Other addresses are not affected.
#[tokio::test]
async fn who_guesses_is_not_told_when_the_guess_is_right() {
    let server = Server::start(Options::default());
    let id = server.bash("read line").await;
    let [reader, _] = passes(&server, &id).await;
    let browser = Browser::sign_in(&server, TOKEN).await;
    let name = browser.cookie.split_once('=').unwrap().0;
    for (stranger, kind) in [
        ("192.0.2.1", "bearer"),
        ("192.0.2.2", "login"),
        ("2001:db8::1", "cookie"),
        ("192.0.2.4", "attach"),
        ("192.0.2.5", "key"),
    ] {
        let guess = async |secret: &str, from: &str| {
            let list = server.anonymous(Method::GET, "/api/sessions");
            let login = server.anonymous(Method::POST, "/api/login");
            let request = match kind {
                "bearer" => list.bearer_auth(secret),
                "login" => login.json(&json!({ "token": secret })),
                "cookie" => list.header("cookie", format!("{name}={secret}")).header("limpet-key", secret),
                "key" => browser.replayed(&server, Method::GET, "/api/sessions").header("limpet-key", secret),
                _ => {
                    let attach = server.anonymous(Method::GET, &format!("/api/sessions/{id}/attach"));
                    attach.header("cookie", format!("{name}={secret}"))
                }
            };
            request.header("x-forwarded-for", from).send().await.unwrap()
        };
        let mut statuses = Vec::new();
        while statuses.last() != Some(&StatusCode::TOO_MANY_REQUESTS) {
            statuses.push(guess("wrong", stranger).await.status());
            assert!(statuses.len() < 100, "{kind}: nobody is stopped from guessing");
        }
        assert!(
            statuses.len() > 5
                && statuses[..statuses.len() - 1].iter().all(|status| *status == StatusCode::UNAUTHORIZED)
        );
        for secret in [TOKEN, &reader, "wrong"] {
            for request in [
                server.anonymous(Method::GET, "/api/sessions").bearer_auth(secret),
                server.anonymous(Method::POST, "/api/login").json(&json!({ "token": secret })),
                server.anonymous(Method::GET, "/api/sessions").header("cookie", format!("{name}={secret}")),
            ] {
                let answer = request.header("x-forwarded-for", stranger).send().await.unwrap();
                assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS, "{kind} {secret}");
                let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
                assert!((1..60).contains(&wait), "{wait}");
                assert_eq!(answer.json::<ApiError>().await.unwrap().code, ErrorCode::TooManyRequests);
            }
        }
        // A signed-in browser is admitted even from that address, and others may log in from
        // elsewhere.
        let signed_in = browser.request(&server, Method::GET, "/api/sessions");
        let signed_in = signed_in.header("x-forwarded-for", stranger).send().await.unwrap();
        assert_eq!(signed_in.status(), StatusCode::OK);
        assert_eq!(guess("wrong", "198.51.100.1").await.status(), StatusCode::UNAUTHORIZED);
    }
    // The addresses of an IPv6 network count as one.
    let neighbour =
        server.request(Method::GET, "/api/sessions").header("x-forwarded-for", "2001:db8::ffff:1");
    assert_eq!(neighbour.send().await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS);
    // Keys guessed through a socket count as well.
    for guesses in 0.. {
        if server.get("/api/sessions").await.status() == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        assert!(guesses < 30, "nobody is stopped from guessing");
        let mut socket = browser.open(&server, &id).await.unwrap();
        socket.hello(Some("wrong")).await;
        assert_eq!(socket.rest().await.1, Some(4401));
    }
    assert!(is_signed_in(&server, &browser).await);
}

#[tokio::test]
async fn guesses_at_once_are_no_more_than_one_after_the_other() {
    let server = Server::start(Options::default());
    let guess =
        |token: &'static str| server.anonymous(Method::GET, "/api/sessions").bearer_auth(token).send();
    let wrong = (0..40).map(|_| guess("wrong"));
    let right = (0..10).map(|_| guess(TOKEN));
    let statuses = futures_util::future::join_all(wrong).await;
    let count =
        |status: StatusCode| statuses.iter().filter(|one| one.as_ref().unwrap().status() == status).count();
    assert!(count(StatusCode::UNAUTHORIZED) < 16 && count(StatusCode::TOO_MANY_REQUESTS) > 24);
    for answer in futures_util::future::join_all(right).await {
        assert_eq!(answer.unwrap().status(), StatusCode::TOO_MANY_REQUESTS);
    }
}

#[tokio::test]
async fn sign_ins_are_listed_revoked_and_ended() {
    let server = Server::start(Options::default());
    let id = server.bash("read line").await;
    let [reader, _] = passes(&server, &id).await;
    let owner = Browser::sign_in(&server, TOKEN).await;
    let other = Browser::sign_in(&server, TOKEN).await;
    let guest = Browser::sign_in(&server, &reader).await;

    let mut socket = guest.open(&server, &id).await.unwrap();
    socket.hello(Some(&guest.key)).await;
    assert!(matches!(socket.next().await, Some(ServerMessage::Welcome(_))));
    let listed = sign_ins(&server, &owner).await;
    assert_eq!(listed.iter().map(|one| (one.owner, one.you, one.viewers)).collect::<Vec<_>>().len(), 3);
    let find = |is: fn(&SignIn) -> bool| listed.iter().filter(|one| is(one)).collect::<Vec<_>>();
    let [you] = find(|one| one.you)[..] else { panic!("{listed:?}") };
    let [theirs] = find(|one| one.owner && !one.you)[..] else { panic!("{listed:?}") };
    let [visitor] = find(|one| !one.owner)[..] else { panic!("{listed:?}") };
    assert_eq!((you.from.as_str(), visitor.viewers, you.viewers), ("127.0.0.1", 1, 0));
    assert_eq!((&visitor.passes[0].session, visitor.passes[0].role), (&id, Role::Reader));

    // Guests can neither list nor revoke sign-ins.
    for (method, path) in
        [(Method::GET, "/api/sign-ins".to_owned()), (Method::DELETE, format!("/api/sign-ins/{}", you.id))]
    {
        let answer = guest.request(&server, method, &path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    }
    let revoke = async |id: &str| {
        let revoke = owner.request(&server, Method::DELETE, &format!("/api/sign-ins/{id}"));
        revoke.send().await.unwrap().status()
    };
    assert_eq!(revoke(&visitor.id).await, StatusCode::NO_CONTENT);
    assert_eq!(socket.rest().await.1, Some(4401));
    assert_eq!(revoke(&visitor.id).await, StatusCode::NOT_FOUND);
    assert_eq!(revoke("nonsense").await, StatusCode::NOT_FOUND);
    assert!(!is_signed_in(&server, &guest).await);

    // Logging out ends the attachments of other tabs, too.
    let mut socket = other.open(&server, &id).await.unwrap();
    socket.hello(Some(&other.key)).await;
    assert!(matches!(socket.next().await, Some(ServerMessage::Welcome(_))));
    let answer = other.request(&server, Method::POST, "/api/logout").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert!(answer.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(socket.rest().await.1, Some(4401));
    assert!(!is_signed_in(&server, &other).await);
    assert!(matches!(other.open(&server, &id).await, Err(tungstenite::Error::Http(_))));
    assert_eq!(sign_ins(&server, &owner).await.len(), 1);
    assert_ne!(theirs.id, you.id);
}

#[tokio::test]
async fn sign_ins_and_share_links_survive_kills_upgrades_and_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let (state, token_file) = (dir.path().join("state"), dir.path().join("token"));
    fs::write(&token_file, TOKEN).unwrap();
    fs::set_permissions(&token_file, fs::Permissions::from_mode(0o600)).unwrap();
    let (state, token) = (state.to_str().unwrap(), token_file.to_str().unwrap());
    for (options, file) in [
        (Options::args(["--state-dir", state]), dir.path().join("state/sign-ins")),
        (Options::args(["--token-file", token]), dir.path().join("token.sign-ins")),
    ] {
        let mut server = Server::start(options.clone());
        let id = server.bash("read line").await;
        let [reader, _] = passes(&server, &id).await;
        let (owner, other) = (Browser::sign_in(&server, TOKEN).await, Browser::sign_in(&server, TOKEN).await);
        let guest = Browser::sign_in(&server, &reader).await;
        server.kill().await;
        assert!(is_signed_in(&server, &owner).await && is_signed_in(&server, &guest).await);
        let revoked = sign_ins(&server, &other).await.into_iter().find(|one| one.you).unwrap();
        let path = format!("/api/sign-ins/{}", revoked.id);
        assert_eq!(
            owner.request(&server, Method::DELETE, &path).send().await.unwrap().status(),
            StatusCode::NO_CONTENT
        );
        server.kill().await;
        assert!(!is_signed_in(&server, &other).await, "what was revoked stays so");
        let (is_done, said) = server.upgrade();
        assert!(is_done, "{said}");
        assert!(is_signed_in(&server, &owner).await && is_signed_in(&server, &guest).await);

        let content = fs::read_to_string(&file).unwrap();
        for browser in [&owner, &guest] {
            let secret = browser.cookie.split_once('=').unwrap().1;
            assert!(!content.contains(secret) && !content.contains(&browser.key));
        }
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        server.signal_keeper(Signal::SIGTERM);
        server.wait_until_ended().await;
        let server = Server::start(options);
        assert!(is_signed_in(&server, &owner).await && is_signed_in(&server, &guest).await);
        assert!(!is_signed_in(&server, &other).await);
        let again = Browser::sign_in(&server, &reader).await;
        assert!(!again.access.owner, "share links are the same");
    }
    // Without a state directory or a token file, a restart ends all sign-ins.
    let mut server = Server::start(Options::default());
    let browser = Browser::sign_in(&server, TOKEN).await;
    server.signal_keeper(Signal::SIGTERM);
    server.wait_until_ended().await;
    assert!(!is_signed_in(&Server::start(Options::default()), &browser).await);
}

/// If share links followed from the token alone, somebody with a link could guess the token
/// offline.
#[tokio::test]
async fn a_share_link_says_nothing_about_the_token() {
    let (one, other) = (Server::start(Options::default()), Server::start(Options::default()));
    let dir = tempfile::tempdir().unwrap();
    let state = ["--state-dir", dir.path().to_str().unwrap()];
    let mut before = Server::start(Options::args(state));
    let id = before.bash("read line").await;
    let links = passes(&before, &id).await;
    before.signal_keeper(Signal::SIGTERM);
    before.wait_until_ended().await;
    // Both servers have the same session and the same token.
    let file = format!("{id}.session");
    let saved = fs::read(dir.path().join(&file)).unwrap();
    let mut found = vec![links];
    for _ in [one, other] {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(dir.path().join(&file), &saved).unwrap();
        let server = Server::start(Options::args(["--state-dir", dir.path().to_str().unwrap()]));
        found.push(passes(&server, &id).await);
    }
    assert!(found[0] != found[1] && found[1] != found[2] && found[0] != found[2], "{found:?}");
}

#[tokio::test]
async fn who_comes_and_who_is_refused_is_in_the_log() {
    let server = Server::start(Options::default().env("LIMPET_LOG", "warn,limpet::auth::audit=info"));
    let id = server.bash("read line").await;
    let [reader, writer] = passes(&server, &id).await;
    let from =
        |request: reqwest::RequestBuilder, address: &str| request.header("x-forwarded-for", address).send();
    let login = |token: &str| server.anonymous(Method::POST, "/api/login").json(&json!({ "token": token }));
    for _ in 0..200 {
        from(login("a-wrong-token"), "192.0.2.1").await.unwrap();
    }
    from(server.anonymous(Method::GET, "/api/access").bearer_auth("reader.s.wrong-pass"), "192.0.2.2")
        .await
        .unwrap();
    from(login(TOKEN), "192.0.2.3").await.unwrap();
    from(login(&reader), "192.0.2.4").await.unwrap();
    from(server.anonymous(Method::GET, "/api/access").bearer_auth(&writer), "192.0.2.5").await.unwrap();
    let browser = Browser::sign_in(&server, TOKEN).await;
    from(
        browser.replayed(&server, Method::GET, "/api/access").header("limpet-key", "wrong-key"),
        "192.0.2.6",
    )
    .await
    .unwrap();
    let guest = sign_ins(&server, &browser).await.into_iter().find(|one| !one.owner).unwrap().id;
    browser.request(&server, Method::DELETE, &format!("/api/sign-ins/{guest}")).send().await.unwrap();
    browser.request(&server, Method::POST, "/api/logout").send().await.unwrap();
    let log = server.log();
    for (words, address) in [
        ("refused: wrong token", "192.0.2.1"),
        ("refused: too many wrong credentials", "192.0.2.1"),
        ("refused: wrong share link", "192.0.2.2"),
        ("signed in as owner", "192.0.2.3"),
        ("signed in by a share link", "192.0.2.4"),
        ("share link used", "192.0.2.5"),
        ("refused: no such sign-in", "192.0.2.6"),
        ("share links shown", "127.0.0.1"),
        ("sign-in revoked", "127.0.0.1"),
        ("signed out", "127.0.0.1"),
    ] {
        let lines = log.lines().filter(|line| line.contains(words) && line.contains(address)).count();
        assert_eq!(lines, 1, "{words} from {address} in {log}");
    }
    let secret = browser.cookie.split_once('=').unwrap().1;
    for secret in [TOKEN, "a-wrong-token", "wrong-pass", "wrong-key", &reader, &writer, secret, &browser.key]
    {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[tokio::test]
async fn guests_see_no_arguments_and_no_addresses() {
    let server = Server::start(Options::default());
    let id = server.bash("sleep 1000; : a-secret-argument").await;
    let [reader, writer] = passes(&server, &id).await;
    for pass in [&reader, &writer] {
        let get = async |path: &str| {
            let request = server.anonymous(Method::GET, path).bearer_auth(pass);
            request.send().await.unwrap().text().await.unwrap()
        };
        let login = server.anonymous(Method::POST, "/api/login").json(&json!({ "token": pass }));
        let session = format!("/api/sessions/{id}");
        for text in [
            get("/api/sessions").await,
            get("/api/access").await,
            get(&session).await,
            login.send().await.unwrap().text().await.unwrap(),
        ] {
            assert!(!text.contains("a-secret-argument") && text.contains(id.as_str()), "{text}");
        }
        assert!(serde_json::from_str::<SessionDetails>(&get(&session).await).unwrap().running.is_empty());
    }
    assert!(server.details(&id).await.info.command.join(" ").contains("a-secret-argument"));

    let presences = |message: &ServerMessage| match message {
        ServerMessage::Viewers { list, .. } if list.len() == 2 => Some(list.clone()),
        _ => None,
    };
    let mut owner = Client::attach(&server, &id, Hello::default()).await;
    let mut guest = Client::attach(&server, &id, Hello::default().with_token(&reader)).await;
    let seen: Vec<ViewerInfo> = guest.wait_for_message("who is there", presences).await;
    let [theirs, own] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((theirs.from.as_str(), own.from.as_str()), ("", "127.0.0.1"), "of oneself one knows it");
    let seen = owner.wait_for_message("who is there", presences).await;
    assert!(seen.iter().all(|one| one.from == "127.0.0.1"), "an owner is told");
}

#[tokio::test]
async fn strangers_learn_that_limpet_lives_and_nothing_else() {
    let server = Server::start(Options::default());
    server.bash("read line").await;
    let health = server.anonymous(Method::GET, "/api/health").send().await.unwrap().text().await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&health).unwrap().as_object().unwrap().len(), 1, "{health}");
    assert_eq!(serde_json::from_str::<Health>(&health).unwrap().version, env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn a_body_is_an_object_and_a_host_is_a_host() {
    let server = Server::start(Options::default());
    let address = server.address();
    let id = server.bash("read line").await;
    for (method, path, body) in [
        (Method::POST, "/api/login".to_owned(), json!([TOKEN])),
        (Method::POST, "/api/sessions".to_owned(), json!([null, ["cat"]])),
        (Method::PATCH, format!("/api/sessions/{id}"), json!(["title"])),
    ] {
        let answer = server.request(method, &path).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}");
    }
    for (name, value) in [
        ("host", format!("x@{address}")),
        ("origin", format!("http://{address}/path")),
        ("origin", format!("http://x@{address}")),
    ] {
        let answer = server.request(Method::GET, "/api/sessions").header(name, &value).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}: {value}");
    }
    let tls = |origin: &str| {
        let request = server.request(Method::GET, "/api/sessions").header("x-forwarded-proto", "https");
        request.header("origin", format!("{origin}://{address}")).send()
    };
    assert_eq!(tls("http").await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(tls("https").await.unwrap().status(), StatusCode::OK);
    let sessions: Vec<SessionInfo> = server.get("/api/sessions").await.json().await.unwrap();
    assert_eq!(sessions.len(), 1, "nothing of that did anything");
}

/// Closing the session of a share link ends the guests' access to it.
#[tokio::test]
async fn a_guest_of_a_session_that_is_closed_is_told_so() {
    let server = Server::start(Options::default());
    let id = server.bash("read line").await;
    let [reader, _] = passes(&server, &id).await;
    let guest = Browser::sign_in(&server, &reader).await;
    server.close(&id).await;
    let mut socket = guest.open(&server, &id).await.unwrap();
    socket.hello(Some(&guest.key)).await;
    let Some(ServerMessage::Error { code, .. }) = socket.next().await else { panic!("no error") };
    assert_eq!((code, socket.rest().await.1), (ErrorCode::SessionNotFound, Some(4404)));
}
