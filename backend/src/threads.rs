//! The threads that the server runs on.
//!
//! The kernel lets a thread that mostly sleeps go first when it is woken, and has one that is always busy wait for its turn. So
//! everything that is quick, keys and echoes, connections, requests, is on one thread, and sessions whose output floods, or whose
//! viewers send without pause, are carried by others as long as they do.

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
};
use tokio_util::task::AbortOnDropHandle;

/// After so many turns a flood's thread looks whether a timer has run out, or somebody else has work for it. One that is never idle
/// would do so after 61 by itself, and a turn in a flood can be milliseconds long: a viewer's Ctrl-C waited for all of them.
const TURNS: u32 = 2;

/// The server's threads, while they run.
#[derive(Debug)]
pub struct Threads {
    quick: Runtime,
    floods: Option<Runtime>,
}

impl Threads {
    /// Starts so many threads, by default one for each core, but not less than two. Where there is to be one only it has to do
    /// everything.
    ///
    /// # Errors
    /// When the system has none.
    pub fn start(count: Option<usize>) -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let count = count.unwrap_or_else(|| cores.max(2));
        let quick = Builder::new_current_thread().enable_all().build()?;
        let can_flood = count > 1 && are_to_be_had(count - 1);
        if count > 1 && !can_flood {
            tracing::warn!(
                "the system has no threads left; floods of output are carried by the only one, until limpet is restarted"
            );
        }
        let floods = can_flood.then(|| {
            let mut floods = Builder::new_multi_thread();
            floods.worker_threads(count - 1).thread_name("floods").enable_all();
            floods.event_interval(TURNS).global_queue_interval(TURNS).build()
        });
        Ok(Self { quick, floods: floods.transpose()? })
    }

    /// Runs the server to its end.
    pub fn run<T>(&self, server: impl Future<Output = T>) -> T {
        self.quick.block_on(server)
    }

    /// Who carries floods, if there is anybody else.
    #[must_use]
    pub fn floods(&self) -> Option<Handle> {
        self.floods.as_ref().map(|floods| floods.handle().clone())
    }

    /// Ends them. A thread that is blocked may hold that up for so long.
    pub fn stop(self, linger: Duration) {
        if let Some(floods) = self.floods {
            floods.shutdown_background();
        }
        self.quick.shutdown_timeout(linger);
    }
}

/// Whether the system has so many threads for us. A runtime that is refused one panics, so it is asked before.
fn are_to_be_had(count: usize) -> bool {
    // Each waits for the end of this, so that all of them are there at one time.
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
        // An error says that it has panicked, and so that it has been there.
        let _ = thread.join();
    }
    count_made == count
}

/// Where the work of a session and of its attachments is done.
#[derive(Debug)]
pub struct Lane {
    floods: Option<Handle>,
    is_flood: AtomicBool,
    /// Viewers that send more than any person or page does.
    strains: AtomicUsize,
    changed: Notify,
}

impl Lane {
    /// At first it is quick. `floods` says who carries its floods, if there is anybody else.
    #[must_use]
    pub fn new(floods: Option<Handle>) -> Self {
        Self {
            floods,
            is_flood: AtomicBool::new(false),
            strains: AtomicUsize::new(0),
            changed: Notify::new(),
        }
    }

    /// Who carries floods, if there is anybody else.
    pub(crate) fn floods(&self) -> Option<&Handle> {
        self.floods.as_ref()
    }

    /// Notes that another viewer sends more than any person or page does.
    pub(crate) fn begin_strain(&self) {
        self.strains.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that one of them has stopped that.
    pub(crate) fn end_strain(&self) {
        self.strains.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns whether any viewer does it.
    pub(crate) fn is_strained(&self) -> bool {
        self.strains.load(Ordering::Relaxed) > 0
    }

    /// Output floods, or does so no longer.
    pub(crate) fn set_flood(&self, is_flood: bool) {
        self.is_flood.store(is_flood, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Does work to its end, now here, now there. Nothing comes of it if that panics, or when the threads are stopped.
    pub(crate) async fn carry<T: Send + 'static>(
        self: Arc<Self>,
        mut work: BoxFuture<'static, T>,
    ) -> Option<T> {
        let Some(floods) = &self.floods else { return Some(work.await) };
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

    /// Nothing here takes long; what hangs is reported by this.
    const DEADLINE: Duration = Duration::from_secs(20);

    type Question = oneshot::Sender<ThreadId>;

    /// Work that tells where it is done as often as it is asked.
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
        let lane = Arc::new(Lane::new(threads.floods()));
        threads.run(async {
            let (here, (questions, asked)) = (current().id(), mpsc::channel(1));
            let done = tokio::spawn(Arc::clone(&lane).carry(Box::pin(work(asked))));
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
        let lane = Arc::new(Lane::new(threads.floods()));
        lane.set_flood(true);
        assert_eq!(threads.run(lane.carry(Box::pin(async { current().id() }))), Some(current().id()));
        threads.stop(Duration::ZERO);
    }
}
