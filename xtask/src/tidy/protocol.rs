//! PROTOCOL.md, which has to list the same requests, messages and codes as the code.

use std::collections::BTreeSet;

use anyhow::Context;

use super::{File, cells, code_spans, identifiers};

/// Methods of HTTP, by the names of axum's functions.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Directions in the table of messages.
const FROM_CLIENT: &str = "c→s";
const FROM_SERVER: &str = "s→c";
const BOTH: &str = "both";

/// Compares the tables of the document with the sources.
pub(super) fn check(document: &File, sources: &[File]) -> anyhow::Result<Vec<String>> {
    let shared = |name| find(sources, &format!("shared/src/{name}"));
    let (messages, errors) = (shared("message.rs")?, shared("error.rs")?);
    let routes = sources.iter().filter(|file| is_product_code(file)).flat_map(|file| routed(&file.text));
    let mentioned: BTreeSet<String> = code_spans(&document.text).map(str::to_owned).collect();
    let mut complaints = compare("request", &routes.collect(), &documented_requests(&document.text));
    for (message_type, direction) in [("ClientMessage", FROM_CLIENT), ("ServerMessage", FROM_SERVER)] {
        let types = message_types(&messages.text, message_type)?;
        complaints.extend(compare(message_type, &types, &documented_messages(&document.text, direction)));
    }
    let codes = variants(&errors.text, "ErrorCode")?.into_iter().map(kebab_case);
    complaints
        .extend(codes.filter(|code| !mentioned.contains(code)).map(|code| missing("error code", &code)));
    Ok(complaints)
}

fn find<'a>(sources: &'a [File], end: &str) -> anyhow::Result<&'a File> {
    sources.iter().find(|file| file.path.ends_with(end)).with_context(|| format!("there is no {end}"))
}

fn is_product_code(file: &File) -> bool {
    let path = file.path.to_string_lossy();
    file.is_rust() && path.contains("/backend/") && !path.contains("/tests")
}

fn compare(kind: &str, code: &BTreeSet<String>, document: &BTreeSet<String>) -> Vec<String> {
    let undocumented = code.difference(document).map(|name| missing(kind, name));
    let invented = document
        .difference(code)
        .map(|name| format!("PROTOCOL.md has the {kind} {name}, which does not exist"));
    undocumented.chain(invented).collect()
}

fn missing(kind: &str, name: &str) -> String {
    format!("PROTOCOL.md lacks the {kind} {name}")
}

/// Returns the requests below `api/` that a router answers, as method and path.
fn routed(source: &str) -> BTreeSet<String> {
    let mut requests = BTreeSet::new();
    for route in source.split(".route(").skip(1) {
        let Some((path, handlers)) = route.trim_start().strip_prefix("\"/").and_then(|it| it.split_once('"'))
        else {
            continue;
        };
        let handlers = balanced(handlers);
        let called = calls(balanced(handlers));
        let methods = METHODS.into_iter().filter(|method| called.contains(method));
        requests.extend(methods.map(|method| format!("{} api/{path}", method.to_uppercase())));
    }
    requests
}

/// Returns the names that stand before parentheses.
fn calls(code: &str) -> Vec<&str> {
    let before = code.split('(').filter(|before| !before.is_empty());
    before.filter_map(|before| identifiers(before).last().filter(|name| before.ends_with(*name))).collect()
}

/// Returns the beginning of a text up to the parenthesis that closes more than was opened.
fn balanced(text: &str) -> &str {
    let mut depth = 0_usize;
    for (at, char) in text.char_indices() {
        match char {
            '(' => depth += 1,
            ')' if depth == 0 => return &text[..at],
            ')' => depth -= 1,
            _ => {}
        }
    }
    text
}

/// Returns the requests in the first column of a table, such as `GET` or `POST api/health`.
fn documented_requests(document: &str) -> BTreeSet<String> {
    let mut requests = BTreeSet::new();
    for first_cell in document.lines().filter_map(cells).filter_map(|cells| cells.first().copied()) {
        let words: Vec<&str> = code_spans(first_cell).flat_map(|span| span.split(' ')).collect();
        let Some(path) = words.last().filter(|path| path.starts_with("api/")) else { continue };
        let methods = words.iter().filter(|word| METHODS.contains(&word.to_lowercase().as_str()));
        requests.extend(methods.map(|method| format!("{method} {path}")));
    }
    requests
}

/// Returns the names of messages in the table whose second column is a direction.
fn documented_messages(document: &str, direction: &str) -> BTreeSet<String> {
    let rows = document.lines().filter_map(cells).filter(|cells| {
        let column = cells.get(1).copied().unwrap_or_default();
        column.starts_with(direction) || column == BOTH
    });
    rows.flat_map(|cells| code_spans(cells[0]).map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Returns the constant `TYPES` of a type.
fn message_types(source: &str, message_type: &str) -> anyhow::Result<BTreeSet<String>> {
    let error = || format!("{message_type} lists no TYPES");
    let (_, methods) = source.split_once(&format!("impl {message_type} {{")).with_context(error)?;
    let (_, types) = methods.split_once("TYPES").with_context(error)?;
    let (types, _) = types.split_once("];").with_context(error)?;
    Ok(types.split('"').skip(1).step_by(2).map(str::to_owned).collect())
}

/// Returns the names of an enum's variants.
fn variants<'a>(source: &'a str, name: &str) -> anyhow::Result<Vec<&'a str>> {
    let (_, variants) = source
        .split_once(&format!("enum {name} {{\n"))
        .with_context(|| format!("there is no enum {name}"))?;
    let (variants, _) = variants.split_once("\n}").with_context(|| format!("{name} never ends"))?;
    let lines = variants.lines().filter(|line| !line.trim_start().starts_with(['/', '#']));
    Ok(lines.filter_map(|line| identifiers(line).next()).collect())
}

fn kebab_case(name: &str) -> String {
    let mut kebab = String::new();
    for char in name.chars() {
        if char.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(char.to_ascii_lowercase());
    }
    kebab
}

#[cfg(test)]
mod tests {
    use super::{super::file, *};

    const DOCUMENT: &str = "| request | body |\n|---|---|\n| `GET api/a` | |\n| `GET` or `POST api/b/{id}` | |\n\n\
        | type | direction | fields |\n|---|---|---|\n| `hello` | c→s, first | |\n| `ping`, `pong` | both | `t` |\n\
        | `exit` | s→c | |\n\n| 401 | `not-found` |\n";
    const ROUTER: &str =
        ".route(\"/a\", get(get_all))\n.route(\n    \"/b/{id}\",\n    get(api::put).post(post),\n)\n.put(x);";
    const MESSAGES: &str = "impl ClientMessage {\n    pub const TYPES: [&str; 3] =\n        [\"hello\", \"ping\", \"pong\"];\n}\n\
        impl ServerMessage {\n    pub const TYPES: [&str; 3] = [\"exit\", \"ping\", \"pong\"];\n}\n";
    const ERRORS: &str = "enum ErrorCode {\n    /// HTTP 404.\n    NotFound,\n}\n";

    fn complaints(document: &str) -> Vec<String> {
        let sources = [
            file("backend/web.rs", ROUTER),
            file("backend/tests.rs", ".route(\"/c\", get(c))"),
            file("shared/src/message.rs", MESSAGES),
            file("shared/src/error.rs", ERRORS),
        ];
        check(&file("PROTOCOL.md", document), &sources).unwrap()
    }

    #[test]
    fn a_complete_document_is_accepted() {
        assert!(complaints(DOCUMENT).is_empty(), "{:?}", complaints(DOCUMENT));
    }

    #[test]
    fn each_difference_is_found() {
        for (part, other, differences) in [
            ("`GET api/a`", "`POST api/a`", 2),
            ("`GET` or `POST api/b", "`POST api/b", 1),
            ("`hello`", "`hallo`", 2),
            ("both", "c→s", 2),
            ("not-found", "lost", 1),
        ] {
            assert_eq!(complaints(&DOCUMENT.replace(part, other)).len(), differences, "{part}");
        }
    }
}
