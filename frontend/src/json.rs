//! Reads and writes JSON by the browser's own functions. `serde_json` has tables for decimal
//! numbers that make up a tenth of everything loaded before the first prompt, so it is used only in
//! unit tests, where there is no browser.

use serde::{Serialize, de::DeserializeOwned};

/// The error for text that is not JSON, or not the expected JSON.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the JSON does not have the expected form")]
pub struct InvalidJson;

/// Parses a value.
///
/// # Errors
/// [`InvalidJson`], if the text is not JSON or does not fit `T`.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, InvalidJson> {
    #[cfg(target_arch = "wasm32")]
    {
        let value = js_sys::JSON::parse(text).map_err(|_| InvalidJson)?;
        serde_wasm_bindgen::from_value(value).map_err(|_| InvalidJson)
    }
    #[cfg(not(target_arch = "wasm32"))]
    serde_json::from_str(text).map_err(|_| InvalidJson)
}

/// Serializes a value. Integers beyond 2^53 are not exact (ECMA-262, 6.1.6.1).
///
/// # Errors
/// [`InvalidJson`], if JSON cannot represent the value.
pub fn write(value: &impl Serialize) -> Result<String, InvalidJson> {
    #[cfg(target_arch = "wasm32")]
    {
        let form = serde_wasm_bindgen::Serializer::json_compatible();
        let value = value.serialize(&form).map_err(|_| InvalidJson)?;
        js_sys::JSON::stringify(&value).ok().and_then(|text| text.as_string()).ok_or(InvalidJson)
    }
    #[cfg(not(target_arch = "wasm32"))]
    serde_json::to_string(value).map_err(|_| InvalidJson)
}
