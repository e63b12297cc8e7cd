//! What the account in Redis may do: every command that the daemon and its scripts use, with keys and
//! channels of the prefix.
//!
//! The commands are really sent, since a small account may not ask with ACL DRYRUN. Their arguments are such
//! that nothing changes: their keys and channels belong to nobody.

use chatpush_wire::address::Endpoint;
use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, ErrorKind, ProtocolVersion, RedisError, ServerErrorKind, Value};

use crate::broker::{BrokerError, COMMAND_TIMEOUT, Connector};
use crate::config::Config;
use crate::ops::check::Finding;

/// Commands, as an ACL names them, and the arguments with which they are tried. `K` and `C` stand for a key
/// and a channel.
const COMMANDS: [(&str, &str); 30] = [
    ("client|setname", "CLIENT SETNAME chatpushd-check"),
    ("client|id", "CLIENT ID"),
    ("eval", "EVAL return 0"),
    ("evalsha", "EVALSHA 0000000000000000000000000000000000000000 0"),
    ("script|load", "SCRIPT LOAD return"),
    ("pubsub|shardnumsub", "PUBSUB SHARDNUMSUB C"),
    ("spublish", "SPUBLISH C check"),
    ("time", "TIME"),
    ("exists", "EXISTS K"),
    ("get", "GET K"),
    ("set", "SET K 1 XX"),
    ("pexpire", "PEXPIRE K 1"),
    ("hset", "HSET K field 1"),
    ("hget", "HGET K field"),
    ("hdel", "HDEL K field"),
    ("hgetall", "HGETALL K"),
    ("hrandfield", "HRANDFIELD K 1"),
    ("blmpop", "BLMPOP 0.001 1 K LEFT"),
    ("xadd", "XADD K NOMKSTREAM * field 1"),
    ("xdel", "XDEL K 0-1"),
    ("xlen", "XLEN K"),
    ("xread", "XREAD COUNT 1 STREAMS K 0"),
    ("xrange", "XRANGE K - + COUNT 1"),
    ("xtrim", "XTRIM K MAXLEN 0"),
    ("xsetid", "XSETID K 0-1"),
    ("xinfo|stream", "XINFO STREAM K"),
    ("del", "DEL K"),
    ("ssubscribe", "SSUBSCRIBE C"),
    ("sunsubscribe", "SUNSUBSCRIBE C"),
    ("ping", "PING"),
];

/// Commands that only a cluster needs.
const CLUSTER: [(&str, &str); 2] = [("cluster|info", "CLUSTER INFO"), ("cluster|slots", "CLUSTER SLOTS")];

/// The command that `redis.replicas` needs.
const REPLICAS: [(&str, &str); 1] = [("wait", "WAIT 0 1")];

/// Commands for the subscriptions of a daemon that hangs.
const OPTIONAL: [(&str, &str); 2] =
    [("client|list", "CLIENT LIST ID 1"), ("client|kill", "CLIENT KILL ID 9223372036854775807")];

/// What was refused, as it would be allowed in an ACL.
#[derive(Debug, Default)]
struct Refused {
    commands: Vec<&'static str>,
    keys: bool,
    channels: bool,
}

/// Tries the account at the node that is named, of a cluster, or without a name at the only server.
pub(super) async fn check(config: &Config, connector: &Connector, node: Option<&Endpoint>) -> Finding {
    const NAME: &str = "Redis account";
    let [required, optional] = match tried(config, connector, node).await {
        Ok(refused) => refused,
        Err(error) => return Finding::wrong(NAME, format!("cannot be tried: {error}")),
    };
    let user = config.redis.user.as_deref().unwrap_or("default");
    if let Some(rules) = required.rules(&config.prefix) {
        return Finding::wrong(NAME, format!("lacks permissions; ACL SETUSER {user} {rules}"));
    }
    match optional.rules(&config.prefix) {
        Some(rules) => Finding::warning(
            NAME,
            format!(
                "cannot end the subscriptions of a daemon that hangs, whose users look connected; \
                 ACL SETUSER {user} {rules}"
            ),
        ),
        None => Finding::fine(NAME, user),
    }
}

/// What is refused of the commands that are needed, and of the optional ones.
async fn tried(
    config: &Config,
    connector: &Connector,
    node: Option<&Endpoint>,
) -> Result<[Refused; 2], BrokerError> {
    // In RESP3 a subscription does not change what the connection can do.
    let client = connector.client(node, ProtocolVersion::RESP3).await?;
    let limits = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(COMMAND_TIMEOUT))
        .set_response_timeout(Some(COMMAND_TIMEOUT));
    let mut connection = client.get_multiplexed_async_connection_with_config(&limits).await?;
    // No dead letter has such a number, and no caller such a name.
    let partition = match (connector.cluster(), node) {
        (Some(cluster), Some(node)) => cluster.topology().await?.partitions_of(node).iter().next(),
        _ => None,
    };
    let partition = partition.unwrap_or(Partition::FIRST);
    let names =
        [config.prefix.requeued(partition, u64::MAX), config.prefix.reply_channel(partition, "check")];
    let mut refused = [Refused::default(), Refused::default()];
    let of_cluster: &[_] = if node.is_some() { &CLUSTER } else { &[] };
    let of_replicas: &[_] = if config.replicas > 0 { &REPLICAS } else { &[] };
    let required = COMMANDS.iter().chain(of_cluster).chain(of_replicas);
    for (commands, refused) in
        [required.collect::<Vec<_>>(), OPTIONAL.iter().collect()].into_iter().zip(&mut refused)
    {
        for (name, arguments) in commands {
            match send(&mut connection, arguments, &names).await {
                Ok(_) => {}
                Err(error) if error.is_io_error() => return Err(error.into()),
                Err(error) => refused.note(name, &error),
            }
        }
    }
    Ok(refused)
}

async fn send(
    connection: &mut MultiplexedConnection,
    command: &str,
    [key, channel]: &[String; 2],
) -> Result<Value, RedisError> {
    let mut sent = Cmd::new();
    for argument in command.split(' ') {
        sent.arg(match argument {
            "K" => key,
            "C" => channel,
            other => other,
        });
    }
    sent.query_async(connection).await
}

impl Refused {
    /// Notes what an error refuses. Other errors are none of the account's: the key is not there.
    fn note(&mut self, name: &'static str, error: &RedisError) {
        let text = error.to_string();
        let is_unknown = text.contains("unknown command") || text.contains("unknown subcommand");
        // A refused EXEC answers EXECABORT, followed by the reason.
        let is_refused =
            error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) || text.contains("NOPERM");
        if !is_refused && !is_unknown {
            return;
        }
        // Redis 7.0 names "one of the keys used as arguments", later versions "a key".
        if is_unknown || text.contains("to run the") {
            self.commands.push(name);
        } else if text.contains("channel") {
            self.channels = true;
        } else {
            self.keys = true;
        }
    }

    /// The rules that allow it, if anything was refused.
    fn rules(&self, prefix: &Prefix) -> Option<String> {
        let quoted = |rule: String| if rule.contains(['|', '~', '&']) { format!("'{rule}'") } else { rule };
        let keys = self.keys.then(|| format!("~{prefix}:*"));
        let channels = self.channels.then(|| format!("&{prefix}:*"));
        let commands = self.commands.iter().map(|name| format!("+{name}"));
        let rules: Vec<_> = keys.into_iter().chain(channels).chain(commands).map(quoted).collect();
        (!rules.is_empty()).then(|| rules.join(" "))
    }
}
