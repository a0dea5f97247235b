//! Measures how fast and how light limpet is, compared in the same run with floors that nothing can
//! beat and with other servers.
//!
//! `cargo xtask bench` builds the measured programs and runs this one. Figures of different runs
//! are not comparable, least of all on a machine that others use. So the results are ratios, formed
//! pair by pair from runs that took turns.
//!
//! * [`mod@measure`]: the measurements. [`viewer`]s (the load generator, over [`wire`]) attach to
//!   [`peers`] (servers, among them the [`floor`]s) that run the program of the [`stage`],
//!   optionally through a [`slow_link`] or beside [`guests`].
//! * [`figures`] records the results, [`stats`] summarizes them, and [`noise`] watches the rest of
//!   the machine.
//! * [`report`] and [`budgets`]: the presentation of the results and the limits on them.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this program reports to the terminal")]

mod budgets;
mod connection;
mod figures;
mod floor;
mod guests;
mod http;
mod lean_floor;
mod machine;
mod measure;
mod noise;
mod peers;
mod polling;
mod proc;
mod report;
mod stage;
mod stats;
mod viewer;
mod wire;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::{
    budgets::Standing,
    figures::Recorder,
    floor::Floor,
    guests::GuestAccess,
    measure::{Amount, Bench},
    peers::Peer,
    report::Report,
    stage::Workload,
};

#[derive(Debug, Parser)]
#[command(about = "Measures limpet; started by cargo xtask bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the measurements.
    Run(Options),
    /// Serves as one of the floors, with the least possible work.
    Floor {
        floor: Floor,
        #[arg(last = true)]
        program: Vec<String>,
    },
    /// Runs eight guests that behave as badly as possible.
    Guests(GuestAccess),
}

#[derive(Debug, Args)]
struct Options {
    /// Binary to measure.
    #[arg(long)]
    limpet: PathBuf,
    /// Do only enough to show that figures come out.
    #[arg(long)]
    quick: bool,
    /// Fail if a budget is missed.
    #[arg(long)]
    check: bool,
    /// Browser that shows the page.
    #[arg(long)]
    chromium: Option<PathBuf>,
    /// Another server, as NAME=COMMAND.
    #[arg(long = "peer")]
    peers: Vec<String>,
    /// Run only these parts.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Of output, echo, interrupts and the page, run only scenes whose names contain this.
    #[arg(long, default_value = "")]
    scene: String,
    /// File with the budgets.
    #[arg(long)]
    budgets: PathBuf,
    /// Directory for the plots and the table in the documentation.
    #[arg(long)]
    docs: Option<PathBuf>,
    /// Directory for the report.
    #[arg(long)]
    out: PathBuf,
}

/// A part of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Output,
    Echo,
    Interrupt,
    Weight,
    Page,
}

/// Reports progress: what is measured next.
fn report_progress(what: &str) {
    eprintln!("measuring  {what}");
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(options) => run(&options),
        Command::Floor { floor, program } => serve(floor, &program),
        Command::Guests(access) => one_thread().map(|runtime| runtime.block_on(access.run())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn one_thread() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

fn serve(floor: Floor, program: &[String]) -> anyhow::Result<()> {
    match floor {
        Floor::Lean => lean_floor::serve(program),
        floor => one_thread()?.block_on(floor::serve(floor, program)),
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let budgets = budgets::read(&options.budgets)?;
    let crowd = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let amount = if options.quick { Amount::Quick } else { Amount::Full };
    let peers = options.peers.iter().map(|peer| Peer::parse(peer)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut bench = Bench {
        amount,
        scene: options.scene.clone(),
        workload: Workload::new()?,
        limpet: Peer::limpet(&options.limpet),
        reader: Peer::floor(Floor::Reader)?,
        relay: Peer::floor(Floor::Relay)?,
        lean: Peer::floor(Floor::Lean)?,
        peers,
        crowd: crowd.handle().clone(),
        chromium: options.chromium.clone(),
        recorder: Recorder::default(),
    };
    raise_limit()?;
    let start = Instant::now();
    one_thread()?.block_on(measure(&mut bench, &options.only));
    let Recorder { runs, .. } = bench.recorder;
    let others = bench.peers.iter().map(|peer| peer.name.as_str());
    let mut references = vec!["reader", "relay", "lean", "spawn loop", "xterm.js"];
    references.extend(measure::echo::WITHOUT_GUESTS);
    references.extend(others.filter(|name| name.starts_with(peers::OTHER_LIMPET)));
    let figures = bench.recorder.figures();
    let ratios = bench.recorder.ratios(&references);
    let report = Report {
        quick: options.quick,
        machine: machine::Machine::this(versions(options, &bench.peers)?),
        seconds: start.elapsed().as_secs_f64(),
        budgets: budgets.iter().map(|budget| budget.judge(&figures, &ratios)).collect(),
        figures,
        ratios,
        runs,
        disturbed: bench.recorder.disturbed,
        failed: bench.recorder.failed,
    };
    crowd.shutdown_background();
    finish(&report, options)
}

/// Raises the limit on open files: thousands of viewers have one descriptor each, and servers
/// inherit the limit.
fn raise_limit() -> anyhow::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).context("could not raise the limit of open files")
}

async fn measure(bench: &mut Bench, only: &[Part]) {
    let has_browser = bench.chromium.is_some();
    let wanted = |part: &Part| match part {
        Part::Page if only.is_empty() => has_browser,
        part => only.is_empty() || only.contains(part),
    };
    for part in Part::value_variants().iter().filter(|part| wanted(part)) {
        let done = match part {
            Part::Output => measure::output::run(bench).await,
            Part::Echo => measure::echo::run(bench).await,
            Part::Interrupt => measure::interrupt::run(bench).await,
            Part::Weight => measure::weight::run(bench).await,
            Part::Page => measure::page::run(bench).await,
        };
        bench.accept(&format!("{part:?}"), &bench.limpet.clone(), done);
    }
}

fn versions(options: &Options, peers: &[Peer]) -> anyhow::Result<Vec<(String, String)>> {
    let limpet = options.limpet.display().to_string();
    let limpet = machine::version(&[&limpet, "--version"]).context("could not read limpet's version")?;
    let limpet = limpet.trim_start_matches("limpet ").to_owned();
    let mut versions = vec![("limpet".to_owned(), limpet)];
    versions.extend(peers.iter().filter_map(|peer| Some((peer.name.clone(), peer.version()?))));
    Ok(versions)
}

fn finish(report: &Report, options: &Options) -> anyhow::Result<()> {
    std::fs::create_dir_all(&options.out).with_context(|| unwritable(&options.out))?;
    let path = options.out.join("bench.json");
    report::json::write(report, &path)?;
    println!("{}", report::table::text(report));
    println!("Report as JSON: {}", path.display());
    if let Some(docs) = &options.docs {
        report::plots::write(report, docs)?;
    }
    report::json::check(report)?;
    if options.only.is_empty() {
        report::json::check_complete(report)?;
    }
    let is_ours =
        |failed: &&figures::Failed| ["limpet", "reader", "relay", "lean"].contains(&failed.server.as_str());
    if let Some(failed) = report.failed.iter().find(is_ours) {
        bail!("{} yielded no figures in {}: {}", failed.server, failed.scene, failed.why);
    }
    let missed = report.budgets.iter().filter(|verdict| verdict.standing == Standing::Missed).count();
    if options.check && missed > 0 {
        bail!("{missed} budgets were missed");
    }
    Ok(())
}

fn unwritable(path: &Path) -> String {
    format!("could not write to {}", path.display())
}
