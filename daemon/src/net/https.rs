//! What HTTP clients share.

use std::io;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, ClientConfig, RootCertStore};

/// TLS that trusts the authorities of the system, or those in `SSL_CERT_FILE` instead, and these.
///
/// # Errors
///
/// When the versions of TLS are not supported.
pub(crate) fn client_config(further: Vec<CertificateDer<'static>>) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    // Without any, requests fail, and say so.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(further);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// An error and its causes, and what may help. Without the address: it may have a key in it.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "no answer in time".to_owned() } else { "no answer".to_owned() };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        if is_unknown_issuer(error) {
            text.push_str(" (no authority of the system, or in SSL_CERT_FILE, has signed the certificate)");
        }
        cause = error.source();
    }
    text
}

/// Whether a certificate was signed by nobody who is trusted.
fn is_unknown_issuer(error: &(dyn std::error::Error + 'static)) -> bool {
    // An error of I/O hides the one inside from `source`. It may be one of I/O too.
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inside) => is_unknown_issuer(inside),
        None => matches!(
            error.downcast_ref(),
            Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))
        ),
    }
}
