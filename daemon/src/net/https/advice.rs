//! What an error of a connection means, and what to do.

use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::sync::LazyLock;

use rustls::{CertificateError, InvalidMessage};

/// How rustls names the certificate of an authority that a server shows as its own.
const CA_AS_SERVER: &str = "CaUsedAsEndEntity";

/// How it names a certificate of version 1.
const OLD_VERSION: &str = "UnsupportedCertVersion";

/// How the standard library begins the error of a name that cannot be resolved. It has no kind of its own.
const LOOKUP: &str = "failed to lookup address information";

/// What tokio-rustls calls a handshake that the server has ended, in an error of I/O.
const HANDSHAKE: &str = "handshake";

/// The authorities that this process trusts: it reads them once.
static NO_AUTHORITY: LazyLock<String> = LazyLock::new(|| match super::trusted_authorities() {
    Ok(count) => format!(
        "none of the {count} trusted authorities has signed the certificate: add its authority to those of the system \
         (update-ca-certificates), or name a file with it in the environment of chatpushd as SSL_CERT_FILE"
    ),
    Err(error) => format!("no trusted authority has signed the certificate; of the authorities: {error}"),
});

/// What one error means, none if it says enough itself or is not known.
pub(super) fn of(error: &(dyn Error + 'static)) -> Option<Cow<'static, str>> {
    if let Some(error) = of_tls(error) {
        return about_tls(error);
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return about_http(error).map(Cow::Borrowed);
    }
    error.downcast_ref().and_then(about_network).map(Cow::Borrowed)
}

fn about_http(error: &hyper::Error) -> Option<&'static str> {
    if error.is_parse() {
        return Some("what answers does not speak HTTP: is it the port of https?");
    }
    let is_closed = error.is_incomplete_message();
    is_closed.then_some(
        "closed before there was an answer: is it the port of https, or has the server or its page crashed?",
    )
}

fn about_network(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            Some("nothing listens there: start the server, or correct the port in the address")
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Some("there is no way to it from this machine: look at its network, and at firewalls")
        }
        io::ErrorKind::UnexpectedEof if error.to_string().contains(HANDSHAKE) => {
            Some("it has ended the TLS handshake: is it the port of http?")
        }
        _ if error.to_string().starts_with(LOOKUP) => {
            Some("this machine does not resolve the name in the address: correct the name, or its DNS")
        }
        _ => None,
    }
}

/// An error of I/O hides the one inside from `source`. It may be one of I/O too.
fn of_tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inside) => of_tls(inside),
        None => error.downcast_ref(),
    }
}

fn about_tls(error: &rustls::Error) -> Option<Cow<'static, str>> {
    use CertificateError as Wrong;
    let rustls::Error::InvalidCertificate(wrong) = error else {
        let is_plain = matches!(error, rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType));
        return is_plain.then_some("there is no TLS at this port: is it the port of http?".into());
    };
    let advice = match wrong {
        Wrong::UnknownIssuer => return Some(NO_AUTHORITY.as_str().into()),
        Wrong::Expired | Wrong::ExpiredContext { .. } => "the server's certificate has expired: renew it",
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet: compare the clocks of both machines"
        }
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
            "the server's certificate is for other names (subjectAltName) than the one in the address"
        }
        // They come without a type that could be matched.
        Wrong::Other(other) if other.to_string().contains(CA_AS_SERVER) => {
            "the server shows the certificate of an authority as its own: sign one for the server with it \
             (basicConstraints CA:FALSE), and let SSL_CERT_FILE name the authority"
        }
        Wrong::Other(other) if other.to_string().contains(OLD_VERSION) => {
            "the server's certificate is of version 1, which names no host: make one with subjectAltName"
        }
        _ => return None,
    };
    Some(advice.into())
}
