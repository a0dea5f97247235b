//! Extractors for request bodies that consist of one JSON object.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, header::CONTENT_TYPE},
};
use limpet_shared::ErrorCode;
use serde::de::DeserializeOwned;

use super::error::Refusal;

/// A JSON object. Serde alone would also read a struct's fields from an array.
pub(super) struct JsonObject<T>(pub(super) T);

/// A JSON object, or an empty body, which stands for an empty object.
pub(super) struct OptionalJsonObject<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonObject<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let (headers, body) = (request.headers().clone(), Bytes::from_request(request, state).await?);
        parse_object(&headers, &body).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJsonObject<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let (headers, body) = (request.headers().clone(), Bytes::from_request(request, state).await?);
        if body.is_empty() { Ok(Self(T::default())) } else { parse_object(&headers, &body).map(Self) }
    }
}

fn parse_object<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refusal> {
    // A page of another origin cannot send this type without the server's consent, so this is a
    // further protection.
    if !has_json_content_type(headers) {
        return Err(bad_request("the body must be JSON, with the header Content-Type: application/json"));
    }
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(bad_request("the body must be a JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| bad_request(&error.to_string()))
}

fn has_json_content_type(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|content_type| content_type.to_str().ok());
    let essence = content_type.and_then(|content_type| content_type.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

fn bad_request(message: &str) -> Refusal {
    Refusal::new(ErrorCode::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use limpet_shared::api::{CreateSession, Login, UpdateSession};

    use super::*;

    fn code<T: DeserializeOwned>(content_type: &str, body: &str) -> Result<(), ErrorCode> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        parse_object::<T>(&headers, body.as_bytes()).map(drop).map_err(|refusal| refusal.code())
    }

    #[test]
    fn a_body_is_an_object_and_no_array() {
        let json = "application/json";
        for body in ["[\"a\"]", " [\"a\"]", "\"a\"", "null", "1", "", "{", "{} {}"] {
            assert_eq!(code::<Login>(json, body), Err(ErrorCode::BadRequest), "{body}");
        }
        for body in ["[]", "[null, [\"cat\"]]", "[\"title\"]", "null"] {
            assert_eq!(code::<CreateSession>(json, body), Err(ErrorCode::BadRequest), "{body}");
            assert_eq!(code::<UpdateSession>(json, body), Err(ErrorCode::BadRequest), "{body}");
        }
        assert_eq!(code::<Login>(json, "\r\n\t {\"token\": \"a\"}"), Ok(()));
    }

    #[test]
    fn the_type_is_said() {
        let body = "{\"token\": \"a\"}";
        for content_type in ["application/json", "Application/JSON; charset=utf-8"] {
            assert_eq!(code::<Login>(content_type, body), Ok(()), "{content_type}");
        }
        for content_type in ["text/plain", "application/jsonx", "text/plain; application/json"] {
            assert_eq!(code::<Login>(content_type, body), Err(ErrorCode::BadRequest), "{content_type}");
        }
    }
}
