//! Generates the `hello` that index.html sends before the page's module is loaded, from the types
//! that the module itself uses.

use anyhow::ensure;
use limpet_client::Viewer;
use limpet_shared::{ClientMessage, SignInKey, ViewerId, Winsize};

/// The call in index.html whose argument is generated.
const PLACEHOLDER: &str = "JSON.stringify(HELLO)";

/// A sample of the values that are only known in the browser.
const ID: ViewerId = ViewerId::from_bytes([0xa5; 16]);
const SIZE: Winsize = Winsize { cols: 1001, rows: 1002, xpixel: 1003, ypixel: 1004 };
const KEY: &str = "the key of the sign-in";

/// Puts the `hello` into index.html.
pub(crate) fn insert(html: &str) -> anyhow::Result<String> {
    ensure!(html.matches(PLACEHOLDER).count() == 1, "index.html does not contain {PLACEHOLDER} once");
    Ok(html.replace(PLACEHOLDER, &format!("JSON.stringify({})", expression()?)))
}

/// Returns the JavaScript object: the message with the expressions of the script in place of the
/// sample's values.
fn expression() -> anyhow::Result<String> {
    let key = SignInKey::new(KEY.to_owned());
    let hello = Viewer::for_person(ID, SIZE).hello(None, Some(key));
    let mut text = ClientMessage::Hello(hello).to_json();
    for (value, expression) in [
        (format!("\"{ID}\""), "id"),
        (SIZE.cols.to_string(), "size.cols"),
        (SIZE.rows.to_string(), "size.rows"),
        (SIZE.xpixel.to_string(), "size.xpixel"),
        (SIZE.ypixel.to_string(), "size.ypixel"),
        (format!("\"{KEY}\""), "key"),
    ] {
        ensure!(text.matches(&value).count() == 1, "a hello does not contain {value} once: {text}");
        text = text.replace(&value, expression);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_says_the_hello_of_the_module() {
        let viewer = Viewer::for_person(ViewerId::from_bytes([1; 16]), Winsize::cells(80, 24));
        let key = SignInKey::new("secret".to_owned());
        let expected = ClientMessage::Hello(viewer.hello(None, Some(key)));
        // The script's id has no hyphens.
        let said = [("size.cols", "80"), ("size.rows", "24"), ("size.xpixel", "0"), ("size.ypixel", "0")]
            .iter()
            .fold(expression().unwrap(), |text, (expression, value)| text.replace(expression, value))
            .replace(":id,", &format!(":\"{}\",", "01".repeat(16)))
            .replace(":key}", ":\"secret\"}");
        assert_eq!(ClientMessage::parse(&said).unwrap(), expected);
    }

    #[test]
    fn index_html_has_a_place_for_it() {
        let html = include_str!("../../frontend/index.html");
        assert!(insert(html).unwrap().contains(&expression().unwrap()));
        assert!(insert("JSON.stringify(other)").is_err());
    }
}
