//! Words that GLOSSARY.md has replaced: in code, in comments, in names of files and in documents.

use std::path::Path;

use anyhow::ensure;

use super::{File, cells, code_spans, comment_of, identifiers};

/// The heading of the glossary's section about retired words.
const HEADING: &str = "## Retired words";

/// Extensions of sources with words of ours. Other files contain data.
const WRITTEN: [&str; 5] = ["rs", "mjs", "js", "css", "html"];

/// The words that are used no more.
#[derive(Debug, PartialEq)]
pub(super) struct RetiredWords<'a> {
    /// Words that appear nowhere, neither in text nor as a part of an identifier.
    words: Vec<&'a str>,
    /// Identifiers that no code has.
    names: Vec<&'a str>,
}

impl<'a> RetiredWords<'a> {
    /// Reads the first column of the glossary's table: what begins with a capital or contains an
    /// underscore is an identifier, and everything else a word.
    pub(super) fn parse(glossary: &'a str) -> anyhow::Result<Self> {
        let (_, section) = glossary.split_once(HEADING).unwrap_or_default();
        let rows = section.lines().take_while(|line| !line.starts_with("## ")).filter_map(cells);
        let retired = rows.flat_map(|cells| code_spans(cells[0]).collect::<Vec<_>>());
        let is_name =
            |word: &&str| word.contains('_') || word.starts_with(|char: char| char.is_ascii_uppercase());
        let (names, words): (Vec<_>, Vec<_>) = retired.partition(is_name);
        ensure!(!names.is_empty() && !words.is_empty(), "the glossary lists no retired words");
        Ok(Self { words, names })
    }

    /// Finds the word that an identifier or a word of a text consists of or contains.
    fn find_word(&self, identifier: &str) -> Option<&'a str> {
        let mut parts = parts(identifier).map(str::to_lowercase);
        parts.find_map(|part| {
            let is_part = |word: &&&str| part == **word || part.strip_suffix('s') == Some(**word);
            self.words.iter().find(is_part).copied()
        })
    }

    fn find_name(&self, identifier: &str) -> Option<&'a str> {
        self.names.iter().find(|name| **name == identifier).copied()
    }
}

/// Checks sources and documents. The glossary's own section names what is retired.
pub(super) fn check(retired: &RetiredWords<'_>, sources: &[File], documents: &[File]) -> Vec<String> {
    let written = sources.iter().filter(|file| file.has_extension(&WRITTEN) && !is_own(&file.path));
    let mut found: Vec<String> = written.flat_map(|file| check_source(retired, file)).collect();
    found.extend(documents.iter().flat_map(|file| check_document(retired, file)));
    found
}

/// Reports whether a file is part of this check, whose tests contain retired words.
fn is_own(path: &Path) -> bool {
    path.ends_with(file!())
}

fn check_source(retired: &RetiredWords<'_>, file: &File) -> Vec<String> {
    let stem = file.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let of_path = retired.find_word(stem).map(|word| complaint(&file.path.display().to_string(), word));
    let of_lines = file.lines().filter_map(|(place, line)| {
        let word = identifiers(line).find_map(|identifier| retired.find_word(identifier));
        let name = || identifiers(&code_of(line)).find_map(|identifier| retired.find_name(identifier));
        word.or_else(name).map(|word| complaint(&place, word))
    });
    of_path.into_iter().chain(of_lines).collect()
}

fn check_document(retired: &RetiredWords<'_>, file: &File) -> Vec<String> {
    let (before, _) = file.text.split_once(HEADING).unwrap_or((&file.text, ""));
    let mut complaints = Vec::new();
    for (number, line) in (1..).zip(before.lines()) {
        let word = identifiers(line).find_map(|word| retired.find_word(word));
        let name = || code_spans(line).flat_map(identifiers).find_map(|name| retired.find_name(name));
        complaints.extend(word.or_else(name).map(|word| complaint(&file.place(number), word)));
    }
    complaints
}

fn complaint(place: &str, word: &str) -> String {
    format!("{place}: see GLOSSARY.md for {word}")
}

/// Returns a line without comments that fill it and without texts.
fn code_of(line: &str) -> String {
    let code = if comment_of(line).is_none() { line } else { "" };
    code.split('"').step_by(2).collect()
}

/// Returns the words that an identifier in any case consists of.
fn parts(identifier: &str) -> impl Iterator<Item = &str> {
    identifier.split(['_', '-', '.']).flat_map(|snake| {
        let mut rest = snake;
        std::iter::from_fn(move || {
            let is_start = |(at, char): &(usize, char)| *at > 0 && char.is_uppercase();
            let end = rest.char_indices().find(is_start).map_or(rest.len(), |(at, _)| at);
            let (part, after) = rest.split_at(end);
            rest = after;
            Some(part).filter(|part| !part.is_empty())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{super::file, *};

    const GLOSSARY: &str = "`pile`\n## Retired words\n\nText.\n\n| retired | instead |\n|---|---|\n\
        | `pile`, `inlet` | backlog |\n| `Keeping`, `MOST` | |\n\n## Next\n| `other` | |\n";

    fn complaints(name: &str, text: &str) -> Vec<String> {
        let retired = RetiredWords::parse(GLOSSARY).unwrap();
        let files = [file(name, text)];
        if files[0].has_extension(&["md"]) {
            check(&retired, &[], &files)
        } else {
            check(&retired, &files, &[])
        }
    }

    #[test]
    fn the_glossary_lists_retired_words() {
        let retired = RetiredWords::parse(GLOSSARY).unwrap();
        assert_eq!(retired, RetiredWords { words: vec!["pile", "inlet"], names: vec!["Keeping", "MOST"] });
        assert!(RetiredWords::parse("# Glossary").is_err());
    }

    #[test]
    fn words_are_found_everywhere() {
        for text in ["a_pile", "struct OldPile;", "// Piles.", "\"an inlet\"", "pile.rs"] {
            assert_eq!(complaints("a.rs", text).len(), 1, "{text}");
            assert_eq!(complaints("a.md", text).len(), 1, "{text}");
        }
        assert_eq!(complaints("session/pile.rs", ""), ["/x/session/pile.rs: see GLOSSARY.md for pile"]);
        assert!(complaints("a.rs", "compile, piled, Piling").is_empty());
        assert!(complaints("GLOSSARY.md", GLOSSARY.trim_start_matches("`pile`")).is_empty());
    }

    #[test]
    fn names_are_found_in_code() {
        assert_eq!(complaints("a.rs", "struct Keeping;\nconst MOST: u8 = 1;").len(), 2);
        assert_eq!(complaints("a.md", "`Keeping`").len(), 1);
        assert!(complaints("a.rs", "// Keeping.\nlet keeping = \"Keeping\"; at_most").is_empty());
        assert!(complaints("a.md", "Keeping `keeping`").is_empty());
    }
}
