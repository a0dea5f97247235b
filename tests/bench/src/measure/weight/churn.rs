//! Sessions that are opened and closed: what they leave behind.

use std::time::Instant;

use serde_json::json;

use super::{super::resource_usage_when_idle, Bench, resources_held, start::MANY_SESSIONS_FLAGS};
use crate::{figures::Unit, noise::NoiseMeter, report_progress, stats::float};

const SCENE: &str = "sessions opened and closed";

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    // Memory that allocators and pools take once does not count as growth.
    let (warm, sessions) = bench.amount.pick((2_000, 20_000), (20, 60));
    report_progress(&format!("{sessions} {SCENE}"));
    let server = bench.limpet.start(&["cat".to_owned()], MANY_SESSIONS_FLAGS).await?;
    let processes = server.processes()?;
    let mut client = server.endpoint.client().await?;
    let mut before = resources_held(&processes);
    let (meter, start) = (NoiseMeter::start(), Instant::now());
    for at in 0..sessions {
        if at == warm {
            resource_usage_when_idle(&processes).await;
            before = resources_held(&processes);
        }
        let id = client.open(&json!({ "command": ["cat"] })).await?;
        client.close(&id).await?;
    }
    let seconds = start.elapsed().as_secs_f64();
    resource_usage_when_idle(&processes).await;
    let after = resources_held(&processes);
    bench.recorder.record_noise(SCENE, "limpet", meter.stop());
    let mut record = |metric, unit, value| bench.recorder.record(SCENE, metric, "limpet", unit, value);
    record("rate", Unit::PerSecond, float(sessions) / seconds);
    record("resident grown by", Unit::Kibibytes, (after.resident - before.resident) / 1024.0);
    record("descriptors grown by", Unit::Count, after.descriptors - before.descriptors);
    record("threads grown by", Unit::Count, after.threads - before.threads);
    server.stop().await
}
