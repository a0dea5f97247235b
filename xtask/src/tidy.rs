//! Checks of the sources that neither compilers nor linters make: language, order, and documents
//! that say the same as the code.

mod comments;
mod documents;
mod order;
mod protocol;
mod words;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use self::words::RetiredWords;
use crate::workspace::Workspace;

/// Directories whose sources are checked.
const SOURCE_DIRS: [&str; 5] = ["backend", "frontend", "shared", "tests", "xtask"];

/// Directories of other people's and generated files.
const SKIPPED_DIRS: [&str; 4] = ["node_modules", "target", "dist", "artifacts"];

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
        if has_extension(&path, &["md"]) {
            documents.push(File::read(&path)?);
        }
    }
    let glossary = File::read(&workspace.path("GLOSSARY.md"))?;
    let contract = File::read(&workspace.path("PROTOCOL.md"))?;
    let complaints = [
        comments::check(&sources),
        words::check(&RetiredWords::parse(&glossary.text)?, &sources, &documents),
        order::check(&sources),
        documents::check(&documents, &sources),
        protocol::check(&contract, &sources)?,
    ]
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

    fn is_rust(&self) -> bool {
        self.has_extension(&["rs"])
    }

    /// Returns the lines, each with its place.
    fn lines(&self) -> impl Iterator<Item = (String, &str)> {
        (1..).zip(self.text.lines()).map(|(number, line)| (self.place(number), line))
    }

    /// Returns the place of a line, counted from 1, as editors understand it.
    fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
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

/// Returns the text of a line that is a comment and nothing else.
fn comment_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let text =
        line.strip_prefix("//").or_else(|| line.strip_prefix("/*")).or_else(|| line.strip_prefix("* "))?;
    Some(text.trim_start_matches(['/', '!', '*']).trim())
}

fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !char.is_alphanumeric() && char != '_').filter(|name| !name.is_empty())
}

/// Returns the texts between backticks.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Returns the cells of a table's row.
fn cells(line: &str) -> Option<Vec<&str>> {
    let row = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(row.split('|').map(str::trim).collect())
}

#[cfg(test)]
fn file(name: &str, text: &str) -> File {
    File { path: Path::new("/x").join(name), text: text.to_owned() }
}
