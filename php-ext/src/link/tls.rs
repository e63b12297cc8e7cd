//! TLS on a TCP socket.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::error::{LinkError, of_timed};
use super::socket::left;
use super::tls_error::TlsError;

/// A TCP socket that carries TLS.
pub(super) type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// Completes the handshake within the deadline.
pub(super) fn handshake(tcp: TcpStream, host: &str, deadline: Instant) -> Result<TlsStream, LinkError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::ServerName(host.to_owned()))?;
    let config = config().clone()?;
    let session = ClientConnection::new(config, name).map_err(TlsError::from)?;
    let mut stream = StreamOwned::new(session, tcp);
    while stream.conn.is_handshaking() {
        let left = left(deadline)?;
        stream.sock.set_read_timeout(Some(left))?;
        stream.sock.set_write_timeout(Some(left))?;
        stream.conn.complete_io(&mut stream.sock).map_err(of_timed)?;
    }
    Ok(stream)
}

/// Reads what has arrived, without waiting. True if the connection is open and Redis has sent nothing: bytes
/// on the socket may also be session tickets or the end of the connection.
pub(super) fn is_quiet(tls: &mut TlsStream) -> bool {
    if tls.sock.set_nonblocking(true).is_err() {
        return false;
    }
    let open = loop {
        match tls.conn.read_tls(&mut tls.sock) {
            Ok(0) => break false,
            Ok(_) => match tls.conn.process_new_packets() {
                Ok(state) if state.peer_has_closed() || state.plaintext_bytes_to_read() > 0 => break false,
                Ok(_) => {}
                Err(_) => break false,
            },
            Err(error) if error.kind() == ErrorKind::WouldBlock => break true,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break false,
        }
    };
    tls.sock.set_nonblocking(false).is_ok() && open
}

/// The system's certificates. They are read once per process, for the first TLS connection.
fn config() -> &'static Result<Arc<ClientConfig>, TlsError> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, TlsError>> = OnceLock::new();
    CONFIG.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(TlsError::NoCertificates);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
    })
}
