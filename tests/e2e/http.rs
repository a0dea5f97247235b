//! The HTTP API: access control, sessions, and refusals.

use limpet_shared::{
    ErrorCode,
    api::{Access, ApiError, Health, KEY_HEADER, SessionInfo},
};
use reqwest::{Method, Response, StatusCode};
use serde_json::json;

use crate::harness::{Client, Hello, Options, Server};

async fn assert_refused(response: Response, status: StatusCode, code: ErrorCode) {
    assert_eq!(response.status(), status);
    let error: ApiError = response.json().await.unwrap();
    assert_eq!(error.code, code, "{}", error.message);
    assert!(!error.message.is_empty());
}

#[tokio::test]
async fn without_credentials_there_is_health_and_nothing_else() {
    let server = Server::start(Options::default());
    let health = server.anonymous(Method::GET, "/api/health").send().await.unwrap();
    let health: Health = health.json().await.unwrap();
    assert_eq!(health.version, env!("CARGO_PKG_VERSION"));
    let id = server.bash("read line").await;
    for (method, path) in [
        (Method::GET, "/api/sessions".to_owned()),
        (Method::POST, "/api/sessions".to_owned()),
        (Method::GET, format!("/api/sessions/{id}")),
        (Method::PATCH, format!("/api/sessions/{id}")),
        (Method::DELETE, format!("/api/sessions/{id}")),
        (Method::GET, format!("/api/sessions/{id}/attach")),
        (Method::GET, "/api/sessions/none-of-that-name".to_owned()),
    ] {
        let response = server.anonymous(method, &path).send().await.unwrap();
        assert!(response.headers().contains_key("www-authenticate"));
        assert_refused(response, StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized).await;
    }
    let wrong = server.anonymous(Method::GET, "/api/sessions").bearer_auth("wrong").send().await.unwrap();
    assert_refused(wrong, StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized).await;
    assert!(server.details(&id).await.info.state.exit.is_none(), "nothing of that did anything");
}

#[tokio::test]
async fn foreign_pages_and_foreign_names_are_refused_credentials_or_not() {
    let server = Server::start(Options::args(["--allow-host", "shell.example"]));
    for path in ["/api/sessions", "/api/health", "/"] {
        for authorized in [true, false] {
            let request = |name: &str, value: &str| {
                let request = server.anonymous(Method::GET, path).header(name, value);
                if authorized { request.bearer_auth("token-of-the-tests-0123456789") } else { request }
            };
            let origin = request("origin", "http://evil.example").send().await.unwrap();
            assert_refused(origin, StatusCode::FORBIDDEN, ErrorCode::ForeignOrigin).await;
            let null = request("origin", "null").send().await.unwrap();
            assert_refused(null, StatusCode::FORBIDDEN, ErrorCode::ForeignOrigin).await;
            let host = request("host", "evil.example").send().await.unwrap();
            assert_refused(host, StatusCode::FORBIDDEN, ErrorCode::UnknownHost).await;
        }
    }
    let own = format!("http://{}", server.address());
    let own = server.request(Method::GET, "/api/sessions").header("origin", own).send().await.unwrap();
    assert_eq!(own.status(), StatusCode::OK);
    let named =
        server.request(Method::GET, "/api/sessions").header("host", "shell.example").send().await.unwrap();
    assert_eq!(named.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_token_is_traded_for_a_cookie() {
    let server = Server::start(Options::args(["--base-path", "/a/b"]));
    let login = |token: &str| {
        server.anonymous(Method::POST, "/a/b/api/login").json(&json!({ "token": token })).send()
    };
    assert_refused(login("wrong").await.unwrap(), StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized).await;
    let response = login("token-of-the-tests-0123456789").await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/a/b/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("token-of-the-tests"));
    let cookie = cookie.split(';').next().unwrap();
    let key = response.json::<Access>().await.unwrap().key.unwrap();
    let list = server.anonymous(Method::GET, "/a/b/api/sessions").header("cookie", cookie);
    let list = list.header(KEY_HEADER, key.reveal()).send().await.unwrap();
    assert_eq!(list.status(), StatusCode::OK);
    let redirected = server.anonymous(Method::GET, "/a/b").send().await.unwrap();
    assert!(redirected.url().path().ends_with("/a/b/"));
    assert_refused(
        server.request(Method::GET, "/api/sessions").send().await.unwrap(),
        StatusCode::NOT_FOUND,
        ErrorCode::NotFound,
    )
    .await;
}

#[tokio::test]
async fn a_session_is_made_looked_at_renamed_and_closed() {
    let server = Server::start(Options::default());
    let wish = json!({
        "command": ["bash", "-c", "echo $GREETING; pwd; stty size; read line"],
        "cwd": "/usr", "env": { "GREETING": "hello" }, "cols": 100, "rows": 40, "title": "mine",
    });
    let response = server.post("/api/sessions", wish).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let made: SessionInfo = response.json().await.unwrap();
    let state = &made.state;
    assert_eq!((state.label.as_str(), state.cols, state.rows, state.exit), ("mine", 100, 40, None));
    let listed: Vec<SessionInfo> = server.get("/api/sessions").await.json().await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&made));

    let path = format!("/api/sessions/{}", made.id);
    let renamed =
        server.request(Method::PATCH, &path).json(&json!({ "title": "other" })).send().await.unwrap();
    assert_eq!(renamed.json::<SessionInfo>().await.unwrap().spec.title.unwrap(), "other");

    let mut client = Client::attach(&server, &made.id, Hello::default().size(100, 40)).await;
    client.sees("hello\r\n/usr\r\n40 100\r\n").await;
    while server.details(&made.id).await.running != ["bash"] {}
    server.close(&made.id).await;
    assert_refused(server.get(&path).await, StatusCode::NOT_FOUND, ErrorCode::SessionNotFound).await;
    let again = server.request(Method::DELETE, &path).send().await.unwrap();
    assert_refused(again, StatusCode::NOT_FOUND, ErrorCode::SessionNotFound).await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_reason() {
    let server = Server::start(Options::default());
    for (wish, status, code) in [
        (json!({ "command": [] }), StatusCode::BAD_REQUEST, ErrorCode::BadRequest),
        (json!({ "command": ["a\0b"] }), StatusCode::BAD_REQUEST, ErrorCode::BadRequest),
        (json!({ "env": { "A=B": "c" } }), StatusCode::BAD_REQUEST, ErrorCode::BadRequest),
        (json!({ "cols": 0 }), StatusCode::BAD_REQUEST, ErrorCode::BadSize),
        (json!({ "cols": "wide" }), StatusCode::BAD_REQUEST, ErrorCode::BadRequest),
        (json!([1]), StatusCode::BAD_REQUEST, ErrorCode::BadRequest),
        (json!({ "cwd": "/no/such/folder" }), StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::SpawnFailed),
        (
            json!({ "command": ["/no/such/program"] }),
            StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::SpawnFailed,
        ),
        (json!({ "title": "x".repeat(100_000) }), StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::BodyTooLarge),
    ] {
        assert_refused(server.post("/api/sessions", wish).await, status, code).await;
    }
    let no_such_method = server.request(Method::PUT, "/api/sessions").send().await.unwrap();
    assert_refused(no_such_method, StatusCode::METHOD_NOT_ALLOWED, ErrorCode::MethodNotAllowed).await;
    assert_refused(server.get("/api/nothing").await, StatusCode::NOT_FOUND, ErrorCode::NotFound).await;
    assert!(server.get("/api/sessions").await.json::<Vec<SessionInfo>>().await.unwrap().is_empty());
}

#[tokio::test]
async fn there_is_a_limit_and_room_is_made_of_what_has_ended() {
    let server = Server::start(Options::args(["--max-sessions", "2"]));
    let running = server.bash("read line").await;
    let ended = server.bash("true").await;
    Client::attach(&server, &ended, Hello::default()).await.read_to_end().await;
    let third = server.bash("read line").await;
    assert_refused(
        server.post("/api/sessions", json!({})).await,
        StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::TooManySessions,
    )
    .await;
    let listed: Vec<SessionInfo> = server.get("/api/sessions").await.json().await.unwrap();
    assert_eq!(listed.into_iter().map(|session| session.id).collect::<Vec<_>>(), [running, third]);
}
