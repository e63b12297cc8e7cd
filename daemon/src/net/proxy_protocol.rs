//! The PROXY protocol, versions 1 and 2: how a TCP proxy names the client whose bytes it forwards.

use std::io;
use std::net::IpAddr;

use ppp::{HeaderResult, v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The first twelve bytes of a version 2 header.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Longest version 1 header, in bytes.
const MAX_V1_BYTES: usize = 107;

/// Longest version 2 header that is accepted, in bytes. Unix socket addresses take 216.
const MAX_V2_BYTES: usize = 1_024;

/// Reads the header and not a byte more. Returns the client's address, or `None` if the header names none, as
/// with a proxy's own health check.
///
/// # Errors
///
/// When the connection breaks, or does not begin with a PROXY header ([`io::ErrorKind::InvalidData`]).
pub async fn read(socket: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    let mut header = vec![0; SIGNATURE.len()];
    socket.read_exact(&mut header).await?;
    if header == SIGNATURE {
        let mut fixed = [0; 4];
        socket.read_exact(&mut fixed).await?;
        header.extend(fixed);
        let length = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
        if length > MAX_V2_BYTES {
            return Err(invalid("it is too long"));
        }
        let start = header.len();
        header.resize(start + length, 0);
        socket.read_exact(&mut header[start..]).await?;
    } else {
        // The bytes after the line are not the header's, so it is read byte by byte.
        while header.last() != Some(&b'\n') {
            if header.len() == MAX_V1_BYTES {
                return Err(invalid("it is too long"));
            }
            header.push(socket.read_u8().await?);
        }
        if !header.ends_with(b"\r\n") {
            return Err(invalid("the line does not end with CR LF"));
        }
    }
    match HeaderResult::parse(&header) {
        HeaderResult::V1(Ok(header)) => Ok(match header.addresses {
            v1::Addresses::Tcp4(found) => Some(found.source_address.into()),
            v1::Addresses::Tcp6(found) => Some(found.source_address.into()),
            v1::Addresses::Unknown => None,
        }),
        HeaderResult::V2(Ok(header)) if header.command == v2::Command::Local => Ok(None),
        HeaderResult::V2(Ok(header)) => Ok(match header.addresses {
            v2::Addresses::IPv4(found) => Some(found.source_address.into()),
            v2::Addresses::IPv6(found) => Some(found.source_address.into()),
            v2::Addresses::Unix(_) | v2::Addresses::Unspecified => None,
        }),
        HeaderResult::V1(Err(error)) => Err(invalid(&error.to_string())),
        HeaderResult::V2(Err(error)) => Err(invalid(&error.to_string())),
    }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("invalid PROXY header: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parse(bytes: &[u8]) -> io::Result<(Option<IpAddr>, Vec<u8>)> {
        let mut rest = bytes;
        let address = read(&mut rest).await?;
        Ok((address, rest.to_vec()))
    }

    #[tokio::test]
    async fn both_versions_name_the_client_and_leave_the_rest() {
        let line = b"PROXY TCP4 198.51.100.7 127.0.0.1 4711 8089\r\nGET /ws";
        let mut binary = SIGNATURE.to_vec();
        binary.extend([0x21, 0x11, 0, 12, 198, 51, 100, 7, 127, 0, 0, 1, 0x12, 0x34, 0x1f, 0x99]);
        binary.extend(b"GET /ws");
        for header in [line.as_slice(), &binary] {
            let (address, rest) = parse(header).await.unwrap();
            assert_eq!(address, Some("198.51.100.7".parse().unwrap()));
            assert_eq!(rest, b"GET /ws");
        }
        let (address, rest) = parse(b"PROXY TCP6 2001:db8::1 ::1 4711 8089\r\nG").await.unwrap();
        assert_eq!((address, rest.as_slice()), (Some("2001:db8::1".parse().unwrap()), b"G".as_slice()));
    }

    #[tokio::test]
    async fn a_health_check_names_no_client() {
        assert_eq!(parse(b"PROXY UNKNOWN\r\nG").await.unwrap().0, None);
        let mut local = SIGNATURE.to_vec();
        local.extend([0x20, 0x00, 0, 0]);
        assert_eq!(parse(&local).await.unwrap().0, None);
    }

    #[tokio::test]
    async fn anything_else_is_rejected() {
        let long = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200], b"\r\n"].concat();
        let mut huge = SIGNATURE.to_vec();
        huge.extend([0x21, 0x11, 0xff, 0xff]);
        huge.resize(70_000, 0);
        for bad in [
            b"GET /ws HTTP/1.1\r\n".as_slice(),
            b"PROXY TCP4 a b c d\r\n",
            b"PROXY UNKNOWN \n",
            &long,
            &huge,
            b"PROXY",
        ] {
            assert!(parse(bad).await.is_err());
        }
    }
}
