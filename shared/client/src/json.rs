//! The JSON of text messages.

use serde::{Serialize, de::DeserializeOwned};

/// A reader and writer of JSON.
///
/// The page uses the browser's own functions, because the tables for decimal numbers in
/// `serde_json` would make up a tenth of everything that it loads before the first prompt.
pub trait Json {
    /// Parses a value. Returns `None` if the text is not JSON or does not fit `T`.
    fn read<T: DeserializeOwned>(text: &str) -> Option<T>;

    /// Serializes a value. Returns `None` if JSON cannot represent it.
    fn write(value: &impl Serialize) -> Option<String>;
}

/// The `serde_json` library.
#[derive(Clone, Copy, Debug)]
pub struct SerdeJson;

impl Json for SerdeJson {
    fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
        serde_json::from_str(text).ok()
    }

    fn write(value: &impl Serialize) -> Option<String> {
        serde_json::to_string(value).ok()
    }
}
