//! Functions that say of whom somebody is to be told that messages wait, and how.

use std::time::Duration;

use chatpush_wire::due::DueUser;
use chatpush_wire::push_subscription::{PushEndpoint, PushSubscription};

use crate::calls::notifications;
use crate::declaration::function;
use crate::parameters::{DueLimit, LeaseSeconds};
use crate::settings::Call;
use crate::users::{self, UserArgument, UserArguments};

function! {
    /// Returns users of whom somebody is to be told that messages wait, those first who are due longest.
    ///
    /// A user is due when messages have waited for `notify.after` seconds and nobody was told since the user was
    /// last connected (chatpushd's `notify.when` says what counts). Each is leased to this caller: others get the
    /// user again when the lease ends, unless `markNotified()` was called. Times are in milliseconds since 1970.
    /// `waiting` counts messages that no client has confirmed, up to 1,000, and `unread` is the unread counter. With
    /// `notify.when` = `unread`, `waiting` may be 0, and `first_time` and `last` are null once the rows are gone.
    ///
    /// @param int $limit the most users to return, 1 to 1000; fewer if their messages are long
    /// @param int $lease_seconds 1 to 86400
    /// @return list<array{user_id: string|int, waiting: int, unread: int, first_time: int|null,
    ///     last: array{message_id: string, sender_id: string|int, type: string|int, content: string,
    ///     time: int}|null}>
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
    /// @throws \ChatPush\TimeoutException no answer in time; who was leased comes again when the lease ends
    /// @throws \ChatPush\Exception `notify.after` is 0
    fn getDueNotifications(limit: DueLimit = 100, lease_seconds: LeaseSeconds = 60) -> Vec<DueUser> {
        let call = Call::begin()?;
        notifications::due(&call, limit, Duration::from_secs(lease_seconds))
    }
}

function! {
    /// Says that users were told. They are due again only after they have connected, or have read.
    ///
    /// @param list<string|int> $user_ids at most 10,000 user ids
    /// @return int how many of them were due or leased
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
    /// @throws \ChatPush\TimeoutException no answer in time: it may have been done, call it again
    /// @throws \ChatPush\Exception `notify.after` is 0
    fn markNotified(user_ids: UserArguments) -> u64 {
        if user_ids.is_empty() {
            return Ok(0);
        }
        let call = Call::begin()?;
        let users = users::typed(&call, |ids| user_ids.of_type(ids))?;
        drop(user_ids);
        notifications::mark(&call, users)
    }
}

function! {
    /// Saves a browser's subscription to Web Push, which chatpushd then tells that messages wait for the user.
    ///
    /// chatpush.js does this by itself over its connection. Saving it again changes nothing; saved for another
    /// user, it is theirs. A user has at most 20, and the oldest goes.
    ///
    /// @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
    /// @param string $subscription_json what `JSON.stringify(subscription)` gives in the browser
    /// @throws \ValueError an argument is out of range, or the JSON is no subscription
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
    /// @throws \ChatPush\TimeoutException no answer in time: it may have been done, call it again
    /// @throws \ChatPush\Exception Web Push is off, or the push service is not in `web_push.hosts`
    fn savePushSubscription(user_id: UserArgument, subscription_json: PushSubscription) -> () {
        let call = Call::begin()?;
        let user = users::typed(&call, |ids| user_id.of_type(ids))?;
        notifications::save_push_subscription(&call, user, subscription_json)
    }
}

function! {
    /// Removes a browser's subscription to Web Push: for a sign-out on the server, so that the browser does not go on to
    /// show that messages wait for the user.
    ///
    /// The page's own `chat.disableNotifications()` ends it in the browser too. A call that is repeated after a timeout
    /// may return false although it has removed it.
    ///
    /// @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
    /// @param string $endpoint the subscription's `endpoint`, an https address of at most 1500 bytes
    /// @return bool true: the user had such a subscription; false: there was none
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
    /// @throws \ChatPush\TimeoutException no answer in time: it may have been done, call it again
    /// @throws \ChatPush\Exception Web Push is off
    fn removePushSubscription(user_id: UserArgument, endpoint: PushEndpoint) -> bool {
        let call = Call::begin()?;
        let user = users::typed(&call, |ids| user_id.of_type(ids))?;
        notifications::remove_push_subscription(&call, user, endpoint)
    }
}
