//! What the tests speak in.

pub(crate) mod census;
pub(crate) mod client;
pub(crate) mod cutter;
mod manager;
mod server;
pub(crate) mod slow_link;

use std::time::Duration;

use tokio::time::{sleep, timeout};

pub(crate) use self::{
    census::Census,
    client::{Client, Hello},
    cutter::Cutter,
    manager::Manager,
    server::{Options, Server, TOKEN},
    slow_link::SlowLink,
};

/// Nothing that is tested takes long; what hangs is reported by this.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// How often a condition is looked at that announces itself by nothing.
const LOOK: Duration = Duration::from_millis(10);

/// Runs to the end, or fails the test with what it was waiting for.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    within(what, async {
        while !condition() {
            sleep(LOOK).await;
        }
    })
    .await;
}
