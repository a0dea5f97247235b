//! A network that is slow: passes connections on at a rate, and late.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// What is read at once.
const PACKET: usize = 1400;

/// Packets that wait for their turn, as in a router.
const QUEUE: usize = 16;

/// Packets that may be on their way at once: more than any rate and delay here makes.
const UNDER_WAY: usize = 10_000;

/// Listens on an address of its own. Dropping it ends its connections.
pub(crate) struct SlowLink {
    address: String,
    _tasks: JoinSet<()>,
}

impl SlowLink {
    /// Carries so many bytes a second to `upstream` and back, each of them that much later.
    pub(crate) async fn new(upstream: &str, rate: f64, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let upstream = upstream.to_owned();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(&upstream).await.unwrap();
                let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
                connections.spawn(pass(far_read, near_write, rate, delay));
                connections.spawn(pass(near_read, far_write, rate, delay));
            }
        });
        Self { address, _tasks: tasks }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, rate: f64, delay: Duration) {
    let (send, mut arriving) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let carry = async move {
        let (queue, mut queued) = mpsc::channel::<Vec<u8>>(QUEUE);
        let read = async move {
            let mut buffer = [0; PACKET];
            while let Ok(count @ 1..) = from.read(&mut buffer).await {
                if queue.send(buffer[..count].to_vec()).await.is_err() {
                    return;
                }
            }
        };
        let pace = async move {
            let mut free = Instant::now();
            while let Some(packet) = queued.recv().await {
                #[expect(clippy::cast_precision_loss, reason = "packets are small")]
                let takes = Duration::from_secs_f64(packet.len() as f64 / rate);
                free = free.max(Instant::now()) + takes;
                sleep_until(free).await;
                if send.send((free + delay, packet)).await.is_err() {
                    return;
                }
            }
        };
        tokio::join!(read, pace);
    };
    let deliver = async move {
        while let Some((at, packet)) = arriving.recv().await {
            sleep_until(at).await;
            if to.write_all(&packet).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(carry, deliver);
}
