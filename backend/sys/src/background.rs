//! Runs blocking work away from the threads that serve.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use tokio::sync::oneshot;

/// Runs `work` to completion on a new thread, even if the caller stops waiting. Runs it here if the
/// system has no thread for it.
///
/// The runtime's own blocking threads are not used, because the runtime panics if the system has no
/// thread.
///
/// # Errors
/// Returns an error if `work` panics on its thread.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    // If the thread cannot be started, the work must not be lost with it.
    let work = Arc::new(Mutex::new(Some(work)));
    let (sender, done) = oneshot::channel();
    let thread_work = Arc::clone(&work);
    let started = thread::Builder::new().name("background".into()).spawn(move || {
        if let Some(work) = take(&thread_work) {
            // The error means that nobody waits any more.
            drop(sender.send(work()));
        }
    });
    if started.is_err()
        && let Some(work) = take(&work)
    {
        return Ok(work());
    }
    done.await.map_err(|_| io::Error::other("a background task panicked"))
}

/// Drops a value that takes long to drop on a new thread, or here if the system has no thread for
/// it.
pub fn drop_in_background<T: Send + 'static>(value: T) {
    let started = thread::Builder::new().name("background".into()).spawn(move || drop(value));
    if let Err(error) = started {
        tracing::debug!(%error, "no thread is available to drop a value");
    }
}

fn take<T>(work: &Mutex<Option<T>>) -> Option<T> {
    work.lock().unwrap_or_else(PoisonError::into_inner).take()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Reports the thread that it is dropped on.
    struct DropReporter(mpsc::Sender<thread::ThreadId>);

    impl Drop for DropReporter {
        fn drop(&mut self) {
            self.0.send(thread::current().id()).unwrap();
        }
    }

    #[test]
    fn what_is_discarded_is_dropped_on_another_thread() {
        let (sender, dropped) = mpsc::channel();
        drop_in_background(DropReporter(sender));
        assert_ne!(dropped.recv().unwrap(), thread::current().id());
    }
}
