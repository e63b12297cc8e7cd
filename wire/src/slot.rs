//! The slots of a Redis Cluster: parts of all names, each of which one master has.

/// Slots of a cluster (Redis cluster specification).
pub const SLOTS: u16 = 16_384;

/// The slot of a key or sharded channel: of what is between the first `{` and the next `}`, if that is not empty, else
/// of all of it.
pub fn slot(name: &[u8]) -> u16 {
    let tag = name.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = name.get(open + 1..)?;
        let length = rest.iter().position(|byte| *byte == b'}').filter(|length| *length > 0)?;
        rest.get(..length)
    });
    tag.unwrap_or(name).iter().fold(0, |crc, byte| crc16(crc, *byte)) % SLOTS
}

/// CRC-16/XMODEM of one more byte.
pub(crate) const fn crc16(crc: u16, byte: u8) -> u16 {
    let mut crc = crc ^ ((byte as u16) << 8);
    let mut bit = 0;
    while bit < 8 {
        crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        bit += 1;
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asked of Redis: `CLUSTER KEYSLOT`.
    #[test]
    fn slots_are_those_of_redis() {
        for (name, number) in [
            ("p:{0ai}:log", 49),
            ("p:{33h}:x", 8605),
            ("p:{63dy}:user:63", 16341),
            ("p:{a}:y", 15495),
            ("123456789", 12739),
            ("foo{}{bar}", 8363),
            ("foo{{bar}}zap", 4015),
            ("foo{bar}{zap}", 5061),
        ] {
            assert_eq!(slot(name.as_bytes()), number, "{name}");
        }
    }
}
