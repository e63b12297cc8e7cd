//! How long to wait before something is tried again that others have not taken.

use std::time::Duration;

/// The longest pause.
pub(crate) const LONGEST: Duration = Duration::from_secs(3_600);

/// 1, 2, 4 … seconds, up to an hour.
pub(crate) fn after(tries: u32) -> Duration {
    Duration::from_secs(1_u64.checked_shl(tries).unwrap_or(u64::MAX)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let pauses: Vec<_> = [0, 1, 2, 11, 12, 63, 64, u32::MAX].map(|tries| after(tries).as_secs()).into();
        assert_eq!(pauses, [1, 2, 4, 2_048, 3_600, 3_600, 3_600, 3_600]);
    }
}
