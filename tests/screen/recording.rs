//! Recordings of real programs, as asciicast files (version 2).

use std::{fs, path::Path};

use limpet_shared::Winsize;
use serde::Deserialize;

use crate::stream::{Step, Stream};

#[derive(Deserialize)]
struct Header {
    width: u16,
    height: u16,
}

/// Returns all recordings with their names.
pub(crate) fn all() -> Vec<(String, Stream)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/screen/recordings");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "there are recordings");
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), parse(&fs::read_to_string(path).unwrap()))).collect()
}

fn parse(text: &str) -> Stream {
    let mut lines = text.lines();
    let header: Header = serde_json::from_str(lines.next().unwrap()).unwrap();
    let mut steps = Vec::new();
    for line in lines {
        let (_, kind, data): (f64, String, String) = serde_json::from_str(line).unwrap();
        match (kind.as_str(), steps.last_mut()) {
            ("o", Some(Step::Output(before))) => before.extend_from_slice(data.as_bytes()),
            ("o", _) => steps.push(Step::Output(data.into_bytes())),
            ("r", _) => {
                let (columns, rows) = data.split_once('x').unwrap();
                steps.push(Step::Resize(Winsize::cells(columns.parse().unwrap(), rows.parse().unwrap())));
            }
            _ => {}
        }
    }
    Stream { size: Winsize::cells(header.width, header.height), steps }
}
