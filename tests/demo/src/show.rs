//! What the demo prints.

use std::time::Instant;

/// Prints steps with the seconds since its start.
pub struct Show(Instant);

impl Show {
    /// Time starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// A step that is done.
    pub fn step(&self, what: &str) {
        println!("{:>7.1} s  {what}", self.0.elapsed().as_secs_f64());
    }

    /// A command and what it printed.
    pub fn output(&self, command: &str, text: &str) {
        println!("           $ {command}");
        text.trim_end().lines().for_each(|line| println!("           {line}"));
        println!();
    }
}
