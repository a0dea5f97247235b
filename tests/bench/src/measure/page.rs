//! The page, measured by a Node.js program that drives Chromium and prints its figures line by
//! line.

use std::process::Stdio;

use anyhow::{Context, bail};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use super::{Amount, Bench};
use crate::{figures::Unit, noise::NoiseMeter, report_progress, stage::Text};

/// A figure that the program prints.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportedFigure {
    scene: String,
    metric: String,
    server: String,
    unit: Unit,
    value: f64,
}

/// Runs the program and records its figures.
pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let chromium = bench.chromium.clone().context("without --chromium there are no figures of the page")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/page/main.mjs");
    let mut command = Command::new("node");
    command.arg(script).args((bench.amount == Amount::Quick).then_some("--quick"));
    command.arg(format!("--scene={}", bench.scene));
    command.env("LIMPET_BIN", std::path::absolute(bench.limpet.program())?).env("CHROMIUM", chromium);
    command.env("BENCH", std::env::current_exe()?);
    for (name, text) in [("BENCH_LINES", Text::Lines), ("BENCH_COLOURED", Text::Coloured)] {
        command.env(name, bench.workload.file(text, 4_000_000)?);
    }
    report_progress("the page");
    let meter = NoiseMeter::start();
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().context("Node.js is needed")?;
    let mut lines = BufReader::new(child.stdout.take().context("standard output is not piped")?).lines();
    let mut last = String::new();
    while let Some(line) = lines.next_line().await? {
        let figure: ReportedFigure = serde_json::from_str(&line)
            .with_context(|| format!("the page benchmark printed an invalid line: {line}"))?;
        let ReportedFigure { scene, metric, server, unit, value } = figure;
        if scene != last {
            report_progress(&scene);
        }
        bench.recorder.record(&scene, &metric, &server, unit, value);
        last = scene;
    }
    bench.recorder.record_noise("page", "limpet", meter.stop());
    let status = child.wait().await?;
    if !status.success() {
        bail!("the page benchmark ended with {status}");
    }
    Ok(())
}
