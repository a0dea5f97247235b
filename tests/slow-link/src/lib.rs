//! A network of a certain rate and delay: what passes through waits for its turn, and then is on its way.

use std::{io, time::Duration};

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

/// What is read at once, in bytes.
const PACKET: usize = 1400;

/// Packets that wait for their turn, as in a router: 64 KiB or so.
const QUEUE: usize = 48;

/// Packets that may be on their way at once: more than any rate and delay here makes.
const UNDER_WAY: usize = 10_000;

/// What a link carries, each way.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Bits per second, in millions.
    pub megabits: f64,
    /// What is carried takes half of this one way.
    pub round_trip: Duration,
}

impl Shape {
    #[expect(clippy::cast_precision_loss, reason = "packets are small")]
    fn takes(self, bytes: usize) -> Duration {
        Duration::from_secs_f64(bytes as f64 * 8.0 / self.megabits / 1e6)
    }
}

/// Listens on an address of its own. Dropping it ends its connections.
#[derive(Debug)]
pub struct SlowLink {
    address: String,
    _tasks: JoinSet<()>,
}

impl SlowLink {
    /// Carries what comes to who listens at `upstream`, and back.
    ///
    /// # Errors
    ///
    /// No socket could be bound to loopback (`bind(2)`).
    pub async fn to(upstream: &str, shape: Shape) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let upstream = upstream.to_owned();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut ways = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                // Who cannot be reached is as good as gone.
                let Ok(far) = TcpStream::connect(&upstream).await else { continue };
                let _ = (near.set_nodelay(true), far.set_nodelay(true));
                let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
                ways.spawn(pass(far_read, near_write, shape));
                ways.spawn(pass(near_read, far_write, shape));
            }
        });
        Ok(Self { address, _tasks: tasks })
    }

    /// Where to connect to instead of `upstream`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}

/// One direction.
async fn pass(from: OwnedReadHalf, to: OwnedWriteHalf, shape: Shape) {
    let (queue, queued) = mpsc::channel(QUEUE);
    let (send, arriving) = mpsc::channel(UNDER_WAY);
    tokio::join!(take(from, queue), turns(queued, send, shape), deliver(arriving, to));
}

async fn take(mut from: OwnedReadHalf, queue: mpsc::Sender<Vec<u8>>) {
    let mut buffer = [0; PACKET];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if queue.send(buffer[..count].to_vec()).await.is_err() {
            return;
        }
    }
}

async fn turns(mut queued: mpsc::Receiver<Vec<u8>>, send: mpsc::Sender<(Instant, Vec<u8>)>, shape: Shape) {
    let mut free = Instant::now();
    while let Some(packet) = queued.recv().await {
        free = free.max(Instant::now()) + shape.takes(packet.len());
        sleep_until(free).await;
        if send.send((free + shape.round_trip / 2, packet)).await.is_err() {
            return;
        }
    }
}

async fn deliver(mut arriving: mpsc::Receiver<(Instant, Vec<u8>)>, mut to: OwnedWriteHalf) {
    while let Some((at, packet)) = arriving.recv().await {
        sleep_until(at).await;
        if to.write_all(&packet).await.is_err() {
            return;
        }
    }
}
