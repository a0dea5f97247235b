//! Sessions that are opened and closed: what they leave behind.

use std::time::Instant;

use serde_json::json;

use super::{super::used_when_quiet, Bench, held, start::MANY};
use crate::{figures::Unit, noise::Listener, say, stats::float};

const SCENE: &str = "sessions opened and closed";

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    // Memory that allocators and pools take once does not count as growth.
    let (warm, sessions) = bench.extent.pick((2_000, 20_000), (20, 60));
    say(&format!("{sessions} {SCENE}"));
    let server = bench.limpet.start(&["cat".to_owned()], MANY).await?;
    let processes = server.processes()?;
    let mut client = server.endpoint.client().await?;
    let mut before = held(&processes);
    let (listener, start) = (Listener::start(), Instant::now());
    for at in 0..sessions {
        if at == warm {
            used_when_quiet(&processes).await;
            before = held(&processes);
        }
        let id = client.open(&json!({ "command": ["cat"] })).await?;
        client.close(&id).await?;
    }
    let seconds = start.elapsed().as_secs_f64();
    used_when_quiet(&processes).await;
    let after = held(&processes);
    bench.book.heard(SCENE, "limpet", listener.stop());
    let mut note = |metric, unit, value| bench.book.note(SCENE, metric, "limpet", unit, value);
    note("rate", Unit::PerSecond, float(sessions) / seconds);
    note("resident grown by", Unit::Kibibytes, (after.resident - before.resident) / 1024.0);
    note("descriptors grown by", Unit::Count, after.descriptors - before.descriptors);
    note("threads grown by", Unit::Count, after.threads - before.threads);
    server.stop().await
}
