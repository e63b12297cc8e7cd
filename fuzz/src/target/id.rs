//! Ids, log positions and channel names encode and decode without loss, are distinct, and keep their order.

use arbitrary::{Arbitrary, Unstructured};
use chatpush_daemon::log::position::Position;
use chatpush_wire::id::{AnyUserId, ChosenId, MessageId, UserId, UserIdType};
use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;

#[derive(Arbitrary, Debug)]
enum User<'a> {
    Number(i64),
    Text(&'a str),
}

impl User<'_> {
    /// The ids of each type that it stands for.
    fn ids(&self) -> impl Iterator<Item = UserId> {
        let id = match self {
            Self::Number(number) => Some(AnyUserId::Number(*number)),
            Self::Text(text) => AnyUserId::try_from(text.as_bytes()).ok(),
        };
        UserIdType::ALL.into_iter().filter_map(move |kind| id.as_ref()?.of_type(kind).ok())
    }
}

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    users: [User<'a>; 2],
    times: [u64; 2],
    numbers: [u64; 2],
    entropy: [[u8; 10]; 2],
    texts: [&'a str; 2],
}

pub(super) fn run(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        message_id(text);
        if let Ok(position) = text.parse::<Position>() {
            assert_eq!(position.to_string().parse(), Ok(position));
        }
    }
    if let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) {
        made_ids(&input);
        positions(input.times, input.numbers);
        names(&input);
    }
}

fn message_id(text: &str) {
    let printable = text.chars().all(|c| (' '..='~').contains(&c));
    let id = MessageId::try_from(text.to_owned());
    assert_eq!(id.is_ok(), (1..=MessageId::MAX_BYTES).contains(&text.len()) && printable);
    if let Ok(id) = id {
        assert_eq!(id.to_string(), text);
        assert!(!(id.is_chosen() && id.as_row().is_some()), "an id belongs to two kinds");
    }
}

/// The three kinds of message ids: generated, of a row, chosen by the sender.
fn made_ids(input: &Input<'_>) {
    let generated = [0, 1].map(|which| MessageId::generate(input.times[which], input.entropy[which]));
    let millis = input.times.map(|time| time & 0xFFFF_FFFF_FFFF);
    assert_eq!(
        (millis[0], input.entropy[0]).cmp(&(millis[1], input.entropy[1])),
        generated[0].as_str().cmp(generated[1].as_str())
    );
    assert!(generated.iter().all(|id| !id.is_chosen() && id.as_row().is_none()));

    let row = MessageId::of_row(input.numbers[0], input.numbers[1]);
    assert_eq!(row.as_row(), Some((input.numbers[0], input.numbers[1])));
    assert!(!row.is_chosen() && MessageId::try_from(row.to_string()).is_ok());

    let chosen = [0, 1].map(|which| {
        let sender = input.users[which].ids().last()?;
        let text = input.texts[which];
        Some((MessageId::chosen(&sender, ChosenId::try_from(text.as_bytes()).ok()?), sender, text))
    });
    assert!(chosen.iter().flatten().all(|(id, ..)| id.is_chosen() && id.as_row().is_none()));
    assert!(
        chosen.iter().flatten().all(|(id, sender, _)| id.sender(UserIdType::Text).as_ref() == Some(sender))
    );
    if let [Some(one), Some(other)] = &chosen {
        let same = one.1 == other.1 && one.2 == other.2;
        assert_eq!(one.0 == other.0, same, "equal ids of different senders or texts");
    }
}

fn positions(times: [u64; 2], numbers: [u64; 2]) {
    let text = [0, 1].map(|which| format!("{}-{}", times[which], numbers[which]));
    let [one, other] = text.map(|text| text.parse::<Position>().expect("two numbers"));
    assert_eq!(one.cmp(&other), (times[0], numbers[0]).cmp(&(times[1], numbers[1])));
    assert!(one.next() > one || (times[0], numbers[0]) == (u64::MAX, u64::MAX));
    assert!(one.next() >= one, "the next position is smaller");
    assert!(one >= other || one.next() <= other, "there is a position in between");
}

fn names(input: &Input<'_>) {
    let Ok(prefix) = Prefix::try_from(input.texts[0].to_owned()) else { return };
    for user in input.users.iter().flat_map(User::ids) {
        let kind = match user {
            UserId::Int { .. } => UserIdType::Int,
            UserId::BigInt { .. } => UserIdType::BigInt,
            UserId::Text { .. } => UserIdType::Text,
        };
        let channel = prefix.user_channel(&user);
        assert_eq!(prefix.user_of_channel(&channel, kind).as_ref(), Some(&user));
        let partition = Partition::of(&user);
        assert_eq!(prefix.partition_of_log(&prefix.log(partition)), Some(partition));
        if let Ok(other) = Prefix::try_from(input.texts[1].to_owned())
            && other != prefix
        {
            assert_eq!(other.user_of_channel(&channel, kind), None, "a channel belongs to two prefixes");
        }
    }
    let _ = prefix.user_of_channel(input.texts[1], UserIdType::Text);
    let _ = prefix.partition_of_log(input.texts[1]);
}
