//! What a request that is refused gets.

use std::time::Duration;

use axum::{
    Json,
    extract::rejection::{BytesRejection, JsonRejection, PathRejection},
    http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE},
    response::{IntoResponse, Response},
};
use limpet_shared::{ErrorCode, api::ApiError, limits::HTTP_BODY};
use tokio::time::sleep;

use crate::session::{CreateError, TooOften};

/// How long the answer to guests takes who come too often.
const REFUSAL_DELAY: Duration = Duration::from_millis(25);

/// A refusal: a stable name, and a sentence that says what to do.
#[derive(Debug)]
pub(super) struct Refusal {
    code: ErrorCode,
    message: String,
}

impl Refusal {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn session_not_found() -> Self {
        Self::new(
            ErrorCode::SessionNotFound,
            "there is no such session (any more); see api/sessions for those there are",
        )
    }

    /// Guests who come too often are answered after a moment: one that does not wait by itself is slowed down.
    pub(super) async fn too_often(refused: TooOften) -> Self {
        sleep(REFUSAL_DELAY).await;
        Self::new(ErrorCode::TooManyRequests, refused.to_string())
    }

    /// A body that cannot be read, for which axum found a status and a message.
    fn unreadable(status: StatusCode, message: String) -> Self {
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::new(
                ErrorCode::BodyTooLarge,
                format!("a request's body has at most {HTTP_BODY} bytes"),
            );
        }
        Self::new(ErrorCode::BadRequest, message)
    }

    fn status(&self) -> StatusCode {
        match self.code {
            ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
            ErrorCode::ForeignOrigin | ErrorCode::UnknownHost | ErrorCode::Forbidden => StatusCode::FORBIDDEN,
            ErrorCode::NotFound | ErrorCode::SessionNotFound => StatusCode::NOT_FOUND,
            ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::TooManySessions | ErrorCode::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::SpawnFailed => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response =
            (status, Json(ApiError { code: self.code, message: self.message })).into_response();
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110, 15.5.2: a 401 names a scheme.
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<CreateError> for Refusal {
    fn from(error: CreateError) -> Self {
        let code = match error {
            CreateError::TooMany { .. } => ErrorCode::TooManySessions,
            CreateError::BadSize(_) => ErrorCode::BadSize,
            CreateError::NothingLikeIt => ErrorCode::SessionNotFound,
            CreateError::EmptyCommand | CreateError::NulCharacter(_) | CreateError::BadVariable(_) => {
                ErrorCode::BadRequest
            }
            CreateError::Spawn(_) => ErrorCode::SpawnFailed,
            CreateError::ShuttingDown => ErrorCode::ShuttingDown,
        };
        Self::new(code, error.to_string())
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        Self::unreadable(rejection.status(), rejection.body_text())
    }
}

impl From<BytesRejection> for Refusal {
    fn from(rejection: BytesRejection) -> Self {
        Self::unreadable(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for Refusal {
    fn from(_: PathRejection) -> Self {
        Self::session_not_found()
    }
}

pub(super) fn no_such_path() -> Refusal {
    Refusal::new(
        ErrorCode::NotFound,
        "there is nothing at this path; the protocol is described in PROTOCOL.md",
    )
}

pub(super) async fn not_found() -> Refusal {
    no_such_path()
}

pub(super) async fn method_not_allowed() -> Refusal {
    Refusal::new(
        ErrorCode::MethodNotAllowed,
        "this path has no such method; the protocol is described in PROTOCOL.md",
    )
}
