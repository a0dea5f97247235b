//! The threads and runtimes that the server runs on.
//!
//! The kernel lets a thread that mostly sleeps run as soon as it is woken, and makes a thread that
//! is always busy wait for its turn. So keys and echoes are handled by a thread that does nothing
//! else, where they never wait for other work. Requests, page loads and handshakes are served by
//! another thread. Sessions whose output floods, or whose viewers send without pause, move to
//! further threads for as long as they do so.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::Notify,
    task::JoinHandle,
};
use tokio_util::task::AbortOnDropHandle;

/// Number of task polls after which a flood thread checks timers and the queue of work from other
/// threads. By default, a thread that is never idle does so after 61 polls. A poll during a flood
/// can take milliseconds, and a viewer's Ctrl-C would wait for all of them.
const FLOOD_EVENT_INTERVAL_POLLS: u32 = 2;

/// The server's threads.
#[derive(Debug)]
pub struct Threads {
    interactive: Runtime,
    separate: Option<SeparateRuntimes>,
}

/// The runtimes beside the one for keys.
#[derive(Debug)]
struct SeparateRuntimes {
    requests: Runtime,
    floods: Runtime,
}

/// Handles of the runtimes that do the server's work.
#[derive(Clone, Debug)]
pub struct Runtimes {
    /// Handles keys and echoes, timers, and everything else that takes microseconds.
    pub(crate) interactive: Handle,
    /// Serves requests until they become attachments.
    pub(crate) requests: Handle,
    /// Handles floods, if there is a thread for them.
    pub(crate) floods: Option<Handle>,
}

impl Runtimes {
    /// Uses the current runtime for everything.
    #[must_use]
    pub fn current() -> Self {
        Self { interactive: Handle::current(), requests: Handle::current(), floods: None }
    }
}

impl Threads {
    /// Starts `count` threads for keys and floods, and one for requests. The default is one for
    /// each core, but at least two. If `count` is 1, or the system has no more threads, a single
    /// thread does everything.
    ///
    /// # Errors
    /// Returns the errors of the runtimes' reactors.
    pub fn start(count: Option<usize>) -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let count = count.unwrap_or_else(|| cores.max(2));
        let interactive = Builder::new_current_thread().enable_all().build()?;
        let has_separate = count > 1 && can_start_threads(count);
        if count > 1 && !has_separate {
            tracing::warn!(
                "the system has no threads left; limpet runs on a single thread until it is restarted"
            );
        }
        let separate = has_separate.then(|| SeparateRuntimes::start(count - 1)).transpose()?;
        Ok(Self { interactive, separate })
    }

    /// Runs the server to completion.
    pub fn run<T>(&self, server: impl Future<Output = T>) -> T {
        self.interactive.block_on(server)
    }

    /// Returns handles of the runtimes.
    #[must_use]
    pub fn runtimes(&self) -> Runtimes {
        let interactive = self.interactive.handle().clone();
        let requests =
            self.separate.as_ref().map_or(&interactive, |separate| separate.requests.handle()).clone();
        let floods = self.separate.as_ref().map(|separate| separate.floods.handle().clone());
        Runtimes { interactive, requests, floods }
    }

    /// Stops the threads. A blocked thread delays that by at most `linger`.
    pub fn stop(self, linger: Duration) {
        if let Some(SeparateRuntimes { requests, floods }) = self.separate {
            requests.shutdown_background();
            floods.shutdown_background();
        }
        self.interactive.shutdown_timeout(linger);
    }
}

impl SeparateRuntimes {
    fn start(floods: usize) -> io::Result<Self> {
        let requests =
            Builder::new_multi_thread().worker_threads(1).thread_name("requests").enable_all().build()?;
        let floods = Builder::new_multi_thread()
            .worker_threads(floods)
            .thread_name("floods")
            .event_interval(FLOOD_EVENT_INTERVAL_POLLS)
            .global_queue_interval(FLOOD_EVENT_INTERVAL_POLLS)
            .enable_all()
            .build()?;
        Ok(Self { requests, floods })
    }
}

/// Reports whether the system has this many threads for us. A runtime that cannot start a thread
/// panics, so this is checked before.
fn can_start_threads(count: usize) -> bool {
    // Each thread waits until `end` is dropped, so that all of them exist at the same time.
    let (end, waiting) = mpsc::channel::<()>();
    let waiting = Arc::new(Mutex::new(waiting));
    let threads: Vec<_> = (0..count)
        .map_while(|_| {
            let waiting = Arc::clone(&waiting);
            let wait = move || drop(waiting.lock().map(|waiting| waiting.recv()));
            thread::Builder::new().spawn(wait).ok()
        })
        .collect();
    drop(end);
    let started = threads.len();
    for thread in threads {
        // The error means that the thread has panicked, so it did exist.
        let _ = thread.join();
    }
    started == count
}

/// The placement of a session and its attachments: the runtime that does their work.
#[derive(Debug)]
pub struct Placement {
    runtimes: Runtimes,
    is_flood: AtomicBool,
    /// Number of viewers that send more than any person or page does.
    busy_viewers: AtomicUsize,
    changed: Notify,
}

impl Placement {
    /// Returns a placement on the interactive runtime.
    #[must_use]
    pub fn new(runtimes: Runtimes) -> Self {
        Self {
            runtimes,
            is_flood: AtomicBool::new(false),
            busy_viewers: AtomicUsize::new(0),
            changed: Notify::new(),
        }
    }

    /// Returns the runtime for floods, if there is a separate one.
    pub(crate) fn floods(&self) -> Option<&Handle> {
        self.runtimes.floods.as_ref()
    }

    /// Records that another viewer sends more than any person or page does.
    pub(crate) fn add_straining_viewer(&self) {
        self.busy_viewers.fetch_add(1, Ordering::Relaxed);
    }

    /// Records that one of these viewers has stopped doing so.
    pub(crate) fn remove_straining_viewer(&self) {
        self.busy_viewers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Reports whether any viewer sends more than any person or page does.
    pub(crate) fn has_straining_viewers(&self) -> bool {
        self.busy_viewers.load(Ordering::Relaxed) > 0
    }

    /// Records whether output floods.
    pub(crate) fn set_flood(&self, is_flood: bool) {
        self.is_flood.store(is_flood, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Runs a future to completion on the runtime of the current placement.
    pub(crate) fn spawn<T: Send + 'static>(
        self: Arc<Self>,
        work: BoxFuture<'static, T>,
    ) -> JoinHandle<Option<T>> {
        let interactive = self.runtimes.interactive.clone();
        interactive.spawn(self.run_placed(work))
    }

    /// Runs a future to completion, moving it between the current runtime, which must be the
    /// interactive one, and the one for floods. `None` if it panicked on the latter or if that
    /// runtime stopped.
    async fn run_placed<T: Send + 'static>(self: Arc<Self>, mut work: BoxFuture<'static, T>) -> Option<T> {
        let Some(floods) = &self.runtimes.floods else { return Some(work.await) };
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                () = self.wait_for_placement(true) => {}
            }
            let placement = Arc::clone(&self);
            let there = async move {
                tokio::select! {
                    biased;
                    done = &mut work => Ok(done),
                    () = placement.wait_for_placement(false) => Err(work),
                }
            };
            match AbortOnDropHandle::new(floods.spawn(there)).await.ok()? {
                Ok(done) => return Some(done),
                Err(undone) => work = undone,
            }
        }
    }

    /// Waits until the work belongs on the runtime for floods, or (`false`) on the interactive one.
    async fn wait_for_placement(&self, is_flood: bool) {
        loop {
            let changed = self.changed.notified();
            if self.is_flood.load(Ordering::Acquire) == is_flood {
                return;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread::{ThreadId, current};

    use tokio::{
        sync::{mpsc, oneshot},
        time::{Instant, timeout},
    };

    use super::*;

    /// Limit for tests that hang. Nothing here takes long.
    const DEADLINE: Duration = Duration::from_secs(20);

    type Question = oneshot::Sender<ThreadId>;

    /// Answers each question with the thread that it runs on.
    async fn work(mut questions: mpsc::Receiver<Question>) -> &'static str {
        while let Some(question) = questions.recv().await {
            question.send(current().id()).unwrap();
        }
        "done"
    }

    async fn until(questions: &mpsc::Sender<Question>, enough: impl Fn(ThreadId) -> bool) {
        let start = Instant::now();
        loop {
            let (question, answer) = oneshot::channel();
            questions.send(question).await.unwrap();
            let at = timeout(DEADLINE, answer).await.unwrap().unwrap();
            assert!(start.elapsed() < DEADLINE, "it stays where it is");
            if enough(at) {
                break;
            }
        }
    }

    #[test]
    fn work_is_done_where_it_belongs() {
        let threads = Threads::start(Some(2)).unwrap();
        let placement = Arc::new(Placement::new(threads.runtimes()));
        threads.run(async {
            let (here, (questions, asked)) = (current().id(), mpsc::channel(1));
            // Requests are served elsewhere, but an attachment is placed here from the start.
            let done = threads.runtimes().requests.spawn({
                let placement = Arc::clone(&placement);
                async move {
                    assert_ne!(current().id(), here);
                    placement.spawn(Box::pin(work(asked))).await.unwrap()
                }
            });
            until(&questions, |at| at == here).await;
            for _ in 0..3 {
                placement.set_flood(true);
                until(&questions, |at| at != here).await;
                placement.set_flood(false);
                until(&questions, |at| at == here).await;
            }
            placement.set_flood(true);
            drop(questions);
            assert_eq!(done.await.unwrap(), Some("done"));
        });
        threads.stop(Duration::ZERO);
    }

    #[test]
    fn one_thread_does_it_all() {
        let threads = Threads::start(Some(1)).unwrap();
        let (placement, runtimes) = (Arc::new(Placement::new(threads.runtimes())), threads.runtimes());
        placement.set_flood(true);
        let here = current().id();
        threads.run(async {
            assert_eq!(placement.spawn(Box::pin(async { current().id() })).await.unwrap(), Some(here));
            assert_eq!(runtimes.requests.spawn(async { current().id() }).await.unwrap(), here);
        });
        threads.stop(Duration::ZERO);
    }
}
