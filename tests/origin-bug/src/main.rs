//! The bug that limpet comes from, kept alive in a program of its own so that tests can show it.
//!
//! Two asynchronous tasks, terminal to browser and browser to terminal, each make a file from the *same* descriptor of a
//! pty. Both own it, both close it. `origin-bug ENDING RUNTIME [FILE]` runs one session of that design and prints what
//! became of it:
//!
//! * `ENDING`: `program` and `read-error` end the terminal's side first, `browser` and `write-error` the browser's;
//!   `program-innocent` and `read-error-innocent` open a file of somebody else's in between.
//! * `RUNTIME`: `one` runs everything on one thread, `cores` on as many as there are cores to run on.
//! * `FILE`: `plain`, or `waiting`, whose destructor waits for the operation under way, as that of async-std's file does.

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

/// Between two signs of life.
const BEAT: Duration = Duration::from_millis(10);

/// A runtime that gives no sign of life for so long gives none any more.
const PATIENCE: Duration = Duration::from_secs(3);

/// What became of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Both sides are over, and nobody has noticed the second close.
    Silent,
    /// The second close hit a descriptor of somebody else's.
    InnocentHit,
    /// One side is never over, and with it live the program and its terminal.
    Leaked,
    /// The runtime does nothing any more.
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
    let beats = watch();
    runtime.block_on(async {
        // A task like any other: while it beats, tasks make progress.
        tokio::spawn(async move {
            while beats.try_send(()).is_ok() {
                // The rhythm of the beats; nothing waits for one of them.
                time::sleep(BEAT).await;
            }
        });
        let outcome = tokio::spawn(session.run()).await;
        report(outcome.unwrap_or(Outcome::Hung));
    });
}

/// Tells from outside of the runtime when that hangs.
fn watch() -> SyncSender<()> {
    let (beats, listen) = mpsc::sync_channel(1000);
    thread::spawn(move || {
        while listen.recv_timeout(PATIENCE).is_ok() {}
        report(Outcome::Hung);
    });
    beats
}

/// Says what became of the session and ends at once: whatever still lives ends with the process.
#[expect(clippy::print_stdout, reason = "it is what the program is for")]
fn report(outcome: Outcome) -> ! {
    println!("{outcome:?}");
    process::exit(0)
}

#[expect(clippy::print_stderr, reason = "it is for people")]
fn usage() -> ! {
    eprintln!(
        "origin-bug program|program-innocent|read-error|read-error-innocent|browser|write-error one|cores [plain|waiting]"
    );
    process::exit(64)
}
