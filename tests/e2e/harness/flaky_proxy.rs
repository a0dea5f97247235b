//! A network that fails: it relays connections and cuts each one after a number of bytes.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinSet,
};

/// A relay with its own listening address. Dropping it ends its connections.
pub(crate) struct FlakyProxy {
    address: String,
    _tasks: JoinSet<()>,
}

/// A pseudo-random number generator that yields the same numbers in every run: `xorshift64*`.
#[derive(Clone, Debug)]
pub(crate) struct SeededRng(u64);

impl SeededRng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

impl FlakyProxy {
    /// Cuts every connection to `upstream` after fewer than `max_bytes` bytes, in either direction.
    pub(crate) async fn start(upstream: &str, max_bytes: u64, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let upstream = upstream.to_owned();
        let rng = Arc::new(Mutex::new(SeededRng::new(seed)));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let (down, up) = {
                    let mut rng = rng.lock().unwrap();
                    (rng.below(max_bytes), rng.below(max_bytes))
                };
                let upstream = upstream.clone();
                connections.spawn(async move { relay(near, &upstream, down, up).await });
            }
        });
        Self { address, _tasks: tasks }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

/// Relays until either direction has used up its bytes or ended, then ends both.
async fn relay(near: TcpStream, upstream: &str, down: u64, up: u64) {
    let Ok(far) = TcpStream::connect(upstream).await else { return };
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::select! {
        () = relay_direction(far_read, near_write, down) => {}
        () = relay_direction(near_read, far_write, up) => {}
    }
}

async fn relay_direction(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut left: u64) {
    let mut buffer = vec![0; 16 * 1024];
    while left > 0 {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        let passed = usize::try_from(left).unwrap_or(usize::MAX).min(read);
        if to.write_all(&buffer[..passed]).await.is_err() {
            return;
        }
        left -= passed as u64;
    }
}
