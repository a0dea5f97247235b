//! Comments: their width, and the words that they begin with.

use super::{File, comment_of};

/// Extensions of files whose comments are checked.
const COMMENTED: [&str; 5] = ["rs", "mjs", "js", "css", "c"];

/// Maximum width of a comment line, in columns.
const MAX_COLUMNS: usize = 100;

/// Comments that begin so lack a subject. No doc comment may, and of all comment lines, which may
/// begin with any word of a sentence, only this share.
const RIDDLES: [&str; 6] = ["What", "Who", "Whether", "Where", "How", "One"];
const MAX_RIDDLES_PERCENT: usize = 4;

/// First words of functions' doc comments that are no verbs in the third person. `Like` refers to
/// another function.
const OTHER_FIRST_WORDS: [&str; 1] = ["Like"];

/// Checks all comments.
pub(super) fn check(sources: &[File]) -> Vec<String> {
    let commented: Vec<&File> = sources.iter().filter(|file| file.has_extension(&COMMENTED)).collect();
    let doc_comments = sources.iter().filter(|file| file.is_rust()).flat_map(check_doc_comments);
    [check_width(&commented), check_riddles(&commented), doc_comments.collect()].concat()
}

fn check_width(sources: &[&File]) -> Vec<String> {
    let lines = sources.iter().flat_map(|file| file.lines());
    let wide = lines.filter(|(_, line)| {
        let is_comment = comment_of(line).is_some_and(|comment| !comment.contains("://"));
        is_comment && line.chars().count() > MAX_COLUMNS
    });
    wide.map(|(place, _)| format!("{place}: a comment has at most {MAX_COLUMNS} columns")).collect()
}

fn check_riddles(sources: &[&File]) -> Vec<String> {
    let lines = sources.iter().flat_map(|file| file.lines());
    let comments: Vec<_> = lines.filter_map(|(place, line)| Some((place, comment_of(line)?))).collect();
    let riddles: Vec<_> = comments.iter().filter(|(_, comment)| is_riddle(comment)).collect();
    if riddles.len() * 100 <= comments.len() * MAX_RIDDLES_PERCENT {
        return Vec::new();
    }
    let complaint = format!("too many comments begin with {}:", RIDDLES.join(", "));
    let riddles = riddles.into_iter().map(|(place, comment)| format!("{place}: {comment}"));
    std::iter::once(complaint).chain(riddles).collect()
}

fn is_riddle(comment: &str) -> bool {
    RIDDLES.contains(&first_word(comment))
}

fn first_word(comment: &str) -> &str {
    comment.split(' ').next().unwrap_or_default()
}

/// Checks that no doc comment begins with a riddle, and that those of functions begin with a verb
/// in the third person.
fn check_doc_comments(file: &File) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut lines = file.lines().peekable();
    while let Some((place, line)) = lines.next() {
        let Some(comment) = doc_comment_of(line) else { continue };
        if is_riddle(comment) {
            complaints.push(format!("{place}: a doc comment begins with a noun or a verb, not: {comment}"));
        }
        let mut is_exempt = false;
        while let Some((_, line)) = lines.next_if(|(_, line)| is_doc_or_attribute(line)) {
            is_exempt |= is_exempting(line);
        }
        let has_body = lines.peek().is_some_and(|(_, line)| is_function(line) && !line.ends_with(';'));
        if has_body && !is_exempt && !is_verb(first_word(comment)) {
            complaints.push(format!("{place}: a function's doc comment begins with a verb, not: {comment}"));
        }
    }
    complaints
}

fn doc_comment_of(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("///").map(str::trim)
}

fn is_doc_or_attribute(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("///") || line.starts_with("#[")
}

/// Reports whether a line is the attribute of a component, which is described as a thing, or of a
/// test, which is described as a fact.
fn is_exempting(line: &str) -> bool {
    let attribute = line.trim_start().strip_prefix("#[");
    attribute.is_some_and(|attribute| attribute.starts_with("component") || attribute.contains("test"))
}

fn is_function(line: &str) -> bool {
    let mut words = line.trim_start().split([' ', '(']);
    let qualifiers = ["pub", "const", "async", "unsafe"];
    let is_qualifier = |word: &str| qualifiers.contains(&word) || word.ends_with(')') || word == "super";
    words.find(|word| !is_qualifier(word)) == Some("fn")
}

/// Reports whether a word can be a verb in the third person, or the name of a control function, as
/// which the emulation's functions are known.
fn is_verb(word: &str) -> bool {
    let word = word.trim_end_matches([',', ':', '.', ';']);
    let is_control_function = word.len() > 1 && word.chars().all(|char| char.is_ascii_uppercase());
    word.ends_with('s') || is_control_function || OTHER_FIRST_WORDS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::{super::file, *};

    #[test]
    fn wide_comments_are_found() {
        let wide = file("a.rs", &format!("/// {}\nlet code = 1; // {}\n", "x".repeat(100), "x".repeat(200)));
        assert_eq!(check(&[wide]), ["/x/a.rs:1: a comment has at most 100 columns"]);
    }

    #[test]
    fn some_comment_lines_may_be_riddles() {
        let plain = "/// Returns it.\n".repeat(100);
        let with_riddles = |count| file("b.css", &(plain.clone() + &"/* Who comes. */\n".repeat(count)));
        assert!(check(&[with_riddles(4)]).is_empty());
        assert_eq!(check(&[with_riddles(5)]).len(), 6);
    }

    #[test]
    fn doc_comments_are_no_riddles() {
        let plain = "// Plain.\n".repeat(100);
        let riddle = file("a.rs", &(plain + "/// Whether it is so.\nis: bool,\n"));
        assert_eq!(check(&[riddle]).len(), 1);
    }

    #[test]
    fn functions_are_described_by_verbs() {
        let is_tidy =
            |comment: &str, item: &str| check(&[file("a.rs", &format!("{comment}\n{item}\n"))]).is_empty();
        for item in
            ["fn a() {", "pub(super) const fn a() {", "    pub(crate) async fn a(", "#[must_use]\nfn a() {"]
        {
            assert!(is_tidy("/// Returns it.", item), "{item}");
            assert!(is_tidy("/// CUP: moves the cursor.", item), "{item}");
            assert!(!is_tidy("/// The thing.", item), "{item}");
        }
        for item in [
            "#[component]\nfn A() {",
            "#[tokio::test]\nasync fn a() {",
            "fn imported(&self);",
            "struct Fn;",
            "fns: usize,",
        ] {
            assert!(is_tidy("/// The thing.", item), "{item}");
        }
    }
}
