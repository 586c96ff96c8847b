//! What `/proc` tells about a process.

use std::fs;
use std::time::Duration;

/// The kernel tells times to programs in hundredths of a second on every common architecture,
/// whatever its own tick is (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;
/// By how much a difference of user and system together may be wrong, in seconds.
const TICK_ERROR: f64 = 4.0 / TICKS_PER_SECOND;

/// CPU time since the process began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    /// In the program.
    pub(crate) user: f64,
    /// In the kernel, for the program.
    pub(crate) system: f64,
    /// Of both, what the first thread took: in Node.js, the one that runs JavaScript.
    pub(crate) main_thread: f64,
    /// Of both, what all threads took that are there now. It is counted in nanoseconds, where the others tick.
    threads: f64,
}

impl Cpu {
    /// The CPU seconds of a process up to now.
    pub(crate) fn of(pid: u32) -> Result<Self, String> {
        let stat = read(pid, "stat")?;
        // The second field is the name in parentheses, and may hold anything.
        let fields: Vec<&str> =
            stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect()).unwrap_or_default();
        let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
        let (user, system) =
            ticks(11).zip(ticks(12)).ok_or(format!("/proc/{pid}/stat is not as expected"))?;
        Ok(Self {
            user: user / TICKS_PER_SECOND,
            system: system / TICKS_PER_SECOND,
            main_thread: of_thread(pid, pid)?,
            threads: threads(pid)?.filter_map(|thread| of_thread(pid, thread).ok()).sum(),
        })
    }

    /// What was used since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            user: self.user - earlier.user,
            system: self.system - earlier.system,
            main_thread: self.main_thread - earlier.main_thread,
            threads: self.threads - earlier.threads,
        }
    }

    /// User and system together. A thread that has ended since counts in the ticks only, which are then more.
    pub(crate) fn total(self) -> f64 {
        let ticks = self.user + self.system;
        if ticks - self.threads > TICK_ERROR { ticks } else { self.threads }
    }
}

/// The CPU seconds of one thread.
fn of_thread(pid: u32, thread: u32) -> Result<f64, String> {
    let text = read(pid, &format!("task/{thread}/schedstat"))?;
    let nanoseconds = text.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or(0);
    Ok(Duration::from_nanos(nanoseconds).as_secs_f64())
}

/// The threads of a process.
fn threads(pid: u32) -> Result<impl Iterator<Item = u32>, String> {
    let path = format!("/proc/{pid}/task");
    let entries = fs::read_dir(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()))
}

/// The resident memory of a process, in KiB.
pub(crate) fn resident_kib(pid: u32) -> Result<f64, String> {
    read(pid, "status")?
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok())
        .ok_or(format!("process {pid} has no memory: has it ended?"))
}

fn read(pid: u32, file: &str) -> Result<String, String> {
    fs::read_to_string(format!("/proc/{pid}/{file}"))
        .map_err(|error| format!("cannot read /proc/{pid}/{file}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_itself() {
        let pid = std::process::id();
        assert!(Cpu::of(pid).unwrap().total() >= 0.0);
        assert!(resident_kib(pid).unwrap() > 0.0);
    }

    #[test]
    fn says_who_is_missing() {
        assert!(Cpu::of(u32::MAX).unwrap_err().contains("4294967295"));
    }
}
