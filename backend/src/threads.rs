//! The threads that the server runs on.
//!
//! The kernel prefers a thread that mostly sleeps when it wakes up, and makes a thread that is
//! always busy wait for its turn. One thread therefore handles only keys and echoes, so that these
//! never wait for other work. Requests, page loads and handshakes are served by a second thread.
//! Sessions whose output floods, or whose viewers send without pause, move to further threads as
//! long as they do so.

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

/// Number of scheduler ticks after which a worker for floods checks timers and I/O, and tasks from
/// other threads. With tokio's default of 61, a viewer's Ctrl-C waited for all of these ticks on a
/// worker that is never idle, and a tick can last milliseconds during a flood.
const TURNS: u32 = 2;

/// The server's threads, as long as they run.
#[derive(Debug)]
pub struct Threads {
    quick: Runtime,
    others: Option<Others>,
}

/// The threads besides the one for keys.
#[derive(Debug)]
struct Others {
    requests: Runtime,
    floods: Runtime,
}

/// Handles of the runtimes that the server's tasks run on.
#[derive(Clone, Debug)]
pub struct Runtimes {
    /// Runs keys and echoes, timers, and everything else that takes microseconds.
    pub(crate) quick: Handle,
    /// Serves requests until they become attachments.
    pub(crate) requests: Handle,
    /// Runs floods, if there is a thread for them.
    pub(crate) floods: Option<Handle>,
}

impl Runtimes {
    /// Returns handles that all refer to the current runtime.
    #[must_use]
    pub fn here() -> Self {
        Self { quick: Handle::current(), requests: Handle::current(), floods: None }
    }
}

impl Threads {
    /// Starts `count` threads for keys and floods, by default one for each core but at least two,
    /// and one for requests. If `count` is 1, or the system has no more threads, a single thread
    /// does everything.
    ///
    /// # Errors
    /// When a runtime's reactor cannot be created.
    pub fn start(count: Option<usize>) -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let count = count.unwrap_or_else(|| cores.max(2));
        let quick = Builder::new_current_thread().enable_all().build()?;
        let has_others = count > 1 && are_to_be_had(count);
        if count > 1 && !has_others {
            tracing::warn!(
                "the system has no threads left; one thread serves everything, until limpet is restarted"
            );
        }
        let others = has_others.then(|| Others::start(count - 1)).transpose()?;
        Ok(Self { quick, others })
    }

    /// Runs the server to its end.
    pub fn run<T>(&self, server: impl Future<Output = T>) -> T {
        self.quick.block_on(server)
    }

    /// Returns handles of the runtimes.
    #[must_use]
    pub fn runtimes(&self) -> Runtimes {
        let quick = self.quick.handle().clone();
        let requests = self.others.as_ref().map_or(&quick, |others| others.requests.handle()).clone();
        let floods = self.others.as_ref().map(|others| others.floods.handle().clone());
        Runtimes { quick, requests, floods }
    }

    /// Stops the threads. A blocked thread delays that by at most `linger`.
    pub fn stop(self, linger: Duration) {
        if let Some(Others { requests, floods }) = self.others {
            requests.shutdown_background();
            floods.shutdown_background();
        }
        self.quick.shutdown_timeout(linger);
    }
}

impl Others {
    fn start(floods: usize) -> io::Result<Self> {
        let requests =
            Builder::new_multi_thread().worker_threads(1).thread_name("requests").enable_all().build()?;
        let floods = Builder::new_multi_thread()
            .worker_threads(floods)
            .thread_name("floods")
            .event_interval(TURNS)
            .global_queue_interval(TURNS)
            .enable_all()
            .build()?;
        Ok(Self { requests, floods })
    }
}

/// Reports whether the system provides `count` more threads. Tokio panics when it cannot start a
/// worker, so this is checked beforehand.
fn are_to_be_had(count: usize) -> bool {
    // Each thread waits for the end of this channel, so that all of them exist at the same time.
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
    let count_made = threads.len();
    for thread in threads {
        // An error means that the thread panicked, so it was started.
        let _ = thread.join();
    }
    count_made == count
}

/// The placement of a session: the runtime on which its actor and its attachments run.
#[derive(Debug)]
pub struct Lane {
    runtimes: Runtimes,
    is_flood: AtomicBool,
    /// Number of viewers that send more than any person or page does.
    strains: AtomicUsize,
    changed: Notify,
}

impl Lane {
    /// Creates a placement on the quick runtime.
    #[must_use]
    pub fn new(runtimes: Runtimes) -> Self {
        Self {
            runtimes,
            is_flood: AtomicBool::new(false),
            strains: AtomicUsize::new(0),
            changed: Notify::new(),
        }
    }

    /// Returns the runtime for floods, if there is one.
    pub(crate) fn floods(&self) -> Option<&Handle> {
        self.runtimes.floods.as_ref()
    }

    /// Records that one more viewer sends more than any person or page does.
    pub(crate) fn begin_strain(&self) {
        self.strains.fetch_add(1, Ordering::Relaxed);
    }

    /// Records that such a viewer has stopped doing so.
    pub(crate) fn end_strain(&self) {
        self.strains.fetch_sub(1, Ordering::Relaxed);
    }

    /// Reports whether any viewer sends that much.
    pub(crate) fn is_strained(&self) -> bool {
        self.strains.load(Ordering::Relaxed) > 0
    }

    /// Sets whether the session's output floods, and moves its tasks accordingly.
    pub(crate) fn set_flood(&self, is_flood: bool) {
        self.is_flood.store(is_flood, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Runs a future to completion, always on the session's current runtime.
    pub(crate) fn spawn<T: Send + 'static>(
        self: Arc<Self>,
        work: BoxFuture<'static, T>,
    ) -> JoinHandle<Option<T>> {
        let quick = self.runtimes.quick.clone();
        quick.spawn(self.carry(work))
    }

    /// Runs a future to completion, moving it between the current runtime, which is the quick one,
    /// and the one for floods. Returns `None` if it panicked there or that runtime stopped.
    async fn carry<T: Send + 'static>(self: Arc<Self>, mut work: BoxFuture<'static, T>) -> Option<T> {
        let Some(floods) = &self.runtimes.floods else { return Some(work.await) };
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                () = self.becomes(true) => {}
            }
            let lane = Arc::clone(&self);
            let there = async move {
                tokio::select! {
                    biased;
                    done = &mut work => Ok(done),
                    () = lane.becomes(false) => Err(work),
                }
            };
            match AbortOnDropHandle::new(floods.spawn(there)).await.ok()? {
                Ok(done) => return Some(done),
                Err(undone) => work = undone,
            }
        }
    }

    async fn becomes(&self, is_flood: bool) {
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

    /// Deadline after which a test that hangs fails. Nothing here takes long.
    const DEADLINE: Duration = Duration::from_secs(20);

    type Question = oneshot::Sender<ThreadId>;

    /// Replies to each question with the thread that it runs on.
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
        let lane = Arc::new(Lane::new(threads.runtimes()));
        threads.run(async {
            let (here, (questions, asked)) = (current().id(), mpsc::channel(1));
            // Requests are served elsewhere, but an attachment runs here from the start.
            let done = threads.runtimes().requests.spawn({
                let lane = Arc::clone(&lane);
                async move {
                    assert_ne!(current().id(), here);
                    lane.spawn(Box::pin(work(asked))).await.unwrap()
                }
            });
            until(&questions, |at| at == here).await;
            for _ in 0..3 {
                lane.set_flood(true);
                until(&questions, |at| at != here).await;
                lane.set_flood(false);
                until(&questions, |at| at == here).await;
            }
            lane.set_flood(true);
            drop(questions);
            assert_eq!(done.await.unwrap(), Some("done"));
        });
        threads.stop(Duration::ZERO);
    }

    #[test]
    fn one_thread_does_it_all() {
        let threads = Threads::start(Some(1)).unwrap();
        let (lane, runtimes) = (Arc::new(Lane::new(threads.runtimes())), threads.runtimes());
        lane.set_flood(true);
        let here = current().id();
        threads.run(async {
            assert_eq!(lane.spawn(Box::pin(async { current().id() })).await.unwrap(), Some(here));
            assert_eq!(runtimes.requests.spawn(async { current().id() }).await.unwrap(), here);
        });
        threads.stop(Duration::ZERO);
    }
}
