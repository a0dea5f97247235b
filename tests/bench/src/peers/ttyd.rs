//! ttyd: a byte gives the type of a message.

use crate::{
    viewer::{Output, Protocol},
    wire::Opcode,
};

pub(super) struct Ttyd;

pub(super) fn arguments(port: u16, program: &[String]) -> Vec<String> {
    let port = port.to_string();
    let flags = ["--port", &port, "--interface", "127.0.0.1", "--writable"].map(str::to_owned);
    [&flags[..], program].concat()
}

impl Protocol for Ttyd {
    fn greeting(&mut self) -> Vec<(Opcode, Vec<u8>)> {
        vec![(Opcode::Text, br#"{"AuthToken":"","columns":80,"rows":24}"#.to_vec())]
    }

    fn output(&mut self, _: Opcode, message: &[u8], _: &mut Vec<u8>) -> Output {
        if message.first() == Some(&b'0') { Output::From(1) } else { Output::Nothing }
    }

    fn input(&mut self, bytes: &[u8]) -> (Opcode, Vec<u8>) {
        (Opcode::Binary, [b"0", bytes].concat())
    }
}
