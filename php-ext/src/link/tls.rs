//! TLS on a socket that does not block.

use std::io::{ErrorKind, Read as _, Write as _};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use socket2::Socket;

use super::error::LinkError;
use super::socket::{Ready, wait};
use super::tls_error::TlsError;

/// A socket that carries TLS.
#[derive(Debug)]
pub(super) struct TlsStream {
    session: ClientConnection,
    socket: Socket,
}

impl TlsStream {
    /// Completes the handshake within the deadline.
    pub(super) fn handshake(socket: Socket, host: &str, deadline: Instant) -> Result<Self, LinkError> {
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_| TlsError::ServerName(host.to_owned()))?;
        let config = config().clone()?;
        let session = ClientConnection::new(config, name).map_err(TlsError::from)?;
        let mut stream = Self { session, socket };
        loop {
            stream.flush(deadline)?;
            if !stream.session.is_handshaking() {
                return Ok(stream);
            }
            match stream.receive() {
                Ok(true) => {}
                Ok(false) => wait(&stream.socket, Ready::Read, deadline)?,
                Err(error) => {
                    // The peer learns why: an alert is waiting to be sent.
                    let _ = stream.send();
                    return Err(error);
                }
            }
        }
    }

    /// The socket below.
    pub(super) const fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Reads what is there. `None`: nothing is.
    pub(super) fn try_read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, LinkError> {
        loop {
            match self.session.reader().read(buffer) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(read) => return Ok(Some(read)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(LinkError::Closed),
                Err(error) => return Err(error.into()),
            }
            // It may have been a session ticket, and is no answer then.
            if !self.receive()? {
                return Ok(None);
            }
            // An answer to a change of keys. What does not fit now is sent with the next request.
            self.send()?;
        }
    }

    /// Sends everything or fails.
    pub(super) fn write_all(&mut self, mut bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        while !bytes.is_empty() {
            // The session buffers a part of it.
            let written = self.session.writer().write(bytes)?;
            bytes = bytes.get(written..).unwrap_or_default();
            self.flush(deadline)?;
        }
        Ok(())
    }

    fn flush(&mut self, deadline: Instant) -> Result<(), LinkError> {
        while !self.send()? {
            wait(&self.socket, Ready::Write, deadline)?;
        }
        Ok(())
    }

    /// Sends what is buffered, without waiting. Returns whether nothing is left.
    fn send(&mut self) -> Result<bool, LinkError> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.socket) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// Receives what has arrived, without waiting. Returns whether anything has.
    fn receive(&mut self) -> Result<bool, LinkError> {
        loop {
            match self.session.read_tls(&mut self.socket) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(_) => {
                    self.session.process_new_packets().map_err(TlsError::from)?;
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }
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
