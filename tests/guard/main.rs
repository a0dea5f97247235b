//! The scenarios of `tests/origin-bug` with limpet's own pty: one task for each direction, where
//! either side ends first, with or without an error. They run thousands of times in one process. At
//! the end nothing is left over, no other descriptor was closed, and the runtime still works.

#![expect(clippy::panic, clippy::unwrap_used, reason = "in a test, a panic is how it fails")]

mod scenario;

use std::{
    fs,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use limpet_keeper::KeeperClient;
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    time::{sleep, timeout},
};

use crate::scenario::{Ending, run_session};

/// Number of sessions per ending and environment. With four of each, thousands run.
const SESSIONS_PER_ENDING: usize = 250;

/// Number of sessions at a time.
const CONCURRENT_SESSIONS: usize = 5;

/// Maximum wait for a condition.
const CONDITION_TIMEOUT: Duration = Duration::from_mins(1);

/// Time after which the runtime counts as hung.
const HANG_TIMEOUT: Duration = Duration::from_mins(5);

/// Lets one test run at a time, because it counts what the whole process has.
static CENSUS_LOCK: Mutex<()> = Mutex::new(());

#[test]
fn one_thread_on_one_core() {
    check(true, Builder::new_current_thread);
}

#[test]
fn several_threads_on_one_core() {
    check(true, several_threads);
}

#[test]
fn one_thread_on_all_cores() {
    check(false, Builder::new_current_thread);
}

#[test]
fn several_threads_on_all_cores() {
    check(false, several_threads);
}

fn several_threads() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(4);
    builder
}

/// Runs all scenarios on a separate thread, so that a hang is noticed from outside.
fn check(one_core: bool, builder: fn() -> Builder) {
    let _lock = CENSUS_LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let (done, wait) = mpsc::channel::<()>();
    let work = thread::spawn(move || {
        if one_core {
            stay_on_one_core();
        }
        let runtime = builder().enable_all().thread_keep_alive(Duration::from_millis(1)).build().unwrap();
        run_all_endings(&runtime);
        drop(done);
    });
    let ended = wait.recv_timeout(HANG_TIMEOUT);
    assert_ne!(ended, Err(mpsc::RecvTimeoutError::Timeout), "the runtime hangs");
    work.join().unwrap();
}

/// Restricts this thread, and threads started by it, to one of the cores that the process may use.
fn stay_on_one_core() {
    let this_thread = Pid::from_raw(0);
    let allowed = sched_getaffinity(this_thread).unwrap();
    let core = (0..CpuSet::count()).find(|&core| allowed.is_set(core).unwrap()).unwrap();
    let mut one = CpuSet::new();
    one.set(core).unwrap();
    sched_setaffinity(this_thread, &one).unwrap();
}

fn run_all_endings(runtime: &Runtime) {
    runtime.block_on(async {
        let beats = heartbeat();
        let keeper = KeeperClient::in_process().unwrap();
        // The first session makes the runtime open the descriptors that it keeps.
        tokio::spawn(run_session(keeper.clone(), Ending::Program)).await.unwrap();
        // A task still counts for a moment after it was joined. The heartbeat and the listener to
        // the keeper are left.
        wait_until("the first session to be over", || children().is_empty() && tasks() == 2).await;
        let before = (descriptors(), tasks());
        for ending in Ending::ALL {
            for _ in 0..SESSIONS_PER_ENDING / CONCURRENT_SESSIONS {
                let sessions: Vec<_> = (0..CONCURRENT_SESSIONS)
                    .map(|_| tokio::spawn(run_session(keeper.clone(), ending)))
                    .collect();
                for session in sessions {
                    with_timeout("a session to end", session).await.unwrap();
                }
            }
            wait_until("no process to be left", || children().is_empty()).await;
            // The keeper may not have closed all descriptors of the first session when they were
            // counted.
            wait_until("descriptors and tasks to be as before", || {
                descriptors() <= before.0 && tasks() == before.1
            })
            .await;
            let beaten = beats.load(Ordering::Relaxed);
            wait_until("the runtime to live", || beats.load(Ordering::Relaxed) > beaten).await;
        }
    });
}

/// Starts an ordinary task whose beats show that tasks make progress.
fn heartbeat() -> Arc<AtomicU64> {
    let beats = Arc::new(AtomicU64::new(0));
    let beating = Arc::clone(&beats);
    tokio::spawn(async move {
        loop {
            beating.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(1)).await;
        }
    });
    beats
}

/// Waits until a condition holds.
async fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    with_timeout(what, waiting).await;
}

async fn with_timeout<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = timeout(CONDITION_TIMEOUT, future).await;
    outcome.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Returns the child processes of all threads, including zombies.
fn children() -> String {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    threads.map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default()).collect()
}
