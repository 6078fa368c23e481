//! tcpdump as a judge, and waiting with an end.

use crate::lan::{Host, LONG};
use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Instant,
};

/// What passes an interface of a host, a frame a line.
pub struct Capture {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Capture {
    /// Begins on `eth0`; what passes after this returns is seen.
    pub fn start(host: &Host, filter: &str) -> Self {
        Self::on(host, "eth0", filter)
    }

    /// The same on another interface.
    pub fn on(host: &Host, interface: &str, filter: &str) -> Self {
        let mut command = host.command("tcpdump");
        command.args(["-l", "-n", "-e", "-v", "--immediate-mode", "-i", interface, filter]).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tcpdump is installed");
        let mut errors = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut said = String::new();
        while !said.contains("listening on") {
            assert_ne!(errors.read_line(&mut said).expect("a pipe can be read"), 0, "tcpdump ended: {said}");
        }
        std::thread::spawn(move || errors.read_to_end(&mut Vec::new()));
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            // With -v one frame takes several lines: those that continue it are indented.
            let mut frame = String::new();
            for line in output.lines().map_while(Result::ok) {
                frame = if line.starts_with(char::is_whitespace) { frame + &line } else { line };
                if sender.send(frame.clone()).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, seen: Vec::new() }
    }

    /// The first frame from now on that is as `wanted`.
    pub fn line(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + LONG;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if wanted(&line) => return line,
                Ok(line) => self.seen.push(line),
                Err(_) => panic!("no such frame within {LONG:?}; these were seen:\n{}", self.seen.join("\n")),
            }
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Asks until it is so.
pub fn until(what: &str, mut is: impl FnMut() -> bool) {
    landfall_sandbox::wait_for(what, LONG, || if is() { Ok(()) } else { anyhow::bail!("not yet") }).unwrap();
}
