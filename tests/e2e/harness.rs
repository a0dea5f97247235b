//! Helpers that the tests are written in.

pub(crate) mod browser;
pub(crate) mod census;
pub(crate) mod client;
pub(crate) mod container;
mod core_client;
mod event_stream;
mod faults;
pub(crate) mod flaky_proxy;
mod server;
mod service_manager;
mod shown;
pub(crate) mod standalone;

use std::time::Duration;

use limpet_shared::{Role, SessionId, api::Pass};
use slow_link::{Shape, SlowLink};
use tokio::time::{sleep, timeout};

pub(crate) use self::{
    browser::Browser,
    census::Census,
    client::{Client, Hello},
    core_client::CoreClient,
    event_stream::EventStream,
    faults::Faults,
    flaky_proxy::FlakyProxy,
    server::{Options, Server, TOKEN},
    service_manager::ServiceManager,
    shown::Shown,
};

/// Maximum duration of any step of a test. Nothing tested takes long, so a longer wait is a hang.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// Interval at which a condition without a notification is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Runs a future to its end, or fails the test and names what it was waiting for.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    within(what, async {
        while !condition() {
            sleep(POLL_INTERVAL).await;
        }
    })
    .await;
}

/// Returns the passes to a session: the reader's and the writer's.
pub(crate) async fn passes(server: &Server, id: &SessionId) -> [String; 2] {
    let passes: Vec<Pass> = server.get(&format!("/api/sessions/{id}/passes")).await.json().await.unwrap();
    [Role::Reader, Role::Writer]
        .map(|role| passes.iter().find(|pass| pass.role == role).unwrap().token.clone())
}

/// Creates a network in front of this server with the given rate in Mbit/s and round trip in
/// milliseconds.
pub(crate) async fn slow_link(server: &Server, megabits: f64, round_trip: u64) -> SlowLink {
    let shape = Shape { megabits, round_trip: Duration::from_millis(round_trip) };
    SlowLink::to(server.address(), shape).await.unwrap()
}
