//! Serves the page's files from memory.
//!
//! Files are embedded together with their compressed forms: `xtask` puts `NAME.br` and `NAME.gz`
//! beside them. A debug build reads them from disk at every request, so that the page can be
//! rebuilt while the server runs.

use std::borrow::Cow;

use axum::{
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{
            ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
            CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
        },
    },
    response::{Html, IntoResponse, Response},
};
use bytes::Bytes;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::{
    csp,
    encoding::{self, Encoding},
    error::{self, Refusal},
};

/// The files of the built page.
#[derive(RustEmbed)]
#[folder = "../dist"]
#[allow_missing = true]
#[exclude = ".*"]
struct Dist;

const INDEX: &str = "index.html";

/// Cache policies: files whose names contain a hash of their content never change. All others are
/// revalidated, and are usually unchanged.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

const MISSING_PAGE_HTML: &str = "<!doctype html><title>limpet</title><p>This limpet was built without its page. \
     Build both with <code>cargo xtask build</code>.";

pub(super) async fn serve(request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return error::method_not_allowed().await.into_response();
    }
    let path = match request.uri().path().trim_start_matches('/') {
        "" => INDEX,
        path => path,
    };
    match asset_response(path, request.headers()) {
        Ok(response) if request.method() == Method::HEAD => response.map(|_| Body::empty()),
        Ok(response) => response,
        Err(_) if path == INDEX => Html(MISSING_PAGE_HTML).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

fn asset_response(path: &str, request: &HeaderMap) -> Result<Response, Refusal> {
    // Compressed forms are not served under their own names.
    let plain = Some(path).filter(|path| !matches!(extension(path), "br" | "gz"));
    let plain = plain.and_then(Dist::get).ok_or_else(error::no_such_path)?;
    let (encoding, file) =
        find_compressed(path, request).map_or((None, None), |(encoding, file)| (Some(encoding), Some(file)));
    let mut response = head_response(path, &plain, encoding);
    let tag = etag(&plain, encoding);
    let known = request.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let unchanged = known.is_some_and(|known| contains_tag(known, &tag));
    response.headers_mut().extend(HeaderValue::try_from(tag).map(|tag| (ETAG, tag)));
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let data = into_bytes(file.unwrap_or(plain));
    response.headers_mut().insert(CONTENT_LENGTH, data.len().into());
    *response.body_mut() = Body::from(data);
    Ok(response)
}

/// Returns the smallest compressed form of a file that the browser accepts, if there is one.
fn find_compressed(path: &str, request: &HeaderMap) -> Option<(Encoding, EmbeddedFile)> {
    let accepted = request.get(ACCEPT_ENCODING)?.to_str().ok()?;
    let stored = |encoding: Encoding| Some((encoding, Dist::get(&format!("{path}{}", encoding.suffix()))?));
    encoding::accepted(accepted).find_map(stored)
}

/// Returns a response with the headers of a file, without its content.
fn head_response(path: &str, plain: &EmbeddedFile, encoding: Option<Encoding>) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    let kind = content_type(path);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, if is_hashed(path) { IMMUTABLE } else { REVALIDATE });
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
    }
    if kind.starts_with("text/html") {
        let policy = HeaderValue::try_from(csp::policy(&String::from_utf8_lossy(&plain.data)));
        headers.extend(policy.map(|policy| (CONTENT_SECURITY_POLICY, policy)));
        headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
        let permissions = "camera=(), geolocation=(), microphone=(), payment=(), usb=()";
        headers.insert("permissions-policy", HeaderValue::from_static(permissions));
    }
    response
}

/// Returns a tag that identifies one content in one encoding (RFC 9110, 8.8.3).
fn etag(plain: &EmbeddedFile, encoding: Option<Encoding>) -> String {
    let digest = hex::encode(&plain.metadata.sha256_hash()[..16]);
    format!("\"{digest}{}\"", encoding.map_or("", Encoding::suffix))
}

/// Reports whether `If-None-Match` contains the tag. A proxy may have made it a weak tag, which is
/// equivalent here (RFC 9110, 13.1.2).
fn contains_tag(header: &str, tag: &str) -> bool {
    let tags = header.split(',').map(str::trim);
    tags.map(|known| known.strip_prefix("W/").unwrap_or(known)).any(|known| known == tag || known == "*")
}

fn into_bytes(file: EmbeddedFile) -> Bytes {
    match file.data {
        Cow::Borrowed(data) => Bytes::from_static(data),
        Cow::Owned(data) => data.into(),
    }
}

fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn content_type(path: &str) -> &'static str {
    match extension(path) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Reports whether a file's name contains a hash of its content, as the build adds it: about 16
/// hexadecimal digits.
fn is_hashed(path: &str) -> bool {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    let hash = |part: &str| part.len() >= 12 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.split(['-', '_', '.']).any(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_tag_is_recognised() {
        for header in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "*"] {
            assert!(contains_tag(header, "\"a\""), "{header}");
        }
        for header in ["", "a", "\"b\"", "\"a.br\""] {
            assert!(!contains_tag(header, "\"a\""), "{header}");
        }
    }

    #[test]
    fn only_names_with_a_hash_are_kept_for_ever() {
        for path in [
            "limpet-frontend-3f2a9c1be07d4455.js",
            "limpet-frontend-3f2a9c1be07d4455_bg.wasm",
            "a/style-0123456789ab.css",
        ] {
            assert!(is_hashed(path), "{path}");
        }
        for path in [INDEX, "favicon.svg", "vendor/xterm.mjs", "deadbeef.js", "0123456789abcdef/xterm.mjs"] {
            assert!(!is_hashed(path), "{path}");
        }
    }
}
