//! Checks the language of the sources: what compilers and linters do not see.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use crate::workspace::Workspace;

/// Directories whose sources are checked.
const SOURCE_DIRS: [&str; 5] = ["backend", "frontend", "shared", "tests", "xtask"];

/// Directories of other people's and generated files.
const SKIPPED_DIRS: [&str; 4] = ["node_modules", "target", "dist", "artifacts"];

/// Extensions of files whose comments are checked.
const COMMENTED: [&str; 5] = ["rs", "mjs", "js", "css", "c"];

/// Maximum width of a comment line, in columns.
const MAX_COMMENT_COLUMNS: usize = 100;

/// Comments that begin so often lack a subject. They may be this share of all comment lines.
const RIDDLES: [&str; 6] = ["What", "Who", "Whether", "Where", "How", "One"];
const MAX_RIDDLES_PERCENT: usize = 4;

/// Names of types and modules that the glossary has replaced.
const RETIRED: [&str; 32] = [
    "Beginning",
    "Begun",
    "Copies",
    "Doubt",
    "Estate",
    "Farewell",
    "Followed",
    "Inlet",
    "Keeping",
    "Lane",
    "Leftovers",
    "Links",
    "Living",
    "Onlooker",
    "Pictures",
    "Pile",
    "Presence",
    "Pulse",
    "Seats",
    "Visitor",
    "COMPANY",
    "GLANCE",
    "LABOUR",
    "MOST",
    "MUCH",
    "PATIENCE",
    "UNTAKEN",
    "distrust",
    "glimpse",
    "inlet",
    "leave_behind",
    "pile",
];

/// Constants of the operating system that documents name.
const FOREIGN_CONSTANTS: [&str; 2] = ["PR_SET_CHILD_SUBREAPER", "SCHED_BATCH"];

/// Fails with a list of everything that is not as it should be.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let mut sources = Vec::new();
    for dir in SOURCE_DIRS {
        read_files(&workspace.path(dir), &mut sources)?;
    }
    let mut documents = Vec::new();
    read_files(&workspace.path("docs"), &mut documents)?;
    for entry in fs::read_dir(workspace.path("."))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            documents.push(File::read(&path)?);
        }
    }
    let complaints =
        [check_comments(&sources), check_retired_names(&sources), check_documents(&documents, &sources)]
            .concat();
    if !complaints.is_empty() {
        bail!("the sources are not tidy:\n{}", complaints.join("\n"));
    }
    Ok(())
}

/// A text file.
struct File {
    path: PathBuf,
    text: String,
}

impl File {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
        Ok(Self { path: path.to_owned(), text: String::from_utf8_lossy(&text).into_owned() })
    }

    fn has_extension(&self, extensions: &[&str]) -> bool {
        has_extension(&self.path, extensions)
    }
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| extensions.contains(&extension))
}

fn read_files(dir: &Path, files: &mut Vec<File>) -> anyhow::Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("could not read {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            if !SKIPPED_DIRS.iter().any(|skipped| path.ends_with(skipped)) {
                read_files(&path, files)?;
            }
        } else {
            files.push(File::read(&path)?);
        }
    }
    Ok(())
}

/// Checks the width of comments, and the share of those that begin with a riddle.
fn check_comments(sources: &[File]) -> Vec<String> {
    let (mut complaints, mut riddles, mut total) = (Vec::new(), Vec::new(), 0);
    for file in sources.iter().filter(|file| file.has_extension(&COMMENTED)) {
        for (number, line) in (1..).zip(file.text.lines()) {
            let Some(comment) = comment_of(line) else { continue };
            total += 1;
            let place = format!("{}:{number}", file.path.display());
            if line.chars().count() > MAX_COMMENT_COLUMNS && !comment.contains("://") {
                complaints.push(format!("{place}: a comment has at most {MAX_COMMENT_COLUMNS} columns"));
            }
            if RIDDLES.contains(&comment.split(' ').next().unwrap_or_default()) {
                riddles.push(format!("{place}: {comment}"));
            }
        }
    }
    if riddles.len() * 100 > total * MAX_RIDDLES_PERCENT {
        complaints.push(format!("too many comments begin with {}:", RIDDLES.join(", ")));
        complaints.append(&mut riddles);
    }
    complaints
}

/// Returns the text of a line that is a comment and nothing else.
fn comment_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let text =
        line.strip_prefix("//").or_else(|| line.strip_prefix("/*")).or_else(|| line.strip_prefix("* "))?;
    Some(text.trim_start_matches(['/', '!', '*']).trim())
}

fn check_retired_names(sources: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    let own = Path::new(file!()).file_name();
    for file in sources.iter().filter(|file| file.has_extension(&["rs"]) && file.path.file_name() != own) {
        for (number, line) in (1..).zip(file.text.lines()).filter(|(_, line)| comment_of(line).is_none()) {
            let code: String = line.split('"').step_by(2).collect();
            for name in identifiers(&code).filter(|name| RETIRED.contains(name)) {
                complaints.push(format!("{}:{number}: see GLOSSARY.md for {name}", file.path.display()));
            }
        }
    }
    complaints
}

/// Checks that the constants and files that documents name exist.
fn check_documents(documents: &[File], sources: &[File]) -> Vec<String> {
    let known: HashSet<&str> = sources.iter().flat_map(|file| identifiers(&file.text)).collect();
    let paths: Vec<String> = sources.iter().map(|file| file.path.display().to_string()).collect();
    let mut complaints = Vec::new();
    for file in documents {
        for name in file.text.split('`').skip(1).step_by(2) {
            let is_constant = name.len() > 3
                && name.contains('_')
                && name.chars().all(|char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_');
            let is_missing = if is_constant {
                !known.contains(name) && !FOREIGN_CONSTANTS.contains(&name)
            } else if has_extension(Path::new(name), &["rs"]) && !name.contains([' ', '*', '{']) {
                !paths.iter().any(|path| path.ends_with(&format!("/{name}")))
            } else {
                false
            };
            if is_missing {
                complaints.push(format!("{}: there is no {name}", file.path.display()));
            }
        }
    }
    complaints
}

fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !char.is_alphanumeric() && char != '_').filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> File {
        File { path: Path::new("/x").join(name), text: text.to_owned() }
    }

    #[test]
    fn wide_comments_and_riddles_are_found() {
        let wide = file("a.rs", &format!("/// {}\nlet code = 1; // {}\n", "x".repeat(100), "x".repeat(200)));
        assert_eq!(check_comments(&[wide]), ["/x/a.rs:1: a comment has at most 100 columns"]);
        let plain = "/// Returns it.\n".repeat(100);
        let with_riddles = |count| file("b.css", &(plain.clone() + &"/* Who comes. */\n".repeat(count)));
        assert!(check_comments(&[with_riddles(4)]).is_empty());
        assert_eq!(check_comments(&[with_riddles(5)]).len(), 6);
    }

    #[test]
    fn retired_names_are_found_in_code_alone() {
        let code = file("a.rs", "// A Visitor.\nlet a = \"Visitor\";\nstruct Visitor;\nstruct Visitors;\n");
        assert_eq!(check_retired_names(&[code]), ["/x/a.rs:3: see GLOSSARY.md for Visitor"]);
    }

    #[test]
    fn names_that_documents_alone_have_are_found() {
        let document =
            file("a.md", "`MAX_A`, `MAX_B`, `session/a.rs`, `b.rs`, `GET`, `PR_SET_CHILD_SUBREAPER`");
        let sources = [file("session/a.rs", "const MAX_A: u8 = 1;")];
        let complaints = check_documents(&[document], &sources);
        assert_eq!(complaints, ["/x/a.md: there is no MAX_B", "/x/a.md: there is no b.rs"]);
    }
}
