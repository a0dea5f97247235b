//! Runs blocking work away from the threads that serve.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use tokio::sync::oneshot;

/// Runs `work` on a new thread, even if the caller stops waiting, or on the current thread if the
/// system has none left.
///
/// Tokio's own threads for blocking work are not used, because tokio panics when the system has no
/// thread left.
///
/// # Errors
/// When `work` panics on its thread.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    // If the thread cannot be started, its closure is dropped, and the work must survive that.
    let work = Arc::new(Mutex::new(Some(work)));
    let (sender, done) = oneshot::channel();
    let there = Arc::clone(&work);
    let started = thread::Builder::new().name("background".into()).spawn(move || {
        if let Some(work) = take(&there) {
            // An error means that nobody waits any more.
            drop(sender.send(work()));
        }
    });
    if started.is_err()
        && let Some(work) = take(&work)
    {
        return Ok(work());
    }
    done.await.map_err(|_| io::Error::other("work in the background has panicked"))
}

/// Drops a value whose destructor is slow, on a new thread, or on the current thread if the system
/// has none left.
pub(crate) fn discard<T: Send + 'static>(value: T) {
    let started = thread::Builder::new().name("background".into()).spawn(move || drop(value));
    if let Err(error) = started {
        tracing::debug!(%error, "no thread to drop something on");
    }
}

fn take<T>(work: &Mutex<Option<T>>) -> Option<T> {
    work.lock().unwrap_or_else(PoisonError::into_inner).take()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A value that reports the thread on which it is dropped.
    struct Told(mpsc::Sender<thread::ThreadId>);

    impl Drop for Told {
        fn drop(&mut self) {
            self.0.send(thread::current().id()).unwrap();
        }
    }

    #[test]
    fn what_is_discarded_is_dropped_on_another_thread() {
        let (sender, dropped) = mpsc::channel();
        discard(Told(sender));
        assert_ne!(dropped.recv().unwrap(), thread::current().id());
    }
}
