//! The functions that PHP sees, and their registration.

#![allow(
    clippy::doc_markdown,
    rustdoc::invalid_html_tags,
    reason = "these are PHPDoc comments, which the stubs take over"
)]

mod connection;
mod live;
mod mailbox;
mod many;
mod notifications;
mod rooms;
mod sent;
mod store;
mod token;

use ext_php_rs::builders::FunctionBuilder;

use crate::declaration::Function;
use crate::settings;

/// The functions of the default schema's article. They are also global.
const GLOBAL: &[Function] =
    &[live::pushMessage, store::storeOfflineMessage, mailbox::getOfflineMessage, mailbox::getUnreadCount];

/// The functions that are in the namespace alone.
const NAMESPACED: &[Function] = &[
    live::disconnectUser,
    store::sendMessage,
    live::isOnline,
    many::pushToUsers,
    many::sendToUsers,
    many::getOnlineUsers,
    mailbox::getUnreadCounts,
    mailbox::clearUnreadCount,
    mailbox::ackOfflineMessage,
    mailbox::forgetUser,
    sent::recallMessage,
    notifications::getDueNotifications,
    notifications::markNotified,
    notifications::savePushSubscription,
    notifications::removePushSubscription,
    rooms::pushToRoom,
    rooms::getRoomUsers,
    rooms::pushToAll,
    token::connectToken,
    token::grantToken,
    connection::ping,
    connection::close,
];

/// Every function under each of its names, for registration.
pub(crate) fn builders() -> Vec<FunctionBuilder<'static>> {
    named().map(|(name, function)| function.builder(&name)).collect()
}

/// Adds what the builders cannot express, once the functions are registered.
pub(crate) fn complete_types() {
    for (name, function) in named() {
        function.complete_types(&name);
    }
}

fn named() -> impl Iterator<Item = (String, &'static Function)> {
    let namespaced = GLOBAL.iter().chain(NAMESPACED);
    // An application that has functions of the four names keeps them with chatpush.global_functions=0.
    let global = GLOBAL.iter().filter(|_| settings::wants_global_functions());
    namespaced
        .map(|function| (format!("ChatPush\\{}", function.name), function))
        .chain(global.map(|function| (function.name.to_owned(), function)))
}
