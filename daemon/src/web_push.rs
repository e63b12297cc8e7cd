//! Tells browsers, by Web Push, of users for whom messages wait (RFC 8030, 8291, 8292).
//!
//! `subscriptions` keeps where browsers can be reached.

pub(crate) mod subscriptions;
