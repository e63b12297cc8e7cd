//! Counts the CPU instructions of one operation on each hot path and compares them with a baseline.
//!
//! Time depends on what else the machine does; the number of instructions of the same binary hardly does.
//! Each path runs under callgrind twice, with few operations and with many. The difference, per operation,
//! excludes the start and the end of the process.

mod baseline;
mod callgrind;
mod paths;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::baseline::{Baseline, Builder};
use crate::paths::Path;

/// Operations in the shorter run; the longer one has eleven times as many.
const OPERATIONS: u32 = 1_000;

/// An increase by more than this fraction of the baseline is a regression.
const TOLERANCE: f64 = 0.10;

/// Counts the instructions of the hot paths and compares them with a baseline.
#[derive(Debug, Parser)]
#[command(name = "chatpush-instructions")]
struct Arguments {
    /// The file with the baseline
    #[arg(long, value_name = "FILE", default_value = "bench/instructions/baseline.toml")]
    baseline: PathBuf,
    /// Count, and write the baseline instead of comparing
    #[arg(long)]
    write: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one path this many times; used under callgrind
    #[command(hide = true)]
    Run { path: Path, times: u32 },
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(Command::Run { path, times }) = arguments.command {
        path.run(times)?;
        return Ok(ExitCode::SUCCESS);
    }
    if !callgrind::is_installed() {
        println!("not counted: valgrind is not installed");
        return Ok(ExitCode::SUCCESS);
    }
    let builder = Builder::here()?;
    if arguments.write {
        return write(&arguments.baseline, builder);
    }
    let baseline = Baseline::read(&arguments.baseline)?;
    if baseline.builder != builder {
        println!("not compared: the baseline is for {}, this is {builder}", baseline.builder);
        return Ok(ExitCode::SUCCESS);
    }
    compare(&baseline)
}

fn write(file: &std::path::Path, builder: Builder) -> anyhow::Result<ExitCode> {
    let mut baseline = Baseline { builder, instructions: std::collections::BTreeMap::new() };
    for path in Path::ALL {
        let counted = per_operation(path)?;
        println!("{path:<8} {counted:>8.0}");
        baseline.instructions.insert(path.to_string(), counted.round());
    }
    baseline.write(file)?;
    Ok(ExitCode::SUCCESS)
}

fn compare(baseline: &Baseline) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for path in Path::ALL {
        let before = baseline.instructions.get(&path.to_string());
        let before = *before.with_context(|| format!("the baseline has no {path}: run with --write"))?;
        let counted = per_operation(path)?;
        let change = counted / before - 1.0;
        let remark = if change > TOLERANCE {
            code = ExitCode::FAILURE;
            "  REGRESSION: reduce it, or run with --write and explain why"
        } else if change < -TOLERANCE {
            "  better: run with --write"
        } else {
            ""
        };
        println!("{path:<8} {counted:>8.0}  baseline {before:>8.0}  {:>+6.1} %{remark}", change * 100.0);
    }
    Ok(code)
}

/// Instructions of one operation.
fn per_operation(path: Path) -> anyhow::Result<f64> {
    let few = callgrind::count(path, OPERATIONS)?;
    let many = callgrind::count(path, OPERATIONS * 11)?;
    let more = u32::try_from(many.saturating_sub(few)).context("too many instructions")?;
    Ok(f64::from(more) / f64::from(OPERATIONS * 10))
}
