//! End-to-end tests, one module for each topic.

/// The SQL and PHP of the baseline, verbatim, and the default schema.
mod baseline;
/// What a connection receives, in which order, and when a row is deleted.
mod connect;
/// Closed subscriptions, and clients that do not read or do not confirm.
mod delivery;
/// Whoever connects while entries of others wait, or while MySQL is away.
mod barrier;
/// What is installed has no fault injection.
mod fault_injection;
/// Rooms, grants, and what is pushed to all.
mod rooms;
/// Presence of peers, and client events.
mod presence;
/// Origins, tokens, and disconnecting a user.
mod general_failures;
mod handshake;
/// The opening handshake of RFC 6455, and the reason why one is refused.
mod upgrade;
/// The closing handshake of RFC 6455, protocol errors, and invalid text.
mod closing;
/// Limits on connections, handshakes and bytes.
mod limits;
/// A configuration that is read again on SIGHUP.
mod reload;
/// Backups that are restored.
mod backup;
/// What `/metrics` says.
mod metrics;
/// What operators see: `status`, `online`, `log`, and the admin listener.
mod operators;
/// Memory for large mailboxes and slow clients.
mod many;
/// Users of whom somebody is to be told that messages wait.
mod notify;
/// Webhooks: users for whom messages wait, who comes and goes, what was delivered.
mod webhooks;
/// Web Push: subscriptions, and what push services are sent.
mod web_push;
mod memory;
/// The PROXY protocol.
mod poison;
mod proxy;
/// TLS, in the daemon and in nginx.
mod tls;
/// WebSocket clients in other languages.
mod third_party_clients;
/// Invalid input on the socket.
mod input;
/// The connection of the extension to Redis.
mod transport;
/// The longest wait of a socket.
mod send_timeout;
/// Polling for answers.
mod busy_poll;
/// Calls without Redis, MySQL or a daemon.
mod outage;
/// What systemd is told.
mod service_manager;
/// The unit of systemd.
mod packaging;
/// The writer: exactly once, in order, dead letters.
mod writer;
/// User ids of the types `bigint` and `text`.
mod user_ids;
/// The table of users: its columns, and the privileges on it.
mod user_table;
/// What makes a row the message that was stored.
mod identity;
/// Entries that MySQL refuses, and limits of its columns and statements.
mod refused;
/// Who of many receivers is refused.
mod refused_receivers;
/// Messages that are taken back.
mod recall;
/// Limits on what waits for a user who is away.
mod mailbox_limits;
/// What is removed when a user is forgotten.
mod forget;
/// What senders are told of their own messages.
mod copies;
/// Unread messages by conversation.
mod conversations;
/// A message table that is a history.
mod history;
/// Tables as applications have them.
mod own_tables;
/// The shapes of eleven message tables.
mod message_tables;
/// Rows from before chatpush.
mod adopt;
/// An installation without a database.
mod push_only;
/// Which Redis, database and version belong together.
mod installation;
/// Takeover between daemons, and a Redis that has lost data.
mod takeover;
/// A Redis master that becomes a replica and lives on.
mod failover;
/// A Redis master that Sentinels replace.
mod sentinel;
/// Calls of PHP on a Redis Cluster.
mod cluster_calls;
/// Connections to Redis that die without a word.
mod dead_connections;
/// The accounts of Redis in the documentation.
mod accounts;
/// Clears of unread counters that clients ask for.
mod clears;
/// A Redis Cluster.
mod cluster;
/// A Redis that takes no writes.
mod refused_writes;
/// Replicas of Redis that are waited for.
mod replication;
/// A MySQL that loses its last commits in a crash.
mod durability;
/// A MySQL primary that is replaced and lives on.
mod mysql_failover;
/// Connections to MySQL that die without a word.
mod mysql_connections;
/// A Galera cluster whose other nodes are written to, and that grows.
mod galera;
/// Graceful shutdown and rolling restarts.
mod shutdown;
/// The commands of `chatpushd` other than `run`.
mod commands;
/// Mistakes in the configuration, and how they are reported.
mod configuration;
/// `chatpushd check`, on real servers.
mod check;
/// The commands for a running demo.
mod demo;
/// The links of the documentation.
mod links;
/// Settings, with other table and column names.
mod settings;
/// The examples that need no browser and no web server.
mod examples;
/// The licences of all dependencies.
mod licences;
/// Dependencies between modules and crates.
mod architecture;
