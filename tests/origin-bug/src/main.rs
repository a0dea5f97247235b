//! The bug from which limpet originates, preserved in a separate program so that tests can show it.
//!
//! Two asynchronous tasks, terminal to browser and browser to terminal, each make a file from the
//! *same* descriptor of a pty. Both own it, and both close it. `origin-bug ENDING RUNTIME [FILE]`
//! runs one session of that design and prints its outcome:
//!
//! * `ENDING`: `program` and `read-error` end the terminal's side first, `browser` and
//!   `write-error` the browser's; `program-innocent` and `read-error-innocent` open an unrelated
//!   file in between.
//! * `RUNTIME`: `one` runs everything on one thread, `cores` on as many threads as there are cores.
//! * `FILE`: `plain`, or `waiting`, whose destructor waits for the operation in progress, as that
//!   of async-std's file does.

mod files;
mod session;

use std::{
    process,
    sync::mpsc::{self, SyncSender},
    thread,
    time::Duration,
};

use tokio::{runtime, time};

use crate::session::{Ending, Session};

/// Interval of the beats.
const BEAT_INTERVAL: Duration = Duration::from_millis(10);

/// Time without a beat after which the runtime counts as hung.
const HANG_TIMEOUT: Duration = Duration::from_secs(3);

/// The outcome of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Both sides have ended, and the second close went unnoticed.
    Silent,
    /// The second close hit an unrelated descriptor.
    InnocentHit,
    /// One side never ends, which keeps the program and its terminal alive.
    Leaked,
    /// The runtime no longer does anything.
    Hung,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let (ending, runtime, waiting) = match words[..] {
        [ending, runtime] | [ending, runtime, "plain"] => (ending, runtime, false),
        [ending, runtime, "waiting"] => (ending, runtime, true),
        _ => usage(),
    };
    let session = Session { ending: Ending::parse(ending).unwrap_or_else(|| usage()), waiting };
    let mut builder = match runtime {
        "one" => runtime::Builder::new_current_thread(),
        "cores" => runtime::Builder::new_multi_thread(),
        _ => usage(),
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let Ok(runtime) = builder.worker_threads(cores).enable_all().build() else { process::exit(70) };
    let beats = start_watchdog();
    runtime.block_on(async {
        // An ordinary task whose beats show that tasks make progress.
        tokio::spawn(async move {
            while beats.try_send(()).is_ok() {
                // This is the interval of the beats; nothing waits for any of them.
                time::sleep(BEAT_INTERVAL).await;
            }
        });
        let outcome = tokio::spawn(session.run()).await;
        report(outcome.unwrap_or(Outcome::Hung));
    });
}

/// Reports a hang from outside of the runtime.
fn start_watchdog() -> SyncSender<()> {
    let (beats, listen) = mpsc::sync_channel(1000);
    thread::spawn(move || {
        while listen.recv_timeout(HANG_TIMEOUT).is_ok() {}
        report(Outcome::Hung);
    });
    beats
}

/// Prints the outcome of the session and exits at once, which ends everything that is still alive.
#[expect(clippy::print_stdout, reason = "it is what the program is for")]
fn report(outcome: Outcome) -> ! {
    println!("{outcome:?}");
    process::exit(0)
}

#[expect(clippy::print_stderr, reason = "the usage text is for people")]
fn usage() -> ! {
    eprintln!(
        "origin-bug program|program-innocent|read-error|read-error-innocent|browser|write-error one|cores [plain|waiting]"
    );
    process::exit(64)
}
