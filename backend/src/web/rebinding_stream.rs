//! A connection that moves to the runtime that uses it.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    runtime::{Handle, Id},
    time::Instant,
};

use super::read_rate::ReadRate;

/// A TCP connection that is registered with the runtime in which it was last polled.
///
/// A tokio socket stays with the runtime in which it was created. When an attachment has moved to
/// the threads for floods, every acknowledgement would still wake the thread for keys, only for
/// that to wake the other one.
#[derive(Debug)]
pub(super) struct RebindingStream {
    /// `None` after moving it has failed.
    stream: Option<TcpStream>,
    runtime: Id,
    rate: ReadRate,
}

impl RebindingStream {
    /// Takes a stream that is registered with the current runtime.
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream: Some(stream), runtime: Handle::current().id(), rate: ReadRate::new(Instant::now()) }
    }

    /// Returns the stream, registered with the current runtime. Tasks that waited for it in another
    /// runtime have to poll it again.
    fn rebind(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        let current = Handle::current().id();
        if self.runtime != current {
            let moved = self.stream.take().map(|stream| TcpStream::from_std(stream.into_std()?));
            self.stream = moved.transpose()?;
            self.runtime = current;
        }
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for RebindingStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.rate.poll_ready(context));
        let before = buffer.filled().len();
        let read = self.rebind()?.poll_read(context, buffer);
        let bytes = read.is_ready().then(|| buffer.filled().len() - before);
        self.rate.record_read(bytes, Instant::now());
        read
    }
}

impl AsyncWrite for RebindingStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.rebind()?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.rebind()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.rebind()?.poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.rebind()?.poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        runtime::Builder,
        time::timeout,
    };

    use super::*;

    /// Deadline after which a test that hangs fails. Nothing here takes long.
    const DEADLINE: Duration = Duration::from_secs(20);

    #[test]
    fn it_goes_on_in_another_runtime_when_the_first_one_no_longer_runs() {
        let runtime = || Builder::new_current_thread().enable_all().build().unwrap();
        let (first, second) = (runtime(), runtime());
        let (mut near, far) = first.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            (RebindingStream::new(near), listener.accept().await.unwrap().0.into_std().unwrap())
        });
        for round in 0..2_u8 {
            for runtime in [&second, &first] {
                runtime.block_on(async {
                    let mut there = TcpStream::from_std(far.try_clone().unwrap()).unwrap();
                    let exchange = async {
                        let mut seen = [0; 2];
                        // The far end writes only once this end waits.
                        let (read, write) = tokio::join!(near.read_exact(&mut seen), async {
                            tokio::task::yield_now().await;
                            there.write_all(&[round, 1]).await
                        });
                        write.unwrap();
                        read.unwrap();
                        assert_eq!(seen, [round, 1]);
                        near.write_all(b"and back").await.unwrap();
                        let mut back = [0; 8];
                        there.read_exact(&mut back).await.unwrap();
                        assert_eq!(&back, b"and back");
                    };
                    timeout(DEADLINE, exchange).await.unwrap();
                });
            }
        }
    }
}
