//! `GoTTY`: a digit gives the type of a message; output is in Base64.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    viewer::{Output, Protocol},
    wire::Opcode,
};

pub(super) struct Gotty;

pub(super) fn arguments(port: u16, program: &[String]) -> Vec<String> {
    let port = port.to_string();
    let flags = ["--address", "127.0.0.1", "--port", &port, "--permit-write"].map(str::to_owned);
    [&flags[..], program].concat()
}

impl Protocol for Gotty {
    fn greeting(&mut self) -> Vec<(Opcode, Vec<u8>)> {
        let size = br#"3{"columns":80,"rows":24}"#;
        vec![(Opcode::Text, br#"{"Arguments":"","AuthToken":""}"#.to_vec()), (Opcode::Text, size.to_vec())]
    }

    fn output(&mut self, _: Opcode, message: &[u8], decoded: &mut Vec<u8>) -> Output {
        decoded.clear();
        match message.split_first() {
            Some((b'1', text)) if STANDARD.decode_vec(text, decoded).is_ok() => Output::Decoded,
            _ => Output::Nothing,
        }
    }

    fn input(&mut self, bytes: &[u8]) -> (Opcode, Vec<u8>) {
        (Opcode::Text, [b"1", bytes].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_decoded_and_the_rest_is_none() {
        let mut decoded = Vec::new();
        assert_eq!(Gotty.output(Opcode::Text, b"1aGVsbG8=", &mut decoded), Output::Decoded);
        assert_eq!(decoded, b"hello");
        assert_eq!(Gotty.output(Opcode::Text, b"3title", &mut decoded), Output::Nothing);
    }
}
