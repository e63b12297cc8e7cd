//! Resource usage of processes and sockets, from `/proc` (proc(5)) and `ss`.

use std::collections::HashMap;
use std::process::Command;

use anyhow::Context as _;

/// The prefix of the clients' addresses, as `connection` chooses them.
const CLIENT_ADDRESSES: &str = "127.1.";

/// Clock ticks per second in `/proc`: 100 on Linux (time(7)).
const TICKS: f64 = 100.0;

/// The processes and all their descendants.
pub fn tree(roots: &[u32]) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(parent) = fields(pid).and_then(|fields| fields.get(1)?.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = roots.to_vec();
    let mut at = 0;
    while let Some(pid) = found.get(at) {
        found.extend(children.remove(pid).unwrap_or_default());
        at += 1;
    }
    found
}

/// CPU seconds that the processes and their descendants have used so far.
pub fn cpu_seconds(roots: &[u32]) -> f64 {
    let ticks = |pid: &u32| -> Option<f64> {
        let fields = fields(*pid)?;
        let user: f64 = fields.get(11)?.parse().ok()?;
        let system: f64 = fields.get(12)?.parse().ok()?;
        Some(user + system)
    };
    tree(roots).iter().filter_map(ticks).sum::<f64>() / TICKS
}

/// CPU seconds that the threads of a process that live have used so far, by the scheduler's clock: to the nanosecond, where
/// [`cpu_seconds`] counts ticks (`/proc/PID/schedstat`, sched-stats.rst of the kernel).
pub fn thread_cpu_seconds(pid: u32) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let nanoseconds = threads.filter_map(|thread| -> Option<f64> {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    });
    nanoseconds.sum::<f64>() / 1e9
}

/// Seconds of all CPUs of the machine so far: idle, and in total (the first line of `/proc/stat`).
pub fn machine_cpu_seconds() -> (f64, f64) {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    // The fields behind the eighth are already part of earlier ones.
    let all = ticks.iter().take(8).sum::<f64>();
    let idle = ticks.iter().skip(3).take(2).sum::<f64>();
    (idle / TICKS, all / TICKS)
}

/// The fields of `/proc/<pid>/stat` behind the program's name, which may contain spaces and parentheses.
fn fields(pid: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, behind) = text.rsplit_once(')')?;
    Some(behind.split_whitespace().map(str::to_owned).collect())
}

/// Memory of the processes and their descendants in bytes, as proportional set size (`Pss` in
/// `smaps_rollup`): a page that several processes share is counted once.
pub fn memory(roots: &[u32]) -> f64 {
    let kilobytes = |pid: &u32| -> Option<f64> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    tree(roots).iter().filter_map(kilobytes).sum::<f64>() * 1024.0
}

/// Kernel memory of all TCP sockets' buffers in bytes (`mem` in `/proc/net/sockstat`, in pages).
pub fn socket_buffers() -> f64 {
    let text = std::fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:")).unwrap_or_default();
    let pages = line.split_whitespace().skip_while(|word| *word != "mem").nth(1);
    pages.and_then(|pages| pages.parse().ok()).unwrap_or(0.0) * 4096.0
}

/// Kernel memory of socket structures in bytes, for both ends of each connection: the slabs of TCP sockets,
/// files and inodes. 0 without root, who alone may read `/proc/slabinfo`.
pub fn socket_structures() -> f64 {
    let text = std::fs::read_to_string("/proc/slabinfo").unwrap_or_default();
    let slab = |line: &str| -> Option<f64> {
        let mut words = line.split_whitespace();
        let name = words.next()?;
        let wanted = ["TCP", "sock_inode_cache", "filp", "dentry", "eventpoll_epi", "eventpoll_pwq"];
        if !wanted.contains(&name) {
            return None;
        }
        let numbers: Vec<f64> = words.take(3).filter_map(|word| word.parse().ok()).collect();
        Some(numbers.first()? * numbers.get(2)?)
    };
    text.lines().filter_map(slab).sum()
}

/// The number of the clients' connections that one side has closed and the other, which does not read, has
/// not.
pub fn half_closed() -> anyhow::Result<usize> {
    let arguments = ["-tnH", "state", "fin-wait-1", "state", "close-wait"];
    let output = Command::new("ss").args(arguments).output().context("cannot start ss")?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter(|line| line.contains(CLIENT_ADDRESSES)).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usage_of_this_process_is_found() {
        let own = std::process::id();
        assert!(tree(&[own]).contains(&own));
        assert!(memory(&[own]) > 100_000.0);
        assert!(cpu_seconds(&[own]) >= 0.0);
        assert!(thread_cpu_seconds(own) > 0.0);
    }
}
