//! Busy polling switches itself off where it does not pay. A library that PHP loads has no unit tests, but
//! this part of it needs neither PHP nor a socket.

#[path = "../../php-ext/src/link/busy_poll.rs"]
mod extension;

use std::convert::Infallible;
use std::time::{Duration, Instant};

use extension::BusyPoll;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(3_600);

/// One wait. Nothing is there before the poll of this number. Returns how often it polled.
fn polls(busy_poll: &mut BusyPoll, bound: Duration, found_at: usize) -> usize {
    let mut polls = 0;
    let found = busy_poll.poll(bound, || {
        polls += 1;
        Ok::<_, Infallible>((polls >= found_at).then_some(()))
    });
    let Ok(found) = found;
    assert_eq!(found.is_some(), polls >= found_at);
    polls
}

/// Each wait that polled in vain doubles the number of those that do not poll. One that paid ends that.
#[test]
fn waits_for_which_polling_is_in_vain_hardly_poll() {
    let mut busy_poll = BusyPoll::default();
    let in_vain = |busy_poll: &mut BusyPoll| polls(busy_poll, Duration::from_nanos(1), usize::MAX) > 0;
    let polled = (0..1_000).filter(|_| in_vain(&mut busy_poll)).count();
    // 1 + 2 + 4 … + 64 waits are skipped after the first seven, then 64 after each.
    assert!((1..=21).contains(&polled), "{polled} of 1,000 waits polled");
    while polls(&mut busy_poll, LONG, 1) == 0 {}
    for _ in 0..100 {
        assert_eq!(polls(&mut busy_poll, LONG, 1), 1);
    }
}

/// A process that got the processor back late competes for it with others. It polls no more for a while, each
/// time for longer.
#[test]
fn late_return_of_the_processor_ends_polling_for_a_while() {
    let mut busy_poll = BusyPoll::default();
    let mut late = Instant::now();
    for pause in [0, 10, 20, 40].map(Duration::from_millis) {
        let mut polls = Vec::new();
        while polls.is_empty() {
            let found = busy_poll.poll(LONG, || {
                let begun = Instant::now();
                let end = begun + Duration::from_micros(300);
                while Instant::now() < end {}
                polls.push((begun, end));
                Ok::<_, Infallible>((polls.len() > 100).then_some(()))
            });
            assert_eq!(found, Ok(None), "{} polls", polls.len());
        }
        assert_eq!(polls.len(), 2, "it looks once more, and then sleeps");
        assert!(polls[0].0 - late >= pause, "it polls again within {pause:?}");
        late = polls[0].1;
    }
}
