//! The program that runs in every session of every server, and the texts that it prints.

use std::{fs, path::PathBuf};

use anyhow::Context;
use tempfile::TempDir;

/// Mark that the program prints when it waits for a command.
pub(crate) const READY_MARK: &[u8] = b"=READY=";

/// Mark that the program prints after a command.
pub(crate) const END_MARK: &[u8] = b"=DONE=";

/// The last byte of every mark, which no other output contains.
pub(crate) const MARK_END: &[u8] = b"=";

/// Upper bound for the length of a mark in bytes.
pub(crate) const MAX_MARK_BYTES: usize = 16;

/// Script that executes its input line by line.
const SCRIPT: &str = "stty -echo\nprintf '=READY='\nwhile read -r line; do eval \"$line\"; done\n";

/// The kinds of text that are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    /// Short lines, about 16 characters each.
    Lines,
    /// Text with every word in a colour of its own.
    Coloured,
    /// Text in which most characters have several bytes.
    Utf8,
    /// Lines of 4,000 characters.
    Long,
    /// Lines with a single `y`.
    Yes,
}

impl Text {
    pub(crate) const ALL: [Self; 5] = [Self::Lines, Self::Coloured, Self::Utf8, Self::Long, Self::Yes];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Coloured => "coloured",
            Self::Utf8 => "utf8",
            Self::Long => "long",
            Self::Yes => "yes",
        }
    }

    /// Returns how many times as fast as short lines a pty carries this text. Texts are longer by
    /// this factor, so that all runs take about as long.
    const fn length_factor(self) -> usize {
        match self {
            Self::Lines | Self::Yes => 1,
            Self::Coloured | Self::Utf8 | Self::Long => 3,
        }
    }

    fn generate(self, len: usize) -> Vec<u8> {
        let mut rng = SeededRng(0x9e37_79b9_7f4a_7c15);
        let mut text = Vec::with_capacity(len + 64);
        while text.len() < len {
            self.add_line(&mut text, &mut rng);
        }
        text
    }

    fn add_line(self, text: &mut Vec<u8>, rng: &mut SeededRng) {
        match self {
            Self::Lines => (0..3).for_each(|_| rng.word(text)),
            Self::Coloured => {
                for _ in 0..12 {
                    text.extend(format!("\x1b[1;38;5;{}m", rng.below(256)).bytes());
                    rng.word(text);
                    text.extend(b"\x1b[0m");
                }
            }
            Self::Utf8 => {
                for _ in 0..30 {
                    let letters = ['ä', 'ж', 'λ', '日', '本', '─', '█', 'e', ' '];
                    let letter = letters[rng.below(letters.len())];
                    text.extend(letter.encode_utf8(&mut [0; 4]).bytes());
                }
            }
            Self::Long => (0..4000).for_each(|_| text.push(b'a' + rng.letter())),
            Self::Yes => text.push(b'y'),
        }
        text.push(b'\n');
    }
}

/// A pseudo-random number generator that yields the same numbers every time (xorshift).
struct SeededRng(u64);

impl SeededRng {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % end
    }

    fn letter(&mut self) -> u8 {
        u8::try_from(self.below(26)).unwrap_or(0)
    }

    fn word(&mut self, text: &mut Vec<u8>) {
        let len = 2 + self.below(6);
        (0..len).for_each(|_| text.push(b'a' + self.letter()));
        text.push(b' ');
    }
}

/// The program and the files that it prints, in a directory that is deleted with this value.
pub(crate) struct Workload {
    folder: TempDir,
}

/// A command that prints a text, and the number of bytes that come out of the pty, where every line
/// ends with two.
#[derive(Clone, Debug)]
pub(crate) struct PrintCommand {
    pub(crate) line: String,
    pub(crate) bytes: usize,
}

impl Workload {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let folder =
            TempDir::with_prefix("limpet-bench-").context("could not create a temporary directory")?;
        fs::write(folder.path().join("stage.sh"), SCRIPT)?;
        Ok(Self { folder })
    }

    /// Returns the program of every session.
    pub(crate) fn program(&self) -> Vec<String> {
        vec!["sh".to_owned(), self.path("stage.sh").display().to_string()]
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns a file with a text: `len` bytes for short lines, and for others as much as takes
    /// about as long.
    pub(crate) fn file(&self, text: Text, len: usize) -> anyhow::Result<PathBuf> {
        let len = len * text.length_factor();
        let path = self.path(&format!("{}-{len}", text.name()));
        if !path.exists() {
            let content = text.generate(len);
            fs::write(&path, content).with_context(|| format!("could not write {}", path.display()))?;
        }
        Ok(path)
    }

    /// Returns the command that prints as much of a text.
    pub(crate) fn print_command(&self, text: Text, len: usize) -> anyhow::Result<PrintCommand> {
        let path = self.file(text, len)?;
        let content = fs::read(&path)?;
        let newlines = memchr::memchr_iter(b'\n', &content).count();
        let (file, size) = (path.display(), content.len());
        let print = if text == Text::Yes { format!("yes | head -c {size}") } else { format!("cat {file}") };
        let line = format!("{print}; printf '=DO''NE='");
        Ok(PrintCommand { line, bytes: size + newlines + END_MARK.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_holds_a_mark() {
        for text in Text::ALL {
            let generated = text.generate(100_000);
            assert!(generated.len() >= 100_000 && !generated.contains(&b'='));
            assert_eq!(generated, text.generate(100_000), "it is the same every time");
        }
    }

    #[test]
    fn every_mark_ends_as_marks_do() {
        assert!(
            [READY_MARK, END_MARK]
                .iter()
                .all(|mark| mark.ends_with(MARK_END) && mark.len() <= MAX_MARK_BYTES)
        );
    }
}
