//! What HTTP clients share.

mod advice;

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Response;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

/// Bytes that are read of an answer's body.
const BODY_BYTES: usize = 4_096;

/// Characters of it that are shown.
const BODY_CHARACTERS: usize = 200;

/// Why nothing may answer in time.
const NOT_IN_TIME: &str = "not in time: start the web server, and let firewalls pass this machine";

/// Why an address cannot be reached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreachable {
    /// Nobody answers there.
    #[error("no answer: {0}")]
    Silent(String),
    /// It cannot be spoken to over TLS.
    #[error("{0}")]
    Tls(String),
}

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

/// How many authorities are trusted.
///
/// # Errors
///
/// What is wrong with them, and what to do.
pub(crate) fn trusted_authorities() -> Result<usize, String> {
    let loaded = rustls_native_certs::load_native_certs();
    let errors: Vec<_> = loaded.errors.iter().map(ToString::to_string).collect();
    let (usable, _) = RootCertStore::empty().add_parsable_certificates(loaded.certs);
    let named: Vec<_> = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .into_iter()
        .filter_map(|name| Some((name, std::env::var_os(name).filter(|path| !path.is_empty())?)))
        .map(|(name, path)| format!("{name}={}", path.display()))
        .collect();
    match (usable, named.as_slice()) {
        (0, []) => Err("there is none on this system: install the package ca-certificates".to_owned()),
        (usable, []) => Ok(usable),
        (usable, _) if usable > 0 && errors.is_empty() => Ok(usable),
        (_, named) => {
            let wrong =
                if errors.is_empty() { "no certificate in PEM".to_owned() } else { errors.join("; ") };
            Err(format!(
                "{} is read instead of the system's, and cannot be used ({wrong}): correct it, so that the user of the \
                 daemon can read it, or remove it from the daemon's environment",
                named.join(" ")
            ))
        }
    }
}

/// Connects to an address, speaks TLS if it is `https`, and sends nothing.
pub(crate) async fn reach(url: &Url, within: Duration) -> Result<(), Unreachable> {
    let reached = timeout(within, connect(url)).await;
    reached.unwrap_or_else(|_| Err(Unreachable::Silent(NOT_IN_TIME.to_owned())))
}

async fn connect(url: &Url) -> Result<(), Unreachable> {
    let port = url.port_or_known_default().unwrap_or(443);
    let (name, stream) = match url.host() {
        Some(Host::Ipv4(address)) => by_address(address.into(), port).await,
        Some(Host::Ipv6(address)) => by_address(address.into(), port).await,
        host => {
            let name = host.map(|host| host.to_string()).unwrap_or_default();
            (ServerName::try_from(name.clone()).ok(), TcpStream::connect((name, port)).await)
        }
    };
    let stream = stream.map_err(|error| Unreachable::Silent(explained(&error)))?;
    let Some(name) = name.filter(|_| url.scheme() == "https") else { return Ok(()) };
    let config = client_config(Vec::new()).map_err(|error| Unreachable::Tls(error.to_string()))?;
    let shaken = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    shaken.map(drop).map_err(|error| Unreachable::Tls(explained(&error)))
}

/// What may help, then the error.
fn explained(error: &io::Error) -> String {
    advice::of(error).map_or_else(|| error.to_string(), |advice| format!("{advice} ({error})"))
}

async fn by_address(address: IpAddr, port: u16) -> (Option<ServerName<'static>>, io::Result<TcpStream>) {
    (Some(ServerName::from(address)), TcpStream::connect((address, port)).await)
}

/// What may help, then the error with its causes. Without the address: it may have a key in it.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    let text = if error.is_timeout() { "no answer in time" } else { "no answer" };
    let causes: Vec<_> = std::iter::successors(Error::source(error), |cause| (*cause).source()).collect();
    let chain = causes.iter().map(ToString::to_string).collect::<Vec<_>>().join(": ");
    match causes.iter().find_map(|cause| advice::of(*cause)) {
        Some(advice) => format!("{text}: {advice} ({chain})"),
        None if chain.is_empty() => text.to_owned(),
        None => format!("{text}: {chain}"),
    }
}

/// The start of what an answer says beside its status, on one line.
pub(crate) async fn start_of_body(response: &mut Response) -> String {
    let mut read = Vec::new();
    while read.len() < BODY_BYTES
        && let Ok(Some(chunk)) = response.chunk().await
    {
        read.extend_from_slice(&chunk[..chunk.len().min(BODY_BYTES - read.len())]);
    }
    let text = String::from_utf8_lossy(&read);
    text.chars().filter(|char| !char.is_control()).take(BODY_CHARACTERS).collect()
}
