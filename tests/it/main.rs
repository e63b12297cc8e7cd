//! End-to-end tests, a module a topic.

/// The SQL and PHP of the baseline, verbatim, and the default schema.
mod baseline;
/// What a connection gets, in which order, and when a row goes.
mod connect;
/// Subscriptions that end, clients that do not read or do not confirm.
mod delivery;
/// Who may connect, for how long, and who is shown out.
mod handshake;
/// How many, how often, how much.
mod limits;
/// Proxies that say whose connection it is.
mod proxy;
/// TLS, by the daemon and by nginx.
mod tls;
/// Clients of other languages.
mod third_party_clients;
/// Hostile and mistaken input on the socket.
mod input;
/// Redis, MySQL and the daemon going away at call time.
mod outage;
/// The writer: exactly once, in order, refused data set aside.
mod writer;
/// Several daemons: one is killed, hangs, or finds a Redis that has lost something.
mod takeover;
/// Stopping.
mod shutdown;
/// The commands beside `run`.
mod commands;
/// The links of the documentation.
mod links;
/// Other table and column names, other settings.
mod settings;
/// The examples that need no browser and no web server.
mod examples;
/// The licences of everything that is built in.
mod licences;
/// Dependencies between modules and crates.
mod architecture;
