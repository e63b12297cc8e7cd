//! A PROXY header is read to its end and no further, and names only who stands in it.

use std::net::IpAddr;

use chatpush_daemon::net::proxy_protocol;
use futures_util::FutureExt as _;

/// Longest header of either version that is read.
const LONGEST: usize = 16 + 1_024;

pub(super) fn run(data: &[u8]) {
    let mut rest = data;
    // Reading from memory never waits.
    let Some(Ok(named)) = proxy_protocol::read(&mut rest).now_or_never() else { return };
    let (header, behind) = data.split_at(data.len() - rest.len());
    assert_eq!(behind, rest);
    assert!(header.len() <= LONGEST, "work is bounded");
    let Some(line) = std::str::from_utf8(header).ok().filter(|line| line.starts_with("PROXY")) else {
        assert!(header.starts_with(b"\r\n\r\n\0\r\nQUIT\n"), "neither version begins like this");
        if let Some(address) = named {
            let bytes = match address {
                IpAddr::V4(address) => address.octets().to_vec(),
                IpAddr::V6(address) => address.octets().to_vec(),
            };
            assert_eq!(header[16..16 + bytes.len()], bytes, "the source stands first");
        }
        return;
    };
    assert!(line.ends_with("\r\n") && line.len() <= 107, "the line has an end");
    let words: Vec<_> = line.trim_end().split(' ').collect();
    match named {
        Some(address) => assert_eq!(words[2].parse(), Ok(address)),
        None => assert_eq!(words[1], "UNKNOWN"),
    }
}
