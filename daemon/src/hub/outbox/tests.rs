use chatpush_wire::frame::unread;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::*;

fn frame(bytes: usize) -> Outgoing {
    Outgoing::new(Utf8Bytes::from("x".repeat(bytes)), None)
}

fn tracked(bytes: usize) -> Outgoing {
    Outgoing::new(frame(bytes).into_text(), Some(Arc::new(MessageId::of_row(1, 1))))
}

fn outbox(frames: usize, bytes: usize, total: usize) -> Outbox {
    Outbox::new(Format::Json, Bounds { frames, bytes, total }, Arc::default())
}

fn take(outbox: &Outbox) -> Result<Vec<Outgoing>, Close> {
    outbox.take(Sendable::Everything, || true)
}

#[test]
fn frames_are_bounded_and_none_follows_a_lost_one() {
    let outbox = outbox(2, 100, 100);
    outbox.push(&frame(1));
    outbox.push(&frame(1));
    assert_eq!(take(&outbox).map(|frames| frames.len()), Ok(2));
    (0..3).for_each(|_| outbox.push(&frame(1)));
    assert_eq!(take(&outbox).unwrap_err(), Close::Slow);
    outbox.written();
    outbox.push(&frame(1));
    assert_eq!(take(&outbox).unwrap_err(), Close::Slow);
}

#[test]
fn bytes_count_until_they_are_written() {
    let outbox = outbox(10, 100, 1_000);
    outbox.push(&frame(60));
    assert!(take(&outbox).is_ok());
    outbox.written();
    outbox.push(&frame(60));
    assert!(take(&outbox).is_ok());
    outbox.push(&frame(60));
    assert_eq!(take(&outbox).unwrap_err(), Close::Slow);
}

#[test]
fn queued_frames_are_sent_before_a_close_that_was_asked_for() {
    for close in [Close::Restart, Close::Disconnected] {
        let outbox = outbox(10, 100, 100);
        outbox.push(&frame(1));
        outbox.end(close);
        outbox.push(&frame(1));
        assert_eq!(take(&outbox).map(|frames| frames.len()), Ok(1));
        assert_eq!(take(&outbox).unwrap_err(), close);
    }
}

#[test]
fn a_replay_does_not_keep_back_the_last_pushes() {
    for sendable in [Sendable::Nothing, Sendable::OnlyPushed] {
        let outbox = outbox(10, 100, 100);
        outbox.push(&tracked(1));
        outbox.push(&frame(2));
        outbox.end(Close::Disconnected);
        let taken = outbox.take(sendable, || true).unwrap();
        assert_eq!(taken.iter().map(Outgoing::bytes).collect::<Vec<_>>(), [2]);
        assert_eq!(outbox.take(sendable, || true).unwrap_err(), Close::Disconnected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_to_a_client_that_was_disconnected_is_cut_short() {
    let (outbox, start) = (outbox(10, 100, 100), Instant::now());
    outbox.end(Close::Disconnected);
    assert_eq!(outbox.cut_short(Written::Stored).await, Close::Disconnected);
    assert_eq!(start.elapsed(), Duration::ZERO);
    for _ in 0..2 {
        assert_eq!(outbox.cut_short(Written::Queued).await, Close::Disconnected);
        assert_eq!(start.elapsed(), LAST_WRITE_TIMEOUT, "in total, whatever the number of writes");
    }
}

#[test]
fn an_offered_frame_takes_no_more_than_half_and_ends_nothing() {
    let by_frames = outbox(4, 1_000, 1_000);
    assert_eq!([(); 3].map(|()| by_frames.offer(&frame(1))), [true, true, false]);
    let by_bytes = outbox(100, 100, 1_000);
    assert_eq!([30, 30, 20].map(|bytes| by_bytes.offer(&frame(bytes))), [true, false, true]);
    let by_total = outbox(100, 1_000, 100);
    assert_eq!([60, 50].map(|bytes| by_total.offer(&frame(bytes))), [false, true]);
    for outbox in [&by_frames, &by_bytes, &by_total] {
        outbox.push(&frame(1));
        assert!(take(outbox).is_ok());
    }
    by_total.end(Close::Restart);
    assert!(!by_total.offer(&frame(1)));
}

#[test]
fn an_empty_outbox_takes_any_frame() {
    let outbox = outbox(10, 100, 100);
    outbox.push(&frame(500));
    assert_eq!(take(&outbox).map(|frames| frames.len()), Ok(1));
}

#[test]
fn total_bound_applies_beyond_the_guaranteed_bytes() {
    let total = Arc::new(AtomicUsize::new(0));
    let bounds = Bounds { frames: 10, bytes: 10 * GUARANTEED_BYTES, total: 3 * GUARANTEED_BYTES };
    let (one, other) =
        (Outbox::new(Format::Json, bounds, total.clone()), Outbox::new(Format::Json, bounds, total.clone()));
    one.push(&frame(3 * GUARANTEED_BYTES));
    other.push(&frame(GUARANTEED_BYTES / 2));
    other.push(&frame(GUARANTEED_BYTES / 2));
    assert_eq!(
        total.load(Ordering::Relaxed),
        4 * GUARANTEED_BYTES,
        "the guaranteed bytes are always available"
    );
    other.push(&frame(1));
    assert_eq!(take(&other).unwrap_err(), Close::Slow);
    assert_eq!(total.load(Ordering::Relaxed), 3 * GUARANTEED_BYTES);
    assert!(take(&one).is_ok());
    drop(one);
    assert_eq!(total.load(Ordering::Relaxed), 0);
}

#[test]
fn what_is_only_pushed_is_taken_from_among_what_a_replay_brings() {
    let total = Arc::new(AtomicUsize::new(0));
    let outbox = Outbox::new(Format::Json, Bounds { frames: 9, bytes: 99, total: 99 }, total.clone());
    for outgoing in [tracked(1), frame(2), tracked(3), frame(4)] {
        outbox.push(&outgoing);
    }
    outbox.push(&Outgoing::new(Utf8Bytes::from(unread(7, None, false)), None));
    let counter = unread(7, None, false).len();
    let bytes =
        |taken: Result<Vec<Outgoing>, Close>| taken.unwrap().iter().map(Outgoing::bytes).collect::<Vec<_>>();
    assert!(bytes(outbox.take(Sendable::Everything, || false)).is_empty());
    assert_eq!(bytes(outbox.take(Sendable::OnlyPushed, || false)), [2, 4]);
    assert!(bytes(outbox.take(Sendable::OnlyPushed, || true)).is_empty());
    assert_eq!(total.load(Ordering::Relaxed), 10 + counter, "what is being written counts");
    outbox.written();
    assert_eq!(total.load(Ordering::Relaxed), 4 + counter);
    assert_eq!(bytes(take(&outbox)), [1, 3, counter]);
}

#[test]
fn messages_that_are_taken_back_are_not_sent_and_free_their_bytes() {
    let total = Arc::new(AtomicUsize::new(0));
    let outbox = Outbox::new(Format::Json, Bounds { frames: 9, bytes: 99, total: 99 }, total.clone());
    for outgoing in [frame(1), tracked(2), frame(4)] {
        outbox.push(&outgoing);
    }
    outbox.remove(&[MessageId::of_row(2, 2)]);
    assert_eq!(total.load(Ordering::Relaxed), 7, "another message waits");
    outbox.remove(&[MessageId::of_row(2, 2), MessageId::of_row(1, 1)]);
    assert_eq!(take(&outbox).unwrap().iter().map(Outgoing::bytes).collect::<Vec<_>>(), [1, 4]);
    outbox.written();
    assert_eq!(total.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_outbox_wakes_for_what_can_be_sent_and_for_the_end() {
    use futures_util::FutureExt as _;
    let outbox = outbox(10, 100, 100);
    outbox.push(&tracked(1));
    let ready = |sendable| outbox.ready(sendable, || false).now_or_never().is_some();
    assert_eq!([ready(Sendable::Nothing), ready(Sendable::OnlyPushed)], [false, false]);
    assert!(ready(Sendable::Everything));
    outbox.push(&frame(1));
    assert!(ready(Sendable::OnlyPushed) && !ready(Sendable::Nothing));
    outbox.end(Close::Disconnected);
    assert!(ready(Sendable::Nothing));
}
