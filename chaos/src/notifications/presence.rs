//! Who has come and gone, as the application was told.

use std::collections::BTreeMap;

use serde_json::Value;

/// What was told of each user, in the order in which it came first.
#[derive(Debug, Default)]
pub(super) struct Presence(BTreeMap<String, Vec<Told>>);

#[derive(Debug)]
struct Told {
    event: String,
    time: Value,
}

impl Presence {
    /// The application is told `user.online` or `user.offline` of a user, not for the second time.
    pub(super) fn told(&mut self, user: String, event: &str, time: &Value) {
        self.0.entry(user).or_default().push(Told { event: event.to_owned(), time: time.clone() });
    }

    /// Users of whom it was told last that they came.
    pub(super) fn online(&self) -> impl Iterator<Item = &str> {
        let is_online = |told: &[Told]| told.last().is_some_and(|last| last.event == "user.online");
        self.0.iter().filter(move |(_, told)| is_online(told)).map(|(user, _)| user.as_str())
    }

    /// What is wrong when everybody has left for long enough.
    pub(super) fn violations(&self) -> Vec<String> {
        let mut found: Vec<_> =
            self.online().map(|user| format!("nobody was told that a user has left: {user}")).collect();
        for (user, told) in &self.0 {
            let wrong = told.iter().enumerate().find(|(number, told)| {
                let expected = if number.is_multiple_of(2) { "user.online" } else { "user.offline" };
                told.event != expected
            });
            if let Some((number, Told { time, .. })) = wrong {
                found.push(format!("coming and going do not alternate: {user}, number {number}, at {time}"));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells of one user.
    fn told(events: &[&str]) -> Presence {
        let mut presence = Presence::default();
        for event in events {
            presence.told("7".to_owned(), &format!("user.{event}"), &Value::from(1));
        }
        presence
    }

    #[test]
    fn whoever_has_left_must_be_told_of() {
        assert_eq!(told(&[]).violations(), [""; 0]);
        assert_eq!(told(&["online", "offline", "online", "offline"]).violations(), [""; 0]);
        let stays = told(&["online", "offline", "online"]);
        assert_eq!(stays.online().collect::<Vec<_>>(), ["7"]);
        assert_eq!(stays.violations(), ["nobody was told that a user has left: 7"]);
    }

    #[test]
    fn coming_and_going_alternate() {
        for (events, number) in [(&["offline"][..], 0), (&["online", "offline", "offline"], 2)] {
            let wrong = format!("coming and going do not alternate: 7, number {number}, at 1");
            assert_eq!(told(events).violations(), [wrong]);
        }
    }
}
