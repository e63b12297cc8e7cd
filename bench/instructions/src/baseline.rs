//! The counts to compare with, and what they were counted of.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// Counts that were once right.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// They hold for programs of this builder alone.
    pub(crate) builder: Builder,
    /// Instructions of one operation, by path.
    pub(crate) instructions: BTreeMap<String, f64>,
}

/// What decides how many instructions a source becomes.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Builder {
    /// The compiler, as `rustc --version` names it.
    compiler: String,
    /// Whether the processor has AVX2, by which libraries choose their code as they run.
    avx2: bool,
}

impl Baseline {
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let named = || format!("the baseline {}", file.display());
        let text = std::fs::read_to_string(file).with_context(named)?;
        toml::from_str(&text).with_context(named)
    }

    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let text = toml::to_string(self)?;
        std::fs::write(file, text).with_context(|| format!("the baseline {}", file.display()))
    }
}

impl Builder {
    /// The one of this machine.
    pub(crate) fn here() -> anyhow::Result<Self> {
        let asked = Command::new("rustc").arg("--version").output().context("cannot start rustc")?;
        let compiler = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
        #[cfg(target_arch = "x86_64")]
        let avx2 = std::arch::is_x86_feature_detected!("avx2");
        #[cfg(not(target_arch = "x86_64"))]
        let avx2 = false;
        Ok(Self { compiler: format!("{compiler} on {}", std::env::consts::ARCH), avx2 })
    }
}

impl fmt::Display for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} AVX2", self.compiler, if self.avx2 { "with" } else { "without" })
    }
}
