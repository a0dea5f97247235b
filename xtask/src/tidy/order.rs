//! The order of a Rust file: the modules in files of their own, each group of them from A to Z,
//! then the imports, then everything else. The module `tests` may also stand at the end.

use super::File;

/// Checks the order of every Rust file.
pub(super) fn check(sources: &[File]) -> Vec<String> {
    sources.iter().filter(|file| file.is_rust()).flat_map(check_file).collect()
}

/// A part of a file. The parts follow each other in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Modules,
    Imports,
    Items,
}

fn check_file(file: &File) -> Vec<String> {
    let mut complaints = Vec::new();
    let (mut reached, mut last_module) = (Part::Modules, "");
    for (place, line) in file.lines() {
        if line.is_empty() {
            last_module = "";
        }
        let Some(part) = part_of(line) else { continue };
        if part < reached {
            complaints.push(format!("{place}: {part:?} come before {reached:?}"));
        }
        reached = reached.max(part);
        if let Some(module) = declared_module(line) {
            if module < last_module {
                complaints.push(format!("{place}: {module} comes before {last_module}"));
            }
            last_module = module;
        }
    }
    complaints
}

/// Returns the part that an item belongs to which begins with this line. Indented lines belong to
/// items that began before. Reexports stand beside imports.
fn part_of(line: &str) -> Option<Part> {
    if declared_module(line).is_some() {
        return Some(Part::Modules);
    }
    let item = without_visibility(line);
    let begins_with = |keywords: &[&str]| keywords.iter().any(|keyword| item.starts_with(keyword));
    if begins_with(&["use ", "extern crate "]) {
        Some(Part::Imports)
    } else if begins_with(&[
        "const ", "static ", "struct ", "enum ", "trait ", "impl", "fn ", "async ", "type ",
    ]) {
        Some(Part::Items)
    } else {
        None
    }
}

/// Returns the name of a module in a file of its own that a line declares, other than `tests`.
fn declared_module(line: &str) -> Option<&str> {
    without_visibility(line).strip_prefix("mod ")?.strip_suffix(';').filter(|name| *name != "tests")
}

fn without_visibility(line: &str) -> &str {
    let Some(rest) = line.strip_prefix("pub") else { return line };
    let rest = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(rest, |(_, rest)| rest);
    rest.strip_prefix(' ').unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::{super::file, *};

    fn complaints(text: &str) -> usize {
        check(&[file("a.rs", text)]).len()
    }

    #[test]
    fn modules_imports_and_items_follow_each_other() {
        assert_eq!(
            complaints(
                "mod a;\npub mod b;\n\npub use a::A;\nuse b::B;\n\nfn c() {\n    use d;\n}\nmod tests;\n"
            ),
            0
        );
        assert_eq!(complaints("use b::B;\nmod a;\n"), 1);
        assert_eq!(complaints("struct C;\npub(crate) use b::B;\n"), 1);
        assert_eq!(complaints("const C: u8 = 1;\nmod a;\n"), 1);
    }

    #[test]
    fn modules_are_sorted() {
        assert_eq!(complaints("mod b;\nmod a;\n"), 1);
        assert_eq!(complaints("mod b;\nmod tests;\nmod c;\n\nmod a;\n"), 0);
    }
}
