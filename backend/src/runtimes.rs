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
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::{Notify, oneshot},
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
    separate: Option<SeparateThreads>,
}

/// The threads beside the one for keys.
#[derive(Debug)]
struct SeparateThreads {
    requests: RuntimeThread,
    floods: Vec<RuntimeThread>,
}

/// A thread that runs a runtime until this is dropped.
#[derive(Debug)]
struct RuntimeThread {
    handle: Handle,
    _stop: oneshot::Sender<()>,
}

/// Handles of the runtimes that do the server's work.
#[derive(Clone, Debug)]
pub struct Runtimes {
    /// Handles keys and echoes, timers, and everything else that takes microseconds.
    pub(crate) interactive: Handle,
    /// Serves requests until they become attachments.
    pub(crate) requests: Handle,
    /// Handle floods. Empty if there is no thread for them.
    floods: Arc<[Handle]>,
}

impl Runtimes {
    /// Uses the current runtime for everything.
    #[must_use]
    pub fn current() -> Self {
        Self { interactive: Handle::current(), requests: Handle::current(), floods: Arc::new([]) }
    }

    /// Returns the runtime for floods that has the fewest tasks, if there is any.
    fn least_busy_for_floods(&self) -> Option<&Handle> {
        self.floods.iter().min_by_key(|runtime| runtime.metrics().num_alive_tasks())
    }
}

impl Threads {
    /// Starts `count` threads for keys and floods, and one for requests. The default is one for
    /// each core, but at least two. If `count` is 1, or the system has no more threads, a single
    /// thread does everything.
    ///
    /// # Errors
    /// Returns the error of the first runtime's reactor.
    pub fn start(count: Option<usize>) -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let count = count.unwrap_or_else(|| cores.max(2));
        let interactive = Builder::new_current_thread().enable_all().build()?;
        let separate = (count > 1).then(|| SeparateThreads::start(count - 1)).transpose();
        let separate = separate.unwrap_or_else(|error| {
            tracing::warn!(
                %error,
                "could not start more threads; limpet runs on a single thread until it is restarted"
            );
            None
        });
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
            self.separate.as_ref().map_or(&interactive, |separate| &separate.requests.handle).clone();
        let floods = self.separate.iter().flat_map(|separate| &separate.floods);
        Runtimes { interactive, requests, floods: floods.map(|thread| thread.handle.clone()).collect() }
    }

    /// Stops the threads. A blocked thread delays that by at most `linger`.
    pub fn stop(self, linger: Duration) {
        drop(self.separate);
        self.interactive.shutdown_timeout(linger);
    }
}

impl SeparateThreads {
    fn start(floods: usize) -> io::Result<Self> {
        let requests = RuntimeThread::start("requests", &mut Builder::new_current_thread())?;
        let floods = (0..floods).map(|_| {
            let mut runtime = Builder::new_current_thread();
            runtime.event_interval(FLOOD_EVENT_INTERVAL_POLLS);
            runtime.global_queue_interval(FLOOD_EVENT_INTERVAL_POLLS);
            RuntimeThread::start("floods", &mut runtime)
        });
        Ok(Self { requests, floods: floods.collect::<io::Result<_>>()? })
    }
}

impl RuntimeThread {
    fn start(name: &str, runtime: &mut Builder) -> io::Result<Self> {
        let runtime = runtime.enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            // The error is the signal: the other half is dropped, and nothing is ever sent.
            let _: Result<(), _> = runtime.block_on(stopped);
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, _stop: stop })
    }
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

    /// Reports whether floods have a runtime of their own.
    pub(crate) fn has_separate_floods(&self) -> bool {
        !self.runtimes.floods.is_empty()
    }

    /// Returns the runtime to which a flood should move, if there is a separate one.
    pub(crate) fn floods(&self) -> Option<&Handle> {
        self.runtimes.least_busy_for_floods()
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

    /// Runs a future to completion, moving it between the current runtime, which must be the interactive
    /// one, and the one for floods. `None` if it panicked on the latter or if that runtime stopped.
    async fn run_placed<T: Send + 'static>(self: Arc<Self>, mut work: BoxFuture<'static, T>) -> Option<T> {
        if !self.has_separate_floods() {
            return Some(work.await);
        }
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                () = self.wait_for_placement(true) => {}
            }
            let floods = self.floods()?;
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
