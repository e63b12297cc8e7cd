//! A PROXY protocol header is read to its end and no further, and yields the address that stands in it.

use std::net::IpAddr;

use chatpush_daemon::net::proxy_protocol;
use futures_util::FutureExt as _;

/// The longest header of either version.
const LONGEST: usize = 16 + 1_024;

pub(super) fn run(data: &[u8]) {
    let mut rest = data;
    // A read from memory is always ready.
    let Some(Ok(named)) = proxy_protocol::read(&mut rest).now_or_never() else { return };
    let (header, behind) = data.split_at(data.len() - rest.len());
    assert_eq!(behind, rest);
    assert!(header.len() <= LONGEST, "a header is too long");
    let Some(line) = std::str::from_utf8(header).ok().filter(|line| line.starts_with("PROXY")) else {
        assert!(header.starts_with(b"\r\n\r\n\0\r\nQUIT\n"), "the header has no signature");
        if let Some(address) = named {
            let bytes = match address {
                IpAddr::V4(address) => address.octets().to_vec(),
                IpAddr::V6(address) => address.octets().to_vec(),
            };
            assert_eq!(header[16..16 + bytes.len()], bytes, "the source address is wrong");
        }
        return;
    };
    assert!(line.ends_with("\r\n") && line.len() <= 107, "the line is too long or has no end");
    let words: Vec<_> = line.trim_end().split(' ').collect();
    match named {
        Some(address) => assert_eq!(words[2].parse(), Ok(address)),
        None => assert_eq!(words[1], "UNKNOWN"),
    }
}
