//! Why an exchange with Redis failed.

use std::io;
use std::sync::Arc;

use super::breaker::Silence;
use super::installation::InstallationError;
use super::redis_error::RedisError;
use super::tls_error::TlsError;

/// Why an exchange failed. The connection is not used again, except after [`LinkError::Unanswered`] and
/// [`LinkError::Installation`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The deadline has passed.
    #[error("no answer in time")]
    Timeout,
    /// Redis has answered, but no daemon has until the deadline. The connection is in order.
    #[error("chatpushd did not answer in time")]
    Unanswered(Option<Silence>),
    /// The operating system reports an error on the socket.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// TLS could not be negotiated.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The other side closed the connection.
    #[error("it was closed")]
    Closed,
    /// The resolver knows the host, but no address of it.
    #[error("{0} has no address")]
    NoAddress(String),
    /// The resolver does not know the host.
    #[error("the look-up of {0:?} failed")]
    Lookup(String, #[source] io::Error),
    /// The resolver has not answered.
    #[error("the look-up of {0:?} has not ended; does the name server answer?")]
    LookupTimeout(String),
    /// No Sentinel names a server.
    #[error("no Sentinel names the master: {0}")]
    Sentinel(Box<LinkError>),
    /// Sentinels do not know the master.
    #[error("it does not know a master {0:?}; see sentinel monitor in its configuration")]
    UnknownMaster(String),
    /// The server that Sentinels name cannot be used.
    #[error("{0}, which is the master for the Sentinels: {1}")]
    Master(String, Box<LinkError>),
    /// A node of the cluster cannot be reached, or not be used.
    #[error("{0}: {1}")]
    Node(String, Box<LinkError>),
    /// Nodes of the cluster know no master for the slot.
    #[error("no master of the cluster has the slot {0}")]
    NoMaster(u16),
    /// The node does not know the others.
    #[error("it knows no nodes with slots; see redis-cli --cluster check")]
    NoSlots,
    /// The bytes are not RESP: something other than Redis answers.
    #[error("the answer is not RESP")]
    NotResp,
    /// The answer exceeds every bound.
    #[error("the answer is too long")]
    TooLong,
    /// The answer is of another type than the command has.
    #[error("Redis answered with {0}")]
    UnexpectedType(&'static str),
    /// A part of the answer is missing.
    #[error("the answer is too short")]
    TooShort,
    /// The answer is not one of this version.
    #[error("the answer is of another version")]
    OtherVersion(#[source] Option<serde_json::Error>),
    /// Redis does not have the script. Nothing was executed.
    #[error("Redis does not have the script")]
    NoScript,
    /// The installation does not serve. The connection is in order, and nothing was executed.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// Redis answered with an error.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// Redis executed some commands of a call, and refused others with this error.
    #[error("it executed only a part of the call: {0}")]
    Halfway(Arc<LinkError>),
    /// Redis executed the script, but refused the subscription to its answer.
    #[error("{0}")]
    Subscription(RedisError),
    /// Redis executed the script, but refused to wait for a replica.
    #[error("{0}")]
    Replication(RedisError),
}

impl LinkError {
    /// Whether it is certain that Redis did not execute the request, although it has received it. What a replica
    /// publishes reaches nobody: it has no subscribers.
    pub(crate) fn says_not_executed(&self) -> bool {
        match self {
            Self::NoScript => true,
            Self::Redis(error) => error.was_not_executed(),
            _ => false,
        }
    }

    /// Whether the connection broke, rather than that Redis or a daemon has answered or not.
    pub(super) fn is_of_connection(&self) -> bool {
        match self.of_rest() {
            // The script was executed, and the master is none any more.
            Self::Replication(error) => error.is_passing() || error.is_of_slot(),
            Self::Unanswered(_)
            | Self::NoScript
            | Self::Installation(_)
            | Self::Redis(_)
            | Self::Subscription(_) => false,
            _ => true,
        }
    }

    /// Why the rest of a call was not executed, if a part was.
    pub(super) fn of_rest(&self) -> &Self {
        match self {
            Self::Halfway(cause) => cause,
            cause => cause,
        }
    }

    /// Whether another try may succeed in a moment, because a server is being started or a network is
    /// interrupted.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Timeout
            | Self::Closed
            | Self::NoAddress(_)
            | Self::Lookup(..)
            | Self::LookupTimeout(_)
            | Self::NoMaster(_)
            | Self::NoSlots
            | Self::NoScript => true,
            Self::Io(error) => !matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
            ),
            Self::Redis(error) | Self::Replication(error) => error.is_passing(),
            Self::Sentinel(cause) | Self::Master(_, cause) | Self::Node(_, cause) => cause.is_passing(),
            Self::Unanswered(_)
            | Self::UnknownMaster(_)
            | Self::Installation(_)
            | Self::Tls(_)
            | Self::NotResp
            | Self::TooLong
            | Self::UnexpectedType(_)
            | Self::TooShort
            | Self::OtherVersion(_)
            | Self::Halfway(_)
            | Self::Subscription(_) => false,
        }
    }
}
