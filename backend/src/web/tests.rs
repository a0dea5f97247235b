//! Tests of requests that pass the whole pipeline, without a network.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    http::{HeaderName, HeaderValue, Method, Request, StatusCode},
    response::Response,
};
use limpet_keeper::KeeperClient;
use limpet_shared::{
    ErrorCode,
    api::{Access, ApiError, KEY_HEADER, SessionInfo},
    limits::MAX_HTTP_BODY_BYTES,
};

use super::{App, pipeline};
use crate::{
    auth::Auth,
    config::{Args, Config},
    runtimes::Runtimes,
    session::{Sessions, SpawnDefaults},
    shutdown::Shutdown,
};

const TOKEN: &str = "9f86d081884c7d65";

fn app(words: &[&str]) -> App {
    let config = Config::new(Args::try_from_words(words).unwrap(), Some(TOKEN)).unwrap();
    let keeper = KeeperClient::in_process().unwrap();
    let sessions = Sessions::new(config.limits, SpawnDefaults::default(), keeper, Runtimes::current());
    let auth = Arc::new(Auth::new(&config.token, None));
    App::new(config, auth, sessions, Shutdown::default())
}

/// Builds a request with the headers that a browser at a loopback address sends. `headers` adds to
/// them or replaces them.
fn request(method: Method, uri: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(uri).body(Body::from(body.to_owned())).unwrap();
    for (name, value) in [("host", "127.0.0.1:7707")].iter().chain(headers) {
        request
            .headers_mut()
            .insert(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
    }
    request
}

async fn send(app: &App, request: Request<Body>) -> Response {
    pipeline::answer(app, app.router(), request).await
}

async fn body(response: Response) -> Vec<u8> {
    to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()
}

fn bearer() -> (&'static str, &'static str) {
    ("authorization", "Bearer 9f86d081884c7d65")
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn a_refusal_says_why_in_json() {
    let app = app(&[]);
    let large = "x".repeat(MAX_HTTP_BODY_BYTES + 1);
    let (get, post) = (Method::GET, Method::POST);
    for (method, uri, headers, content, status, code) in [
        (get.clone(), "/api/sessions", &[][..], "", 401, ErrorCode::Unauthorized),
        (get.clone(), "/api/sessions/x/attach", &[], "", 401, ErrorCode::Unauthorized),
        (post.clone(), "/api/sessions", &[("cookie", "limpet-00000000=x")], "", 401, ErrorCode::Unauthorized),
        (
            get.clone(),
            "/api/sessions",
            &[("authorization", "Bearer wrong")],
            "",
            401,
            ErrorCode::Unauthorized,
        ),
        (post.clone(), "/api/login", &[JSON], r#"{"token":"wrong"}"#, 401, ErrorCode::Unauthorized),
        (post.clone(), "/api/login", &[JSON], r#"{"token":1}"#, 400, ErrorCode::BadRequest),
        (post.clone(), "/api/login", &[JSON], "{", 400, ErrorCode::BadRequest),
        (post.clone(), "/api/login", &[], r#"{"token":"9f86d081884c7d65"}"#, 400, ErrorCode::BadRequest),
        (post.clone(), "/api/login", &[JSON], &large, 413, ErrorCode::BodyTooLarge),
        (post.clone(), "/api/sessions", &[bearer(), JSON], &large, 413, ErrorCode::BodyTooLarge),
        (post.clone(), "/api/sessions", &[bearer()], r#"{"cols":80}"#, 400, ErrorCode::BadRequest),
        (post.clone(), "/api/sessions", &[bearer(), JSON], r#"{"cols":0}"#, 400, ErrorCode::BadSize),
        (post.clone(), "/api/sessions", &[bearer(), JSON], r#"{"command":[]}"#, 400, ErrorCode::BadRequest),
        (get.clone(), "/api/health", &[("host", "evil.example")], "", 403, ErrorCode::UnknownHost),
        (get.clone(), "/", &[("host", "evil.example")], "", 403, ErrorCode::UnknownHost),
        (get.clone(), "/api/health", &[("origin", "null")], "", 403, ErrorCode::ForeignOrigin),
        (
            get.clone(),
            "/api/sessions",
            &[bearer(), ("origin", "http://evil.example")],
            "",
            403,
            ErrorCode::ForeignOrigin,
        ),
        (get.clone(), "/api/nothing", &[], "", 404, ErrorCode::NotFound),
        (get.clone(), "/nothing", &[], "", 404, ErrorCode::NotFound),
        (get.clone(), "/api/sessions/none", &[bearer()], "", 404, ErrorCode::SessionNotFound),
        (get.clone(), "/api/sessions/%20", &[bearer()], "", 404, ErrorCode::SessionNotFound),
        (Method::PUT, "/api/sessions", &[bearer()], "", 405, ErrorCode::MethodNotAllowed),
        (post, "/", &[], "", 405, ErrorCode::MethodNotAllowed),
    ] {
        let shown = format!("{method} {uri} {headers:?}");
        let response = send(&app, request(method, uri, headers, content)).await;
        assert_eq!(response.status(), status, "{shown}");
        assert_eq!(response.headers().contains_key("www-authenticate"), status == 401, "{shown}");
        let error: ApiError = serde_json::from_slice(&body(response).await).unwrap();
        assert_eq!(error.code, code, "{shown}");
    }
}

#[tokio::test]
async fn a_person_who_is_refused_gets_a_page() {
    let app = app(&["--base-path", "/a"]);
    let html = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    for (uri, headers, status, words) in [
        ("/a/mistyped", &[html][..], 404, &["There is nothing at this address", "href=\"/a/\""][..]),
        ("/mistyped", &[html], 404, &["Limpet is at /a/.", "href=\"/a/\""]),
        ("/a/api/sessions", &[html], 401, &["You are not logged in"]),
        ("/a/", &[html, ("host", "evil.example")], 403, &["--allow-host evil.example", "docs/proxy.md"]),
        (
            "/a/",
            &[html, ("origin", "http://evil.example:1")],
            403,
            &["from http://evil.example:1", "127.0.0.1:7707"],
        ),
    ] {
        let response = send(&app, request(Method::GET, uri, headers, "")).await;
        assert_eq!(response.status(), status, "{uri}");
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
        assert_eq!(response.headers()["vary"], "accept");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert!(
            response.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'")
        );
        assert_eq!(response.headers().contains_key("www-authenticate"), status == 401);
        let page = String::from_utf8(body(response).await).unwrap();
        assert!(words.iter().all(|word| page.contains(word)), "{page}");
    }
    let fine = send(&app, request(Method::GET, "/a/api/health", &[html], "")).await;
    assert_eq!(fine.headers()["content-type"], "application/json");
}

#[tokio::test]
async fn a_page_learns_by_a_post_whether_it_may_ask() {
    let app = app(&["--allow-host", "shell.example"]);
    let ask = async |headers: &[(&str, &str)]| {
        let response = send(&app, request(Method::POST, "/api/health", headers, "")).await;
        let status = response.status().as_u16();
        (status, String::from_utf8(body(response).await).unwrap())
    };
    assert_eq!(ask(&[("origin", "http://127.0.0.1:7707")]).await.0, 200);
    // One proxy omits the port, another one sends its own name.
    let origin = ("origin", "https://shell.example:8443");
    for host in ["shell.example", "127.0.0.1:7707"] {
        let (status, said) = ask(&[("host", host), origin]).await;
        assert_eq!(status, 403);
        assert!(said.contains(host) && said.contains(origin.1) && said.contains("port included"), "{said}");
    }
    let long = format!("http://{}", "x".repeat(20_000));
    assert!(ask(&[("origin", &long)]).await.1.len() < 2000);
}

#[tokio::test]
async fn the_token_is_traded_for_a_cookie() {
    let app = app(&["--base-path", "/a"]);
    let login = r#"{"token":"9f86d081884c7d65"}"#;
    let response =
        send(&app, request(Method::POST, "/a/api/login", &[JSON, ("x-forwarded-proto", "https")], login))
            .await;
    assert_eq!(response.status(), StatusCode::OK);
    let set_cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(set_cookie.contains("; Path=/a/;") && set_cookie.ends_with("; Secure"), "{set_cookie}");
    let cookie = set_cookie.split_once(';').unwrap().0.to_owned();
    let access: Access = serde_json::from_slice(&body(response).await).unwrap();
    let key = access.key.unwrap();
    let both = [("cookie", cookie.as_str()), (KEY_HEADER, key.reveal())];
    for (headers, status) in [(&both[..], 200), (&both[..1], 401), (&both[1..], 401)] {
        let response = send(&app, request(Method::GET, "/a/api/sessions", headers, "")).await;
        assert_eq!(response.status(), status);
    }
    let response = send(&app, request(Method::GET, "/a/api/access", &both, "")).await;
    assert!(response.headers()["set-cookie"].to_str().unwrap().starts_with(&cookie), "it lasts longer");
}

#[tokio::test]
async fn everything_is_below_the_base_path() {
    let app = app(&["--base-path", "/a"]);
    for (uri, status) in
        [("/a/api/health", 200), ("/a?x", 308), ("/api/health", 404), ("/ab/api/health", 404), ("/", 404)]
    {
        let response = send(&app, request(Method::GET, uri, &[], "")).await;
        assert_eq!(response.status(), status, "{uri}");
        assert_eq!(
            response.headers().get("location").map(|base| base == "/a/"),
            (status == 308).then_some(true)
        );
    }
}

#[tokio::test]
async fn answers_are_neither_kept_nor_guessed_at() {
    let app = app(&[]);
    for uri in ["/api/health", "/api/sessions", "/nothing"] {
        let response = send(&app, request(Method::GET, uri, &[], "")).await;
        assert_eq!(response.headers()["cache-control"], "no-store", "{uri}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{uri}");
    }
}

#[tokio::test]
async fn a_session_is_made_shown_renamed_and_removed() {
    let app = app(&["--max-sessions", "1"]);
    let create = r#"{"command":["cat"],"cols":100}"#;
    let response = send(&app, request(Method::POST, "/api/sessions", &[bearer(), JSON], create)).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let session: SessionInfo = serde_json::from_slice(&body(response).await).unwrap();
    assert_eq!((session.command, session.cols, session.rows), (vec!["cat".to_owned()], 100, 24));

    let another = send(&app, request(Method::POST, "/api/sessions", &[bearer()], "")).await;
    assert_eq!(another.status(), StatusCode::TOO_MANY_REQUESTS);

    let address = format!("/api/sessions/{}", session.id);
    let renamed =
        send(&app, request(Method::PATCH, &address, &[bearer(), JSON], r#"{"title":"mine"}"#)).await;
    let renamed: SessionInfo = serde_json::from_slice(&body(renamed).await).unwrap();
    assert_eq!(renamed.title, "mine");

    for (method, status) in [(Method::GET, 200), (Method::DELETE, 204), (Method::GET, 404)] {
        let response = send(&app, request(method.clone(), &address, &[bearer()], "")).await;
        assert_eq!(response.status(), status, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_comes_is_not_waited_for() {
    let app = app(&[]);
    let mut slow = request(Method::POST, "/api/login", &[JSON], "");
    *slow.body_mut() =
        Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    assert_eq!(send(&app, slow).await.status(), StatusCode::BAD_REQUEST);
}
