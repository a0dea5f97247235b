//! Shell In A Box: JSON answers to long-polling requests.

use serde_json::Value;

use crate::{
    viewer::{Output, Protocol},
    wire::Opcode,
};

pub(super) struct Shellinabox;

/// Returns the arguments, which name the user and the directory for the program.
pub(super) fn arguments(port: u16, program: &[String]) -> Vec<String> {
    let (user, group) = (nix::unistd::getuid(), nix::unistd::getgid());
    let user =
        nix::unistd::User::from_uid(user).ok().flatten().map_or_else(|| user.to_string(), |user| user.name);
    let group = nix::unistd::Group::from_gid(group)
        .ok()
        .flatten()
        .map_or_else(|| group.to_string(), |group| group.name);
    let service = format!("/:{user}:{group}:/:{}", program.join(" "));
    let port = port.to_string();
    ["--disable-ssl", "--localhost-only", "--no-beep", "--port", &port, "--service", &service]
        .map(str::to_owned)
        .to_vec()
}

impl Protocol for Shellinabox {
    fn output(&mut self, _: Opcode, message: &[u8], decoded: &mut Vec<u8>) -> Output {
        let Ok(answer) = serde_json::from_slice::<Value>(message) else { return Output::Nothing };
        let Some(text) = answer["data"].as_str().filter(|text| !text.is_empty()) else {
            return Output::Nothing;
        };
        decoded.clear();
        // Each character is one byte.
        for letter in text.chars() {
            match u8::try_from(u32::from(letter)) {
                Ok(byte) => decoded.push(byte),
                Err(_) => decoded.extend(letter.encode_utf8(&mut [0; 4]).bytes()),
            }
        }
        Output::Decoded
    }

    fn input(&mut self, bytes: &[u8]) -> (Opcode, Vec<u8>) {
        (Opcode::Text, bytes.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_as_characters() {
        let mut decoded = Vec::new();
        let message = br#"{"session":"x","data":"\u00E2\u0094\u0080\r\n"}"#;
        assert_eq!(Shellinabox.output(Opcode::Text, message, &mut decoded), Output::Decoded);
        assert_eq!(decoded, "─\r\n".as_bytes());
        assert_eq!(Shellinabox.output(Opcode::Text, br#"{"data":""}"#, &mut decoded), Output::Nothing);
    }
}
