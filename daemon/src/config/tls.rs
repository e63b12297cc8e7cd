//! TLS without a proxy.

use std::path::PathBuf;

use super::setting::Setting;
use super::source::Source;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::text("tls.cert", "", "Certificate chain in PEM, for TLS without a proxy")
        .details("The server's certificate comes first.")
        .reloads(),
    Setting::text("tls.key", "", "Private key of the certificate, in PEM").reloads(),
];

/// Two files in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate, followed by the intermediate certificates.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Certificate {
    /// `None` if neither file is set, or after an error.
    pub(super) fn read(source: &mut Source) -> Option<Self> {
        let mut path = |key| source.text(key).filter(|text| !text.is_empty()).map(PathBuf::from);
        let (cert, key) = (path("tls.cert"), path("tls.key"));
        match (&cert, &key) {
            (Some(_), None) => source.error("tls.key", "is required with tls.cert"),
            (None, Some(_)) => source.error("tls.cert", "is required with tls.key"),
            _ => {}
        }
        Some(Self { cert: cert?, key: key? })
    }
}
