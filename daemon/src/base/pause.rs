//! How long to wait before something is tried again that others have not taken.

use std::time::Duration;

/// The longest pause.
pub(crate) const LONGEST: Duration = Duration::from_secs(3_600);

/// 1, 2, 4 … seconds, up to an hour.
pub(crate) fn after(tries: u32) -> Duration {
    Duration::from_secs(1_u64.checked_shl(tries).unwrap_or(u64::MAX)).min(LONGEST)
}

/// How long something is tried, from the first try that has failed.
const TRIED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether something that was tried so often, and first so long ago, is given up. Nobody tries while all daemons are
/// down, so a day alone says little: it was tried `fewest` times too.
pub(crate) fn is_over(tries: u32, fewest: u32, tried_for: Duration) -> bool {
    tries >= fewest && tried_for > TRIED_FOR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let pauses: Vec<_> = [0, 1, 2, 11, 12, 63, 64, u32::MAX].map(|tries| after(tries).as_secs()).into();
        assert_eq!(pauses, [1, 2, 4, 2_048, 3_600, 3_600, 3_600, 3_600]);
    }

    #[test]
    fn neither_a_day_nor_many_tries_are_enough_alone() {
        for (tries, hours, over) in
            [(3, 25, true), (2, 25, false), (3, 24, false), (1_000, 23, false), (1_000, 25, true)]
        {
            assert_eq!(
                is_over(tries, 3, Duration::from_secs(hours * 3_600)),
                over,
                "{tries} tries, {hours} hours"
            );
        }
    }
}
