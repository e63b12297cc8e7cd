//! What the operating system says about this process (`proc(5)`), under the names that Prometheus's own client
//! libraries use.

use std::fs;
use std::sync::LazyLock;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::base::clock;

/// When the process was started, in seconds since 1970: when this was first asked for.
static STARTED: LazyLock<u64> = LazyLock::new(clock::unix_seconds);

/// Name, help and value of each.
pub(super) type Gauges = Vec<(&'static str, &'static str, f64)>;

/// Remembers when the process was started.
pub(crate) fn started() {
    LazyLock::force(&STARTED);
}

/// Seconds of processor time that this process has used.
pub(super) fn cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "a process does not use 285 years")]
    let seconds = used.tv_sec as f64 + used.tv_nsec as f64 / 1e9;
    seconds
}

/// The gauges. What cannot be read is left out.
pub(super) fn gauges() -> Gauges {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    let bytes = |name| field(name).map(|kibibytes| kibibytes * 1_024.0);
    #[expect(clippy::cast_precision_loss, reason = "descriptors and seconds are fewer")]
    let found = [
        ("process_resident_memory_bytes", "Resident memory", bytes("VmRSS:")),
        ("process_virtual_memory_bytes", "Virtual memory", bytes("VmSize:")),
        ("process_threads", "Threads", field("Threads:")),
        ("process_open_fds", "Open file descriptors", open_descriptors().map(|count| count as f64)),
        (
            "process_max_fds",
            "Most file descriptors that may be open",
            getrlimit(Resource::Nofile).current.map(|most| most as f64),
        ),
        (
            "process_start_time_seconds",
            "When the process was started, in seconds since 1970",
            Some(*STARTED as f64),
        ),
    ];
    found.into_iter().filter_map(|(name, help, value)| Some((name, help, value?))).collect()
}

/// Since Linux 6.2 the size of the folder is their number; before, they are counted.
fn open_descriptors() -> Option<u64> {
    let size = fs::metadata("/proc/self/fd").ok()?.len();
    if size > 0 { Some(size) } else { Some(fs::read_dir("/proc/self/fd").ok()?.count() as u64) }
}
