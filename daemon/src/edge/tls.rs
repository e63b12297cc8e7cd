//! TLS in the daemon itself, for installations without a TLS proxy.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::Certificate;

/// The TLS configuration, if the daemon itself speaks TLS. It can be changed while connections are open.
#[derive(Debug)]
pub(crate) struct Tls {
    /// A plain mutex: nothing awaits while holding it.
    current: Mutex<LoadedTls>,
}

/// A certificate with its key that can be used; none without TLS.
#[derive(Clone, Debug)]
pub(crate) struct LoadedTls(Option<Arc<ServerConfig>>);

/// Why the certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file cannot be read, or is not in PEM.
    #[error("cannot read {}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// `tls.cert` holds no certificate.
    #[error("{} holds no certificate in PEM", file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// The key does not belong to the certificate, or is of an unsupported kind.
    #[error("tls.key does not belong to tls.cert")]
    Mismatch(#[from] rustls::Error),
}

impl Tls {
    /// Begins with what was loaded.
    pub(crate) const fn new(loaded: LoadedTls) -> Self {
        Self { current: Mutex::new(loaded) }
    }

    /// Uses what was loaded, for connections from now on.
    pub(crate) fn replace(&self, loaded: LoadedTls) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = loaded;
    }

    /// The acceptor for the next connection; none without TLS.
    pub(crate) fn acceptor(&self) -> Option<TlsAcceptor> {
        let LoadedTls(current) = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        current.map(TlsAcceptor::from)
    }
}

impl LoadedTls {
    /// Loads certificate and key, if there are some.
    ///
    /// # Errors
    ///
    /// [`TlsError`], which names the file.
    pub(crate) fn load(files: Option<&Certificate>) -> Result<Self, TlsError> {
        files.map(read).transpose().map(Self)
    }
}

fn read(files: &Certificate) -> Result<Arc<ServerConfig>, TlsError> {
    let unreadable = |file: &Path, source| TlsError::Unreadable { file: file.to_owned(), source };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&files.cert).and_then(Iterator::collect);
    let chain = chain.map_err(|error| unreadable(&files.cert, error))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { file: files.cert.clone() });
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unreadable(&files.key, error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    // WebSocket is an upgrade of HTTP/1.1 (RFC 6455 section 4.1).
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
