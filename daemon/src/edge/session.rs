//! One WebSocket connection, from the upgrade to the close.
//!
//! A session either replays stored messages or forwards live ones. During the replay, live frames wait in the
//! outbox and follow the last page; while stored messages cannot be read, what is only pushed goes on. When the
//! subscriptions begin a new epoch, messages may have been missed, and the session replays again.

pub mod client_frame;
pub(crate) mod context;
pub(crate) mod credentials;
pub(crate) mod end;
mod grant;
mod inbound;
pub mod message_rate;
mod outbound;
pub(crate) mod protocol;
pub(crate) mod registration;
pub mod tracking;

use std::pin::Pin;
use std::time::Duration;

use chatpush_wire::token::TokenError;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};

use self::context::SessionContext;
use self::credentials::Credentials;
use self::end::{End, Step};
use self::grant::{ActiveGrant, GrantPace};
use self::message_rate::MessageRate;
use self::protocol::Protocol;
use self::registration::RegistrationGuard;
use self::tracking::Tracking;
use crate::base::clock;
use crate::config::Limits;
use crate::edge::push_requests::PushPace;
use crate::edge::replay::ReplayPart;
use crate::edge::socket::Socket;
use crate::hub::close_code::Close;
use crate::hub::{Epoch, Page, Sendable, Written};

/// How often the daemon pings. A client that has been silent for two intervals is gone.
const PING_INTERVAL: Duration = Duration::from_secs(25);

/// The pause before a replay that has failed is started again.
const REPLAY_RETRY_DELAY: Duration = Duration::from_secs(1);

/// One open connection.
pub(crate) struct Session<'a> {
    /// Its number, in log lines.
    connection: u64,
    socket: Socket,
    registration: RegistrationGuard,
    protocol: Protocol,
    context: &'a SessionContext,
    /// The limits as they were when the connection was opened.
    limits: Limits,
    tracking: Tracking,
    rate: MessageRate,
    /// When the client was last heard from.
    last_received: Instant,
    next_ping: Instant,
    credentials: Credentials,
    token_expires: Instant,
    grant: Option<Box<ActiveGrant>>,
    pace: GrantPace,
    push_pace: PushPace,
    /// The pages of the replay under way.
    replay: Option<mpsc::Receiver<ReplayPart>>,
    /// Whether the replay cannot read stored messages for now.
    replay_delayed: bool,
    /// The epoch of the last complete replay.
    epoch: Epoch,
}

impl<'a> Session<'a> {
    /// A session that has not sent anything yet, for the connection with this number.
    pub(crate) fn new(
        connection: u64,
        socket: Socket,
        registration: RegistrationGuard,
        credentials: Credentials,
        protocol: Protocol,
        context: &'a SessionContext,
    ) -> Self {
        let now = Instant::now();
        let token_expires = instant_of(credentials.token().expires);
        if protocol == Protocol::V1 {
            registration.allow_events();
        }
        Self {
            connection,
            socket,
            registration,
            protocol,
            context,
            limits: context.live.get().limits,
            tracking: Tracking::default(),
            rate: MessageRate::default(),
            last_received: now,
            // Spread out: clients that connected together are not pinged together.
            next_ping: now + PING_INTERVAL.mul_f64(0.5 + fastrand::f64() / 2.0),
            credentials,
            token_expires,
            grant: None,
            pace: GrantPace::default(),
            push_pace: PushPace::default(),
            replay: None,
            replay_delayed: false,
            epoch: 0,
        }
    }

    /// The socket and the registration, for closing.
    pub(crate) fn into_parts(self) -> (Socket, RegistrationGuard) {
        (self.socket, self.registration)
    }

    /// Serves the connection until it has to end.
    pub(crate) async fn run(&mut self) -> End {
        let timer = tokio::time::sleep_until(self.next_due());
        tokio::pin!(timer);
        self.start_replay(Duration::ZERO);
        loop {
            if let Err(end) = self.step(timer.as_mut()).await {
                return end;
            }
            if self.replay.is_none() && self.registration.epoch() != self.epoch {
                self.start_replay(Duration::ZERO);
            }
            self.reset(timer.as_mut());
        }
    }

    /// Waits for the next event and handles it.
    async fn step(&mut self, timer: Pin<&mut Sleep>) -> Step {
        // A client that confirms nothing is sent no more than can be tracked.
        let has_room = self.tracking.has_room();
        let replaying = self.replay.is_some();
        let sendable = match (replaying, has_room) {
            (false, true) => Sendable::Everything,
            (true, _) if self.replay_delayed => Sendable::OnlyPushed,
            _ => Sendable::Nothing,
        };
        let epoch = if replaying { self.registration.epoch() } else { self.epoch };
        tokio::select! {
            part = next(&mut self.replay), if replaying && has_room => self.on_replay(part).await,
            () = self.registration.ready(sendable, epoch) => self.on_outbox(sendable).await,
            message = self.socket.recv() => match message {
                Some(Ok(message)) => self.on_message(message).await,
                Some(Err(error)) => Err(End::of_socket_error(&error)),
                None => Err(End::Disconnected),
            },
            () = ActiveGrant::subscribed(&mut self.grant) => {
                self.confirm_grant();
                Ok(())
            }
            () = timer => self.on_timer().await,
        }
    }

    fn start_replay(&mut self, delay: Duration) {
        self.replay_delayed = false;
        self.replay = Some(self.context.replay.start(
            self.registration.user().clone(),
            self.registration.format(),
            delay,
        ));
    }

    async fn on_replay(&mut self, part: Option<ReplayPart>) -> Step {
        self.replay_delayed = matches!(part, Some(ReplayPart::Delayed));
        match part {
            Some(ReplayPart::Revoked(before)) => {
                self.credentials.revoke(before).map_err(|_revoked| Close::Disconnected)?;
                if self.grant.as_ref().is_some_and(|grant| grant.is_from_before(before)) {
                    self.end_grant(TokenError::Revoked);
                }
                Ok(())
            }
            Some(ReplayPart::Delayed) => Ok(()),
            Some(ReplayPart::Page(page)) => self.write_page(page).await,
            Some(ReplayPart::Last(page, epoch)) => {
                (self.replay, self.epoch) = (None, epoch);
                self.write_page(page).await
            }
            // The replay ended without its last part: it failed in a way that may persist.
            None => {
                self.start_replay(REPLAY_RETRY_DELAY);
                Ok(())
            }
        }
    }

    async fn write_page(&mut self, mut page: Page) -> Step {
        // The page counts until it is written.
        let written = self.write(page.take(), Written::Stored).await;
        if written == Err(Close::Disconnected.into()) {
            // Stored messages come again, but what was only pushed would be lost. Ends with an error.
            loop {
                self.on_outbox(Sendable::Nothing).await?;
            }
        }
        written
    }

    async fn on_outbox(&mut self, sendable: Sendable) -> Step {
        let frames = self.registration.take(sendable, self.epoch)?;
        let written = self.write(frames, Written::Queued).await;
        self.registration.written();
        written
    }

    /// The timer fired: the token or the grant has expired, or a ping is due.
    async fn on_timer(&mut self) -> Step {
        let now = Instant::now();
        if now >= self.token_expires {
            return Err(Close::Expired.into());
        }
        if self.grant.as_ref().is_some_and(|grant| now >= grant.expires()) {
            self.end_grant(TokenError::Expired);
        }
        if now < self.next_ping {
            return Ok(());
        }
        if self.last_received.elapsed() > PING_INTERVAL * 2 {
            return Err(Close::Silent.into());
        }
        self.next_ping = now + PING_INTERVAL;
        self.send_ping().await
    }

    /// Sets the timer to what is due next, if that has changed.
    fn reset(&self, timer: Pin<&mut Sleep>) {
        let next = self.next_due();
        if timer.deadline() != next {
            timer.reset(next);
        }
    }

    /// When the timer has to fire.
    fn next_due(&self) -> Instant {
        let next = self.next_ping.min(self.token_expires);
        self.grant.as_ref().map_or(next, |grant| next.min(grant.expires()))
    }
}

/// The instant of a time in seconds since 1970, at most a year from now.
fn instant_of(unix_seconds: u64) -> Instant {
    const YEAR: u64 = 31_536_000;
    Instant::now() + Duration::from_secs(unix_seconds.saturating_sub(clock::unix_seconds()).min(YEAR))
}

async fn next(replay: &mut Option<mpsc::Receiver<ReplayPart>>) -> Option<ReplayPart> {
    match replay {
        Some(parts) => parts.recv().await,
        None => None,
    }
}
