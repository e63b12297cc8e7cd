//! The baseline: instruction counts, and the build for which they hold.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// Instruction counts from an earlier run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// The counts hold only for this builder.
    pub(crate) builder: Builder,
    /// Instructions per operation, by path.
    pub(crate) instructions: BTreeMap<String, f64>,
}

/// What the number of instructions depends on, besides the source.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Builder {
    /// The compiler, as `rustc --version` names it.
    compiler: String,
    /// Whether the CPU has AVX2: some libraries choose their code by it at run time.
    avx2: bool,
}

impl Baseline {
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let context = || format!("cannot read the baseline {}", file.display());
        let text = std::fs::read_to_string(file).with_context(context)?;
        toml::from_str(&text).with_context(context)
    }

    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let text = toml::to_string(self)?;
        std::fs::write(file, text).with_context(|| format!("cannot write the baseline {}", file.display()))
    }
}

impl Builder {
    /// The builder of this machine.
    pub(crate) fn here() -> anyhow::Result<Self> {
        let output = Command::new("rustc").arg("--version").output().context("cannot start rustc")?;
        let compiler = String::from_utf8_lossy(&output.stdout).trim().to_owned();
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
