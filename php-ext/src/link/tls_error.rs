//! Why TLS cannot be used.

/// Why TLS cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// No certificate can be issued for the host.
    #[error("{0} is not a name that a certificate can have")]
    ServerName(String),
    /// The system trusts nobody.
    #[error("the system has no certificates to trust (package ca-certificates)")]
    NoCertificates,
    /// The library refuses.
    #[error(transparent)]
    Library(#[from] rustls::Error),
}
