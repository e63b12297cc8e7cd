//! The PROXY protocol (versions 1 and 2), by which a proxy that only passes bytes on says whose they are.

use std::io;
use std::net::IpAddr;

use ppp::{HeaderResult, v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What a header of version 2 begins with, and then its length in two bytes.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Longest header of version 1.
const LINE: usize = 107;

/// Longest header of version 2 that is read; the addresses of a Unix socket take 216 bytes.
const HEADER: usize = 1_024;

/// Reads the header and nothing behind it. Returns the address that it names, or nothing if it names none,
/// as a proxy's own health check does.
///
/// # Errors
///
/// When the connection breaks, or begins with something else ([`io::ErrorKind::InvalidData`]).
pub async fn read(socket: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    let mut header = vec![0; SIGNATURE.len()];
    socket.read_exact(&mut header).await?;
    if header == SIGNATURE {
        let mut fixed = [0; 4];
        socket.read_exact(&mut fixed).await?;
        header.extend(fixed);
        let length = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
        if length > HEADER {
            return Err(invalid("it is too long"));
        }
        let start = header.len();
        header.resize(start + length, 0);
        socket.read_exact(&mut header[start..]).await?;
    } else {
        // What follows the line belongs to somebody else, so it is read up to its end and no further.
        while header.last() != Some(&b'\n') {
            if header.len() == LINE {
                return Err(invalid("it is too long"));
            }
            header.push(socket.read_u8().await?);
        }
        if !header.ends_with(b"\r\n") {
            return Err(invalid("its line has another end"));
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
    io::Error::new(io::ErrorKind::InvalidData, format!("no PROXY header: {why}"))
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
    async fn a_header_of_either_version_names_the_client_and_leaves_the_rest() {
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
    async fn a_proxy_may_speak_for_itself() {
        assert_eq!(parse(b"PROXY UNKNOWN\r\nG").await.unwrap().0, None);
        let mut local = SIGNATURE.to_vec();
        local.extend([0x20, 0x00, 0, 0]);
        assert_eq!(parse(&local).await.unwrap().0, None);
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
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
