//! The error page, for a person who opens an address that is refused.

use std::fmt::Write as _;

use axum::{
    http::{
        HeaderMap, HeaderValue,
        header::{ACCEPT, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY},
    },
    response::Response,
};
use limpet_shared::{ErrorCode, api::ApiError};

use crate::config::BasePath;

/// Content-Security-Policy of the page, which needs nothing but its own style.
const PAGE_CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
const HTML_CONTENT_TYPE: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

const STYLE: &str = "html{color-scheme:dark light;font:16px/24px system-ui,sans-serif}\
    body{display:grid;place-content:center;min-height:100vh;margin:0}\
    main{max-width:60ch;padding:24px;overflow-wrap:anywhere}\
    h1{margin:0 0 8px;font-size:20px;line-height:28px}p{margin:0 0 8px}";

/// Reports whether a client prefers a page to JSON. Browsers do when a person opens an address,
/// scripts do not.
pub(super) fn prefers_html(request: &HeaderMap) -> bool {
    let accepted = request.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let html = weight(accepted, "text/html");
    html > 0.0 && html >= weight(accepted, "application/json")
}

/// Returns the weight that an `Accept` header gives to a type that it names (RFC 9110, 12.5.1).
fn weight(header: &str, kind: &str) -> f32 {
    let entries = header.split(',').filter_map(|entry| {
        let (named, parameters) = entry.split_once(';').unwrap_or((entry, ""));
        let quality = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("q="));
        let weight = quality.map_or(1.0, |quality| quality.trim().parse().unwrap_or(0.0));
        named.trim().eq_ignore_ascii_case(kind).then_some(weight)
    });
    entries.fold(0.0, f32::max)
}

/// Replaces the JSON of a refusal with a page. Any other response is left as it is.
pub(super) fn replace_json(mut response: Response, base: &BasePath) -> Response {
    let Some(error) = response.extensions_mut().remove::<ApiError>() else { return response };
    let page = render_page(&error, base);
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HTML_CONTENT_TYPE);
    headers.insert(CONTENT_SECURITY_POLICY, PAGE_CSP);
    headers.insert(VARY, HeaderValue::from_static("accept"));
    response.map(|_| page.into())
}

fn render_page(ApiError { code, message }: &ApiError, base: &BasePath) -> String {
    let title = title(*code);
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>limpet</title><style>{STYLE}</style><main><h1>{title}</h1><p>"
    );
    push_sentence(&mut page, message);
    page.push_str("</p>");
    // Under a wrong name every page is refused, so there is nothing to link to.
    if !matches!(code, ErrorCode::UnknownHost | ErrorCode::ForeignOrigin) {
        // A base path needs no escaping. Writing to a string does not fail.
        let _ = write!(page, "<p><a href=\"{base}\">Open limpet</a></p>");
    }
    page.push_str("</main></html>");
    page
}

const fn title(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::NotFound => "There is nothing at this address",
        ErrorCode::SessionNotFound => "This terminal no longer exists",
        ErrorCode::UnknownHost | ErrorCode::ForeignOrigin => "limpet does not accept this address",
        ErrorCode::Unauthorized => "You are not logged in",
        ErrorCode::Forbidden => "Only the owner can do that",
        ErrorCode::TooManyRequests | ErrorCode::TooManySessions => "Too many requests",
        _ => "limpet could not do that",
    }
}

/// Appends a message as a sentence of HTML text.
fn push_sentence(page: &mut String, message: &str) {
    let mut characters = message.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    for character in first.chain(characters) {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            character => page.push(character),
        }
    }
    if !message.ends_with('.') {
        page.push('.');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_for_those_who_ask_for_one() {
        let wanted = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            prefers_html(&headers)
        };
        for accept in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "Text/HTML",
            "application/json;q=0.5, text/html",
            "text/html;level=1;q=0.4",
        ] {
            assert!(wanted(accept), "{accept}");
        }
        for accept in ["*/*", "", "application/json", "application/json, text/html;q=0.5", "text/html;q=0"] {
            assert!(!wanted(accept), "{accept}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }

    #[test]
    fn what_others_have_written_does_not_become_html() {
        let base = "/a".parse::<BasePath>().unwrap();
        let error = ApiError { code: ErrorCode::NotFound, message: "é <b>\"&'".to_owned() };
        let page = render_page(&error, &base);
        assert!(page.contains("<p>É &lt;b&gt;&quot;&amp;&#39;.</p>"), "{page}");
        assert!(page.contains("href=\"/a/\""), "{page}");
    }
}
