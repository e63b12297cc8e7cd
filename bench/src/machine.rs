//! The machine and the versions that a report names.

use std::process::Command;

use serde::Serialize;

use crate::cache::{Cache, output, version};
use crate::peers::PeerName;

/// The machine, the date and all versions.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The number of available CPUs and their model.
    pub cpu: String,
    /// Memory in GiB.
    pub memory: u64,
    /// The kernel's version.
    pub kernel: String,
    /// The date, in UTC.
    pub date: String,
    /// Programs and their versions.
    pub versions: Vec<(String, String)>,
}

impl Machine {
    /// Reads them from the system. The version of Redis includes its `appendfsync` setting.
    pub fn detect(cache: &Cache, peers: &[PeerName], appendfsync: &str) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split(':').nth(1).unwrap_or_default().trim().to_owned()
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let memory: u64 = memory.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        let found = |program, arguments: &[&str]| {
            output(program, arguments).and_then(|text| version(&text)).unwrap_or_else(|| "unknown".to_owned())
        };
        let mut versions = vec![
            ("PHP".to_owned(), found("php", &["-n", "-v"])),
            (
                "Redis".to_owned(),
                format!("{} (appendfsync {appendfsync})", found("redis-server", &["--version"])),
            ),
            ("MariaDB".to_owned(), found("mariadbd", &["--no-defaults", "--version"])),
            ("nginx".to_owned(), found("nginx", &["-v"])),
        ];
        for peer in peers {
            let title = if *peer == PeerName::Baseline { "phpredis" } else { peer.title() };
            if let Ok(version) = peer.version(cache) {
                versions.push((title.to_owned(), version));
            }
        }
        Self {
            cpu: format!("{cores} × {}", field(&read("/proc/cpuinfo"), "model name")),
            memory: memory.div_ceil(1_048_576),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            date: today(),
            versions,
        }
    }

    /// The first line of a caption: the machine.
    pub fn caption(&self) -> String {
        let Self { cpu, memory, kernel, date, .. } = self;
        format!("{cpu}, {memory} GiB, Linux {kernel}, {date}; everything on this one machine")
    }

    /// The second line of a caption: the versions.
    pub fn versions(&self) -> String {
        let versions: Vec<_> =
            self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        versions.join(", ")
    }
}

fn today() -> String {
    let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output();
    date.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
