//! Keeps the chosen token out of every environment that a program in a session could read.
//!
//! The kernel shows the environment of a process as it was when the process was executed, for as
//! long as the process lives. So the keeper executes itself anew without the variable. It passes
//! the token on to itself in an anonymous file, and to its servers over their connection
//! ([`Launch`](super::Launch)). Keeper and server also prevent other processes of the same user
//! from reading their memory.

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

/// Environment variable that holds a token chosen by the user.
const TOKEN_VARIABLE: &str = "LIMPET_TOKEN";

/// Environment variable that holds the number of the descriptor through which the token is passed
/// on.
const TOKEN_FD_VARIABLE: &str = "LIMPET_TOKEN_FD";

/// Name of that descriptor's anonymous file.
const TOKEN_FILE_NAME: &str = "limpet-token";

/// Path of this process's executable file.
const OWN_EXECUTABLE: &str = "/proc/self/exe";

/// Makes this process undumpable (`PR_SET_DUMPABLE`, prctl(2)): other processes of the same user
/// can read neither its memory nor its environment nor its descriptors, and cannot trace it. It
/// leaves no core dump either. Must be called before anything else.
pub fn forbid_inspection() {
    // Tests count the descriptors of this process, and an ordinary user can do so only if it is
    // dumpable.
    #[cfg(debug_assertions)]
    if env::var_os("LIMPET_TEST_DUMPABLE").is_some_and(|value| !value.is_empty()) {
        return;
    }
    if let Err(error) = prctl::set_dumpable(false) {
        tracing::warn!(%error, "could not protect this process's memory from other programs");
    }
}

/// Returns the chosen token, if there is one. Executes this process anew if its environment holds
/// the token, so this must be called before anything has been opened or started.
///
/// # Errors
/// Returns an error if the environment cannot be cleaned.
pub fn take_token() -> io::Result<Option<String>> {
    if let Some(token) = env::var_os(TOKEN_VARIABLE) {
        return Err(execute_without(token.as_encoded_bytes()));
    }
    let Some(number) = env::var(TOKEN_FD_VARIABLE).ok().and_then(|number| number.parse::<RawFd>().ok())
    else {
        return Ok(None);
    };
    let path = format!("/proc/self/fd/{number}");
    // A variable that was set by somebody else must not make limpet close another descriptor.
    if !fs::read_link(&path).is_ok_and(|name| name.to_string_lossy().contains(TOKEN_FILE_NAME)) {
        return Ok(None);
    }
    let token = fs::read(&path)?;
    close(number)?;
    // A token that is not UTF-8 is refused like every other token with invalid characters.
    Ok(Some(String::from_utf8_lossy(&token).into_owned()))
}

/// Executes this process anew, with the token in a descriptor instead of the environment. Returns
/// only on failure.
fn execute_without(token: &[u8]) -> io::Error {
    let write_token = || {
        let mut file = File::from(memfd_create(TOKEN_FILE_NAME, MFdFlags::empty())?);
        file.write_all(token)?;
        io::Result::Ok(file)
    };
    let file = match write_token() {
        Ok(file) => file,
        Err(error) => return error,
    };
    let mut args = env::args_os();
    let mut command = Command::new(OWN_EXECUTABLE);
    command.arg0(args.next().unwrap_or_else(|| "limpet".into())).args(args);
    command.env_remove(TOKEN_VARIABLE).env(TOKEN_FD_VARIABLE, file.as_raw_fd().to_string()).exec()
}
