//! The Content-Security-Policy of the page.

use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

/// Returns the policy for a page: nothing but its own files, and only those inline scripts that
/// `html` contains.
///
/// `'wasm-unsafe-eval'` allows the compilation of WebAssembly, and nothing else. Inline styles are
/// allowed because xterm.js writes its colours and measures into style elements; they can neither
/// run code nor, with these sources, fetch anything.
///
/// Text cannot become HTML or a script: the browser accepts only values of the one Trusted Types
/// policy, `leptos`, which the page's script keeps to itself and uses for the HTML that is compiled
/// into the program.
pub(super) fn policy(html: &str) -> String {
    let hashes =
        inline_scripts(html).map(|script| format!(" 'sha256-{}'", hash(script))).collect::<Vec<_>>().concat();
    [
        "default-src 'none'",
        &format!("script-src 'self' 'wasm-unsafe-eval'{hashes}"),
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types leptos",
    ]
    .join("; ")
}

fn hash(script: &str) -> String {
    BASE64_STANDARD.encode(Sha256::digest(script))
}

/// Returns the contents of the script elements without `src`. The page is limpet's own, so a full
/// parser is not needed.
fn inline_scripts(html: &str) -> impl Iterator<Item = &str> {
    html.split("<script").skip(1).filter_map(|rest| {
        let (attributes, rest) = rest.split_once('>')?;
        let (script, _) = rest.split_once("</script>")?;
        (!attributes.contains("src=")).then_some(script)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_of_the_specification() {
        // The example in section 7.17.2 of Content Security Policy Level 2.
        assert_eq!(hash("alert('Hello, world.');"), "qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng=");
    }

    #[test]
    fn inline_scripts_are_allowed_by_hash_and_no_others() {
        let html =
            "<script type=\"module\">one</script><script src=\"two.js\"></script>\n<script>three\n</script>";
        assert_eq!(inline_scripts(html).collect::<Vec<_>>(), ["one", "three\n"]);
        let policy = policy(html);
        assert!(policy.contains(&format!("'sha256-{}'", hash("three\n"))));
        assert!(!policy.contains("script-src 'self' 'unsafe-inline'"));
        assert!(policy.ends_with("; require-trusted-types-for 'script'; trusted-types leptos"));
    }
}
