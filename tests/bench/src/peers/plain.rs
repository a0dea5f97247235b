//! The floors: nothing but bytes.

use crate::{
    viewer::{Dialect, Output},
    wire::Opcode,
};

pub(super) struct Plain;

/// They say where they listen, and have no secret.
#[expect(clippy::unnecessary_wraps, reason = "others may have said nonsense")]
pub(super) fn ready(line: &str) -> anyhow::Result<(String, String)> {
    Ok((line.to_owned(), String::new()))
}

impl Dialect for Plain {
    fn output(&mut self, _: Opcode, _: &[u8], _: &mut Vec<u8>) -> Output {
        Output::From(0)
    }

    fn input(&mut self, bytes: &[u8]) -> (Opcode, Vec<u8>) {
        (Opcode::Binary, bytes.to_vec())
    }
}
