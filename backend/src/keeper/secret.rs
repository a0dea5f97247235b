//! Keeps the chosen token out of every environment that a program in a session could read.
//!
//! The kernel shows a process's environment as it was when the process was executed, for as long as it lives. So the keeper executes
//! itself anew without the variable, and passes the token on to itself in a file in memory, and to its servers over their
//! connection ([`Launch`](super::Launch)). Keeper and server also forbid other processes of the same user to look into their memory.

use std::{
    env, fs,
    fs::File,
    io::{self, Write},
    os::{
        fd::{AsRawFd, RawFd},
        unix::process::CommandExt,
    },
    process::Command,
};

use nix::{
    sys::{
        memfd::{MFdFlags, memfd_create},
        prctl,
    },
    unistd::close,
};

/// The variable that holds a token that somebody has chosen.
const TOKEN: &str = "LIMPET_TOKEN";

/// The variable that holds the number of the descriptor that the token is passed on by.
const TOKEN_FD: &str = "LIMPET_TOKEN_FD";

/// The name of that descriptor's file.
const FILE: &str = "limpet-token";

/// This process, as an executable file.
const THIS: &str = "/proc/self/exe";

/// Makes this process undumpable (`PR_SET_DUMPABLE`, prctl(2)): other processes of the same user can read neither its memory, nor its
/// environment, nor its descriptors, nor trace it, and it leaves no core dump. To be called first of all.
pub fn forbid_inspection() {
    // Tests of an ordinary user count descriptors, which only the administrator can do otherwise.
    #[cfg(debug_assertions)]
    if env::var_os("LIMPET_TEST_DUMPABLE").is_some_and(|value| !value.is_empty()) {
        return;
    }
    if let Err(error) = prctl::set_dumpable(false) {
        tracing::warn!(%error, "could not forbid other programs to read this process's memory");
    }
}

/// Takes the chosen token, if there is one. Executes this process anew if its environment holds the token, so this is to be called
/// before anything has been opened or started.
///
/// # Errors
/// When the environment cannot be cleaned.
pub fn take_token() -> io::Result<Option<String>> {
    if let Some(token) = env::var_os(TOKEN) {
        return Err(execute_without(token.as_encoded_bytes()));
    }
    let Some(number) = env::var(TOKEN_FD).ok().and_then(|number| number.parse::<RawFd>().ok()) else {
        return Ok(None);
    };
    let path = format!("/proc/self/fd/{number}");
    // A variable that somebody else has set must not close a descriptor of theirs.
    if !fs::read_link(&path).is_ok_and(|name| name.to_string_lossy().contains(FILE)) {
        return Ok(None);
    }
    let token = fs::read(&path)?;
    close(number)?;
    // A token that is not UTF-8 is refused as every other one with odd characters is.
    Ok(Some(String::from_utf8_lossy(&token).into_owned()))
}

/// Executes this process anew, with the token in a descriptor instead of the environment. Returns only if that fails.
fn execute_without(token: &[u8]) -> io::Error {
    let passed_on = || {
        let mut file = File::from(memfd_create(FILE, MFdFlags::empty())?);
        file.write_all(token)?;
        io::Result::Ok(file)
    };
    let file = match passed_on() {
        Ok(file) => file,
        Err(error) => return error,
    };
    let mut words = env::args_os();
    let mut command = Command::new(THIS);
    command.arg0(words.next().unwrap_or_else(|| "limpet".into())).args(words);
    command.env_remove(TOKEN).env(TOKEN_FD, file.as_raw_fd().to_string()).exec()
}
