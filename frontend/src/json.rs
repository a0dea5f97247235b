//! JSON, read and written by the browser. It knows how to, while `serde_json` has tables for decimal numbers that are a tenth of all
//! that is loaded before the first prompt. Where there is no browser, in unit tests, `serde_json` does it.

use serde::{Serialize, de::DeserializeOwned};

/// What is no JSON, or other JSON than was asked for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is other JSON than was asked for")]
pub struct Unintelligible;

/// Reads a value.
///
/// # Errors
/// [`Unintelligible`].
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Unintelligible> {
    #[cfg(target_arch = "wasm32")]
    {
        let value = js_sys::JSON::parse(text).map_err(|_| Unintelligible)?;
        serde_wasm_bindgen::from_value(value).map_err(|_| Unintelligible)
    }
    #[cfg(not(target_arch = "wasm32"))]
    serde_json::from_str(text).map_err(|_| Unintelligible)
}

/// A value as text. Integers beyond 2^53 are not exact (ECMA-262, 6.1.6.1).
///
/// # Errors
/// [`Unintelligible`]: it is nothing that JSON has a form for.
pub fn write(value: &impl Serialize) -> Result<String, Unintelligible> {
    #[cfg(target_arch = "wasm32")]
    {
        let form = serde_wasm_bindgen::Serializer::json_compatible();
        let value = value.serialize(&form).map_err(|_| Unintelligible)?;
        js_sys::JSON::stringify(&value).ok().and_then(|text| text.as_string()).ok_or(Unintelligible)
    }
    #[cfg(not(target_arch = "wasm32"))]
    serde_json::to_string(value).map_err(|_| Unintelligible)
}
