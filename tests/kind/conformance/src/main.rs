//! `make kind-upstream` runs Kubernetes' own tests, whose reports are JUnit XML with a line for each of 3,206 cases. Of those
//! that ran this prints what a person wants to know, and writes it to the page in docs/ of that cluster's variant when the run was
//! one of all of them.

mod cause;
mod page;
mod report;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use std::{path::PathBuf, process::ExitCode};

/// Turns the reports of one run into a page of Markdown; fails where a case did, save for a proven cause that is not Landfall's.
#[derive(Debug, Parser)]
struct Arguments {
    /// Writes the page here as well, where exactly --cases cases ran: docs/conformance.md for the variant with both families
    /// and nftables, docs/conformance-ipv4-iptables.md for the other. They name each other.
    #[arg(long)]
    out: Option<PathBuf>,
    /// How many cases a whole run has.
    #[arg(long, requires = "out")]
    cases: Option<usize>,
    /// Cases whose failure has a proven cause outside Landfall, in the form that src/cause.rs tells.
    #[arg(long)]
    causes: Option<PathBuf>,
    /// What is known of the run, for the page's head.
    #[arg(long = "fact", value_name = "NAME=VALUE", value_parser = fact)]
    facts: Vec<(String, String)>,
    /// JUnit files, one for each process that ran cases.
    #[arg(required = true)]
    reports: Vec<PathBuf>,
}

fn fact(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a fact is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut cases = Vec::new();
    for path in &arguments.reports {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        cases.extend(report::cases(&text).with_context(|| format!("in {}", path.display()))?);
    }
    ensure!(!cases.is_empty(), "no case ran: does its name exist? e2e.test --ginkgo.dry-run lists them");
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    let causes = match &arguments.causes {
        Some(path) => {
            cause::parse(&std::fs::read_to_string(path)?).with_context(|| format!("in {}", path.display()))?
        }
        None => Vec::new(),
    };
    let page = page::write(&arguments.facts, &cases, &causes);
    // Whatever comes after: what a run of many minutes has told is not to be lost.
    print!("{page}");
    if let Some(out) = &arguments.out {
        let all = arguments.cases.unwrap_or(cases.len());
        ensure!(all == cases.len(), "{} cases ran, not {all}: {} stays as it is", cases.len(), out.display());
        std::fs::write(out, &page).with_context(|| format!("writing {}", out.display()))?;
    }
    let passed = |case: &&report::Case| case.failure.is_none();
    let ours =
        cases.iter().filter(|case| !passed(case) && cause::of(case, &arguments.facts, &causes).is_none()).count();
    eprintln!("{} of {} cases passed", cases.iter().filter(passed).count(), cases.len());
    Ok(if ours == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
