//! Documents: the files and constants that they name.

use std::{collections::HashSet, path::Path};

use super::{File, code_spans, has_extension, identifiers};

/// Constants of the operating system that documents name.
const FOREIGN_CONSTANTS: [&str; 2] = ["PR_SET_CHILD_SUBREAPER", "SCHED_BATCH"];

/// Checks that the constants and source files that documents name exist.
pub(super) fn check(documents: &[File], sources: &[File]) -> Vec<String> {
    let known: HashSet<&str> = sources.iter().flat_map(|file| identifiers(&file.text)).collect();
    let paths: Vec<String> = sources.iter().map(|file| file.path.display().to_string()).collect();
    let exists = |name: &str| {
        if is_constant(name) {
            known.contains(name) || FOREIGN_CONSTANTS.contains(&name)
        } else if is_source(name) {
            paths.iter().any(|path| path.ends_with(&format!("/{name}")))
        } else {
            true
        }
    };
    let mut complaints = Vec::new();
    for file in documents {
        for name in code_spans(&file.text).filter(|name| !exists(name)) {
            complaints.push(format!("{}: there is no {name}", file.path.display()));
        }
    }
    complaints
}

fn is_constant(name: &str) -> bool {
    let is_upper = |char: char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_';
    name.len() > 3 && name.contains('_') && name.chars().all(is_upper)
}

fn is_source(name: &str) -> bool {
    has_extension(Path::new(name), &["rs"]) && !name.contains([' ', '*', '{', '<'])
}

#[cfg(test)]
mod tests {
    use super::{super::file, *};

    #[test]
    fn names_that_documents_alone_have_are_found() {
        let document =
            file("a.md", "`MAX_A`, `MAX_B`, `session/a.rs`, `b.rs`, `GET`, `PR_SET_CHILD_SUBREAPER`");
        let sources = [file("session/a.rs", "const MAX_A: u8 = 1;")];
        let complaints = check(&[document], &sources);
        assert_eq!(complaints, ["/x/a.md: there is no MAX_B", "/x/a.md: there is no b.rs"]);
    }
}
