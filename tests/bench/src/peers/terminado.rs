//! terminado: JSON arrays. It is a library; `peers/serve_terminado.py` serves with it.

use serde_json::{Value, json};

use crate::{
    viewer::{Output, Protocol},
    wire::Opcode,
};

pub(super) struct Terminado;

pub(super) fn arguments(port: u16, program: &[String]) -> Vec<String> {
    [&[port.to_string()][..], program].concat()
}

impl Protocol for Terminado {
    fn greeting(&mut self) -> Vec<(Opcode, Vec<u8>)> {
        vec![(Opcode::Text, json!(["set_size", 24, 80, 480, 640]).to_string().into_bytes())]
    }

    fn output(&mut self, _: Opcode, message: &[u8], decoded: &mut Vec<u8>) -> Output {
        let Ok(Value::Array(words)) = serde_json::from_slice(message) else { return Output::Nothing };
        let [Value::String(kind), Value::String(text)] = &words[..] else { return Output::Nothing };
        if kind != "stdout" {
            return Output::Nothing;
        }
        decoded.clear();
        decoded.extend_from_slice(text.as_bytes());
        Output::Decoded
    }

    fn input(&mut self, bytes: &[u8]) -> (Opcode, Vec<u8>) {
        (Opcode::Text, json!(["stdin", String::from_utf8_lossy(bytes)]).to_string().into_bytes())
    }
}
