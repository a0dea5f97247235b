//! A network link of a given rate and delay. A packet waits for its turn and then travels for the
//! delay.

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

/// Maximum number of bytes read at once.
const MAX_PACKET_BYTES: usize = 1400;

/// Maximum number of packets that wait for their turn, about 64 KiB as in a router.
const MAX_QUEUED_PACKETS: usize = 48;

/// Maximum number of packets travelling at once. No rate and delay in use here reaches it.
const MAX_PACKETS_IN_FLIGHT: usize = 10_000;

/// The capacity of a link in each direction.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Rate in millions of bits per second.
    pub megabits: f64,
    /// Round-trip time. A packet takes half of it one way.
    pub round_trip: Duration,
}

impl Shape {
    #[expect(clippy::cast_precision_loss, reason = "packets are small")]
    fn transmission_time(self, bytes: usize) -> Duration {
        Duration::from_secs_f64(bytes as f64 * 8.0 / self.megabits / 1e6)
    }
}

/// A slow link, which listens on an address of its own. Dropping it ends its connections.
#[derive(Debug)]
pub struct SlowLink {
    address: String,
    _tasks: JoinSet<()>,
}

impl SlowLink {
    /// Starts a link that carries connections to the listener at `upstream`.
    ///
    /// # Errors
    ///
    /// Fails if no socket can be bound to loopback (`bind(2)`).
    pub async fn to(upstream: &str, shape: Shape) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let upstream = upstream.to_owned();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut directions = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                // If the upstream cannot be reached, this end is closed.
                let Ok(far) = TcpStream::connect(&upstream).await else { continue };
                let _ = (near.set_nodelay(true), far.set_nodelay(true));
                let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
                directions.spawn(forward(far_read, near_write, shape));
                directions.spawn(forward(near_read, far_write, shape));
            }
        });
        Ok(Self { address, _tasks: tasks })
    }

    /// Returns the address to connect to instead of `upstream`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}

/// Carries one direction of a connection.
async fn forward(from: OwnedReadHalf, to: OwnedWriteHalf, shape: Shape) {
    let (queue, queued) = mpsc::channel(MAX_QUEUED_PACKETS);
    let (send, arriving) = mpsc::channel(MAX_PACKETS_IN_FLIGHT);
    tokio::join!(read_packets(from, queue), pace_packets(queued, send, shape), deliver(arriving, to));
}

async fn read_packets(mut from: OwnedReadHalf, queue: mpsc::Sender<Vec<u8>>) {
    let mut buffer = [0; MAX_PACKET_BYTES];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if queue.send(buffer[..count].to_vec()).await.is_err() {
            return;
        }
    }
}

async fn pace_packets(
    mut queued: mpsc::Receiver<Vec<u8>>,
    send: mpsc::Sender<(Instant, Vec<u8>)>,
    shape: Shape,
) {
    let mut free = Instant::now();
    while let Some(packet) = queued.recv().await {
        free = free.max(Instant::now()) + shape.transmission_time(packet.len());
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
