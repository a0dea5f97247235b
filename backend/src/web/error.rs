//! The errors with which requests are refused.

use std::time::Duration;

use axum::{
    Json,
    extract::rejection::{BytesRejection, PathRejection},
    http::{
        HeaderValue, StatusCode,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use limpet_pty::SpawnError;
use limpet_shared::{ErrorCode, api::ApiError, limits::MAX_HTTP_BODY_BYTES};
use tokio::time::sleep;

use crate::{
    auth::Denied,
    session::{CreateError, TooManyAttaches},
};

/// Delay of the answer to guests who send too many requests.
const REFUSAL_DELAY: Duration = Duration::from_millis(250);

/// A refusal: a stable code, and a sentence that says what to do.
#[derive(Debug)]
pub(super) struct Refusal {
    code: ErrorCode,
    message: String,
    /// Time after which another try makes sense.
    retry_after: Option<Duration>,
}

impl Refusal {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }

    #[cfg(test)]
    pub(super) fn code(&self) -> ErrorCode {
        self.code
    }

    pub(super) fn session_not_found() -> Self {
        Self::new(
            ErrorCode::SessionNotFound,
            "this session does not exist (any more); api/sessions lists all sessions",
        )
    }

    /// Creates the refusal of a guest who attaches too often.
    pub(super) async fn too_often(refused: TooManyAttaches) -> Self {
        Self::delayed(refused.wait, refused.to_string()).await
    }

    /// Creates the refusal of a guest who sends too many requests.
    pub(super) async fn too_many_requests(wait: Duration) -> Self {
        let seconds = whole_seconds(wait);
        let message = format!("too many requests with this link; try again in {seconds} s");
        Self::delayed(wait, message).await
    }

    /// Waits before it returns the refusal, to slow down guests that do not wait by themselves.
    async fn delayed(wait: Duration, message: String) -> Self {
        sleep(REFUSAL_DELAY).await;
        Self { retry_after: Some(wait), ..Self::new(ErrorCode::TooManyRequests, message) }
    }

    /// Creates the refusal of a body that axum could not read, from axum's status and message.
    fn unreadable_body(status: StatusCode, message: String) -> Self {
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::new(
                ErrorCode::BodyTooLarge,
                format!("the request's body is too large; at most {MAX_HTTP_BODY_BYTES} bytes are allowed"),
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
            ErrorCode::ShuttingDown | ErrorCode::OutOfResources => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let error = ApiError { code: self.code, message: self.message };
        let mut response = (status, Json(error.clone())).into_response();
        // The error page is made from this for clients that prefer a page.
        response.extensions_mut().insert(error);
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110, 15.5.2: a 401 names a scheme.
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(after) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, whole_seconds(after).into());
        }
        response
    }
}

impl From<CreateError> for Refusal {
    fn from(error: CreateError) -> Self {
        let code = match error {
            CreateError::TooMany { .. } | CreateError::TooManyForOpenFiles { .. } => {
                ErrorCode::TooManySessions
            }
            CreateError::BadSize(_) => ErrorCode::BadSize,
            CreateError::NoTemplate => ErrorCode::SessionNotFound,
            CreateError::EmptyCommand | CreateError::NulCharacter(_) | CreateError::BadVariable(_) => {
                ErrorCode::BadRequest
            }
            CreateError::Spawn(SpawnError::Exhausted(_)) => ErrorCode::OutOfResources,
            CreateError::Spawn(_) => ErrorCode::SpawnFailed,
            CreateError::ShuttingDown => ErrorCode::ShuttingDown,
        };
        Self::new(code, error.to_string())
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NoCredentials => Self::new(
                ErrorCode::Unauthorized,
                "log in with the link that limpet printed, or send the header Authorization: Bearer TOKEN",
            ),
            Denied::Wrong => Self::new(
                ErrorCode::Unauthorized,
                "the credentials are not valid for this server; use the link that limpet printed",
            ),
            Denied::RateLimited(wait) => {
                let message = format!(
                    "too many wrong credentials from this address; try again in {} s. Signed-in browsers \
                     are not affected",
                    whole_seconds(wait)
                );
                Self { retry_after: Some(wait), ..Self::new(ErrorCode::TooManyRequests, message) }
            }
            Denied::TooManySignIns => Self::new(
                ErrorCode::TooManyRequests,
                "too many sign-ins from this address or with this link; try again later",
            ),
        }
    }
}

/// Returns the number of whole seconds after which the duration has passed, at least one.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + 1
}

impl From<BytesRejection> for Refusal {
    fn from(rejection: BytesRejection) -> Self {
        Self::unreadable_body(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for Refusal {
    fn from(_: PathRejection) -> Self {
        Self::session_not_found()
    }
}

pub(super) fn no_such_sign_in() -> Refusal {
    Refusal::new(
        ErrorCode::NotFound,
        "this sign-in does not exist (any more); api/sign-ins lists all sign-ins",
    )
}

pub(super) fn no_such_path() -> Refusal {
    Refusal::new(
        ErrorCode::NotFound,
        "check the path; if a reverse proxy forwards only a part of its site to limpet, start limpet with \
         --base-path",
    )
}

pub(super) async fn not_found() -> Refusal {
    no_such_path()
}

pub(super) async fn method_not_allowed() -> Refusal {
    Refusal::new(ErrorCode::MethodNotAllowed, "this path does not support this method; see PROTOCOL.md")
}
