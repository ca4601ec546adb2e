//! A child process of the same binary, and what it costs: read from `/proc`, so the figures are the kernel's.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Clock ticks per second in `/proc/<pid>/stat`. `USER_HZ` is part of the kernel's interface: 100 on every architecture Rust's
/// tier-one Linux targets run on.
const TICKS_PER_SECOND: u64 = 100;

/// A running child. Dropping it kills and reaps it.
pub struct Process {
    child: Child,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// User and system time in microseconds, in steps of ten milliseconds.
    pub cpu_us: u64,
    /// Resident memory in kilobytes.
    pub rss_kb: u64,
    /// The most it ever was.
    pub peak_rss_kb: u64,
}

impl Process {
    /// Starts this binary with arguments and nothing of our environment but what is given; what it says goes to `log`.
    ///
    /// # Errors
    /// When the binary cannot be found or started.
    pub fn start(
        arguments: &[&str],
        environment: &[(String, String)],
        directory: &Path,
        log: &str,
    ) -> std::io::Result<Process> {
        let log = fs::File::create(directory.join(log))?;
        let child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Process { child })
    }

    /// What it has used so far; `None` where there is no `/proc`.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        let pid = self.child.id();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        usage_of(&stat, &status)
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already: then there is nothing to kill, only to reap.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn usage_of(stat: &str, status: &str) -> Option<Usage> {
    // proc(5): the second field is the name in parentheses and may hold blanks; utime and stime are fields 14 and 15.
    let mut after_name = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().skip(11);
    let ticks = after_name.next()?.parse::<u64>().ok()? + after_name.next()?.parse::<u64>().ok()?;
    let line = |name: &str| -> Option<u64> {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))?
            .split_whitespace()
            .next()?
            .parse()
            .ok()
    };
    Some(Usage {
        cpu_us: ticks * (1_000_000 / TICKS_PER_SECOND),
        rss_kb: line("VmRSS:")?,
        peak_rss_kb: line("VmHWM:")?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let stat = "42 (true watt) x) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 5 0 100 1000 200";
        let usage = usage_of(stat, "Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n").unwrap();
        assert_eq!((usage.cpu_us, usage.rss_kb, usage.peak_rss_kb), (2_000_000, 1024, 2048));
    }
}
