//! Certificates for 127.0.0.1, created by `openssl`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl Certificate {
    /// Creates a certificate in `folder` that is its own root. It replaces an older one of the same name.
    pub fn make(folder: &Path, name: &str) -> anyhow::Result<Self> {
        Self::with(folder, name, |openssl| server(openssl))
    }

    /// Creates the certificate of an authority, which signs others.
    pub fn authority(folder: &Path, name: &str) -> anyhow::Result<Self> {
        Self::with(folder, name, |openssl| openssl.args(["-addext", "keyUsage=critical,keyCertSign"]))
    }

    /// Creates a certificate in `folder` that this authority has signed.
    pub fn sign(&self, folder: &Path, name: &str) -> anyhow::Result<Self> {
        Self::with(folder, name, |openssl| {
            server(openssl).arg("-CA").arg(&self.cert).arg("-CAkey").arg(&self.key)
        })
    }

    fn with(
        folder: &Path,
        name: &str,
        options: impl FnOnce(&mut Command) -> &mut Command,
    ) -> anyhow::Result<Self> {
        let (cert, key) = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
        openssl.args(["-subj", &format!("/CN={name}"), "-days", "2"]);
        let output = options(&mut openssl)
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&cert)
            .output()
            .context("cannot start openssl")?;
        ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Self { cert, key })
    }
}

/// What makes it the certificate of a server.
fn server(openssl: &mut Command) -> &mut Command {
    openssl
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
}
