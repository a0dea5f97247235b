//! Shrinking a stream that shows a difference, for debugging.

use limpet_shared::Winsize;

use crate::stream::{Step, Stream};

/// A piece of a stream: a character, a control function or a size.
#[derive(Clone, Debug)]
enum Piece {
    Text(Vec<u8>),
    Resize(Winsize),
    /// The position where the stream is cut.
    Cut,
}

/// Removes pieces as long as `differs` holds, which gets a stream and the offset of the cut.
pub(crate) fn shrink(stream: &Stream, cut: usize, mut differs: impl FnMut(&Stream, usize) -> bool) -> String {
    let mut pieces = take_apart(stream, cut);
    let mut size = pieces.len();
    while size > 0 {
        let mut at = 0;
        while at < pieces.len() {
            let end = (at + size).min(pieces.len());
            let mut fewer = pieces.clone();
            let taken: Vec<Piece> = fewer.drain(at..end).collect();
            if taken.iter().any(|piece| matches!(piece, Piece::Cut)) {
                fewer.insert(at, Piece::Cut);
            }
            let (smaller, cut) = put_together(stream.size, &fewer);
            if fewer.len() < pieces.len() && differs(&smaller, cut) {
                pieces = fewer;
            } else {
                at = end;
            }
        }
        size /= 2;
    }
    describe(stream.size, &pieces)
}

fn take_apart(stream: &Stream, cut: usize) -> Vec<Piece> {
    let (mut pieces, mut offset, mut is_cut) = (Vec::new(), 0, false);
    for step in &stream.steps {
        match step {
            Step::Resize(size) => pieces.push(Piece::Resize(*size)),
            Step::Output(bytes) => {
                for text in parts(bytes) {
                    if offset >= cut && !is_cut {
                        is_cut = true;
                        pieces.push(Piece::Cut);
                    }
                    offset += text.len();
                    pieces.push(Piece::Text(text));
                }
            }
        }
    }
    if !is_cut {
        pieces.push(Piece::Cut);
    }
    pieces
}

/// Splits output into characters and whole escape sequences. Bytes that are not UTF-8 are split one
/// by one.
fn parts(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid().chars().peekable();
        while let Some(char) = rest.next() {
            let mut part = String::from(char);
            if char == '\x1b' {
                let kind = rest.next();
                part.extend(kind);
                let ends = |char: char| match kind {
                    Some('[') => ('@'..='~').contains(&char),
                    Some(']') => char == '\x07' || char == '\\',
                    _ => true,
                };
                if matches!(kind, Some('[' | ']' | '(' | ')' | '#')) {
                    for char in rest.by_ref() {
                        part.push(char);
                        if ends(char) {
                            break;
                        }
                    }
                }
            }
            parts.push(part.into_bytes());
        }
        parts.extend(chunk.invalid().iter().map(|&byte| vec![byte]));
    }
    parts
}

fn put_together(size: Winsize, pieces: &[Piece]) -> (Stream, usize) {
    let (mut steps, mut output, mut length, mut cut) = (Vec::new(), Vec::new(), 0, 0);
    for piece in pieces {
        match piece {
            Piece::Text(text) => {
                length += text.len();
                output.extend_from_slice(text);
            }
            Piece::Resize(size) => {
                steps.push(Step::Output(std::mem::take(&mut output)));
                steps.push(Step::Resize(*size));
            }
            Piece::Cut => cut = length,
        }
    }
    steps.push(Step::Output(output));
    steps.retain(|step| !matches!(step, Step::Output(bytes) if bytes.is_empty()));
    (Stream { size, steps }, cut)
}

fn describe(size: Winsize, pieces: &[Piece]) -> String {
    let pieces = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => text.escape_ascii().to_string(),
        Piece::Resize(size) => format!(" <{}x{}> ", size.cols, size.rows),
        Piece::Cut => " <CUT> ".to_owned(),
    });
    format!("{}x{}: {}", size.cols, size.rows, pieces.collect::<String>())
}
