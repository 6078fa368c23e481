//! What was measured on: without it no figure means anything.

use anyhow::Result;
use std::{fs, process::Command};

/// The machine, the system and this version, built with `profile`, as (what, value).
///
/// # Errors
/// Where /proc cannot be read.
pub fn describe(profile: &str) -> Result<Vec<(&'static str, String)>> {
    let cpu = field(&fs::read_to_string("/proc/cpuinfo")?, "model name").unwrap_or_else(|| "unknown".into());
    let cores = std::thread::available_parallelism()?.get();
    let memory = field(&fs::read_to_string("/proc/meminfo")?, "MemTotal").unwrap_or_default();
    let kib: f64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
    let system = fs::read_to_string("/etc/os-release")?;
    let system =
        system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("unknown").replace('"', "");
    let load = fs::read_to_string("/proc/loadavg")?;
    Ok(vec![
        ("date", run("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        ("processor", format!("{cpu}, {cores} cores, shared by cluster, Landfall and client")),
        ("memory", format!("{:.0} GiB", kib / 1024.0 / 1024.0)),
        ("system", format!("{system}, Linux {}", run("uname", &["-r"]))),
        ("load before", load.split_whitespace().take(3).collect::<Vec<_>>().join(" ")),
        ("Landfall", format!("{} at {}, {profile} profile", env!("CARGO_PKG_VERSION"), commit())),
    ])
}

/// The commit, and whether something is changed on top of it.
fn commit() -> String {
    let changed = run("git", &["status", "--porcelain", "--untracked-files=no", "--", ":!docs/benchmarks*.md"]);
    let note = if changed.is_empty() { "" } else { " with changes" };
    run("git", &["rev-parse", "--short", "HEAD"]) + note
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
