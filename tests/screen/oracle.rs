//! The real terminal, in a Node.js process.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use limpet_shared::{
    Winsize,
    limits::{MAX_CLUSTER_CHARS, MAX_LINK_ID_BYTES, MAX_LINK_URI_BYTES},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::stream::{Step, Stream};

/// The name of a difference, and the values of both sides.
#[derive(Debug, Deserialize)]
pub(crate) struct Difference(pub(crate) String, pub(crate) Value, pub(crate) Value);

/// The Node.js process.
pub(crate) struct Oracle {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    pub(crate) fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/screen/oracle.mjs");
        let mut child = Command::new("node")
            .arg(script)
            .args([MAX_CLUSTER_CHARS, MAX_LINK_URI_BYTES, MAX_LINK_ID_BYTES].map(|limit| limit.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node.js runs xterm.js");
        let requests = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, requests, answers }
    }

    /// Compares two terminals, of which the second begins with a size of its own.
    pub(crate) fn compare(
        &mut self,
        size: Winsize,
        scrollback: usize,
        left: &[Step],
        right_size: Winsize,
        right: &[Step],
    ) -> Vec<Difference> {
        let resize = [Step::Resize(right_size)];
        let right: Vec<Value> = resize.iter().chain(right).map(encode).collect();
        let left: Vec<Value> = left.iter().map(encode).collect();
        let request = json!({
            "cols": size.cols, "rows": size.rows, "scrollback": scrollback, "left": left, "right": right,
        });
        self.ask(&request)
    }

    /// Returns a terminal's answers to the queries in a stream.
    pub(crate) fn answers(&mut self, stream: &Stream) -> String {
        let Stream { size, steps } = stream;
        let steps: Vec<Value> = steps.iter().map(encode).collect();
        self.ask(&json!({ "cols": size.cols, "rows": size.rows, "scrollback": 50, "steps": steps }))
    }

    /// Returns the final text of a terminal: its rows without trailing blanks, and the cursor's
    /// column and row.
    pub(crate) fn text(&mut self, stream: &Stream, scrollback: usize) -> (Vec<String>, (u16, u16)) {
        let Stream { size, steps } = stream;
        let steps: Vec<Value> = steps.iter().map(encode).collect();
        self.ask(&json!({ "cols": size.cols, "rows": size.rows, "scrollback": scrollback, "text": steps }))
    }

    fn ask<T: DeserializeOwned>(&mut self, request: &Value) -> T {
        writeln!(self.requests, "{request}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn encode(step: &Step) -> Value {
    match step {
        Step::Output(bytes) => json!(["o", BASE64_STANDARD.encode(bytes)]),
        Step::Resize(size) => json!(["r", size.cols, size.rows]),
    }
}
