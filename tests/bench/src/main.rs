//! How fast and how light limpet is: beside floors that nothing can beat, and beside other servers, in the same run.
//!
//! `cargo xtask bench` builds what is measured and calls this. Figures of different runs are not to be compared, on a
//! machine that others use least of all; so what counts are ratios, formed pair by pair of runs that took turns.
//!
//! * [`measure`]: what is measured, by [`viewer`]s (the load generator, over [`wire`]) of [`peers`] (servers, among
//!   them the [`floor`]s) that run the program of the [`stage`], perhaps by way of a slow [`link`], or beside [`guests`].
//! * [`figures`] takes down, [`stats`] condenses, [`noise`] listens to the rest of the machine.
//! * [`report`] and [`budgets`]: what is made of it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this program talks to whoever waits for it")]

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
    figures::Book,
    floor::Floor,
    guests::Invitation,
    measure::{Bench, Extent},
    peers::Peer,
    report::Report,
    stage::Stage,
};

#[derive(Debug, Parser)]
#[command(about = "Measures limpet; started by cargo xtask bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures.
    Run(Options),
    /// Serves with the least that can be done.
    Floor {
        floor: Floor,
        #[arg(last = true)]
        program: Vec<String>,
    },
    /// Is eight guests who do their worst.
    Guests(Invitation),
}

#[derive(Debug, Args)]
struct Options {
    /// The binary to be measured.
    #[arg(long)]
    limpet: PathBuf,
    /// Only as much as shows that figures come out.
    #[arg(long)]
    quick: bool,
    /// Fail if a budget is missed.
    #[arg(long)]
    check: bool,
    /// The browser that shows the page.
    #[arg(long)]
    chromium: Option<PathBuf>,
    /// Another server, as NAME=COMMAND.
    #[arg(long = "peer")]
    peers: Vec<String>,
    /// Only these parts.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Of output, echo, interrupts and the page, only scenes in whose names this is.
    #[arg(long, default_value = "")]
    scene: String,
    /// The bounds.
    #[arg(long)]
    budgets: PathBuf,
    /// Where plots and the table go for people to read.
    #[arg(long)]
    docs: Option<PathBuf>,
    /// Where the report goes.
    #[arg(long)]
    out: PathBuf,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Output,
    Echo,
    Interrupt,
    Weight,
    Page,
}

/// Tells whoever waits what comes next.
fn say(what: &str) {
    eprintln!("measuring  {what}");
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(options) => run(&options),
        Command::Floor { floor, program } => serve(floor, &program),
        Command::Guests(invitation) => one_thread().map(|runtime| runtime.block_on(invitation.run())),
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
    let extent = if options.quick { Extent::Quick } else { Extent::Full };
    let peers = options.peers.iter().map(|peer| Peer::parse(peer)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut bench = Bench {
        extent,
        scene: options.scene.clone(),
        stage: Stage::new()?,
        limpet: Peer::limpet(&options.limpet),
        reader: Peer::floor(Floor::Reader)?,
        relay: Peer::floor(Floor::Relay)?,
        lean: Peer::floor(Floor::Lean)?,
        peers,
        crowd: crowd.handle().clone(),
        chromium: options.chromium.clone(),
        book: Book::default(),
    };
    raise_limit()?;
    let start = Instant::now();
    one_thread()?.block_on(measure(&mut bench, &options.only));
    let Book { runs, .. } = bench.book;
    let others = bench.peers.iter().map(|peer| peer.name.as_str());
    let mut references = vec!["reader", "relay", "lean", "spawn loop", "xterm.js", measure::echo::ALONE];
    references.extend(others.filter(|name| name.starts_with(peers::OTHER_LIMPET)));
    let figures = bench.book.figures();
    let ratios = bench.book.ratios(&references);
    let report = Report {
        quick: options.quick,
        machine: machine::Machine::this(versions(options, &bench.peers)?),
        seconds: start.elapsed().as_secs_f64(),
        budgets: budgets.iter().map(|budget| budget.judge(&figures, &ratios)).collect(),
        figures,
        ratios,
        runs,
        disturbed: bench.book.disturbed,
        failed: bench.book.failed,
    };
    crowd.shutdown_background();
    finish(&report, options)
}

/// Thousands of viewers have a descriptor each; servers inherit the limit.
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
    let limpet = machine::version(&[&limpet, "--version"]).context("limpet does not tell its version")?;
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
    println!("The same for programs: {}", path.display());
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
        bail!("{} gave no figures in {}: {}", failed.server, failed.scene, failed.why);
    }
    let missed = report.budgets.iter().filter(|verdict| verdict.standing == Standing::Missed).count();
    if options.check && missed > 0 {
        bail!("{missed} budgets are missed");
    }
    Ok(())
}

fn unwritable(path: &Path) -> String {
    format!("could not write to {}", path.display())
}
