//! Work that blocks, away from the threads that serve.

use std::{io, thread};

use tokio::sync::oneshot;

/// Does `work` on a thread of its own, whether or not the caller still waits.
///
/// The runtime's own threads for such work are not used: it panics when the system has no thread for it.
///
/// # Errors
/// When the system has no thread, or `work` panicked.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (sender, done) = oneshot::channel();
    // An error says that nobody waits any more.
    thread::Builder::new().name("background".into()).spawn(move || drop(sender.send(work())))?;
    done.await.map_err(|_| io::Error::other("work in the background has panicked"))
}
