/** The global `ChatPush` of the classic script dist/chatpush.js. */
export as namespace ChatPush;

export interface Options {
  /**
   * The connect token that PHP's `ChatPush\connectToken()` makes, or a function that returns it. White space
   * around the token is removed.
   *
   * A function is called for every attempt to connect, so the token may be short-lived; sometimes it is
   * called once more to learn the user. If it throws, rejects or returns no token, there is an `error` event,
   * and it is called again after the usual wait. If it returns a token of another user than before, the chat
   * closes with an `error`.
   *
   * A string is used for every attempt, until it expires.
   */
  token: string | (() => string | Promise<string>);

  /**
   * The grant that PHP's `ChatPush\grantToken()` makes, or a function that returns it: whose presence the
   * page sees and whom it may send events (its peers), and which rooms it is in. It is sent on every
   * connection.
   *
   * A function is called for every connection and again before the grant expires. If it throws, rejects or
   * returns no grant, or the daemon refuses the grant, there is an `error` event, and it is called again.
   * Messages need no grant.
   *
   * Give all pages the same one: the tab that has the connection sends it for all.
   */
  grant?: string | (() => string | Promise<string>);

  /**
   * The URL of the daemon: relative to the page, or absolute with http, https, ws or wss. Default: `/ws`.
   */
  url?: string | URL;

  /**
   * Chats with different names share neither a connection nor the remembered message ids. Default: `default`.
   *
   * Users are distinguished by the `sub` of their tokens. If you make tokens of your own without a `sub`, use
   * a different name for each user. Otherwise the ids of one user could hide messages from another in the
   * same browser.
   */
  name?: string;

  /**
   * Whether the tabs of one user share one connection where the browser supports it (Web Locks and
   * BroadcastChannel, which need https or localhost). Every tab gets the same events either way. Default:
   * true.
   */
  share?: boolean;

  /**
   * The URL of the worker that shows notifications, dist/chatpush-worker.js, of the page's own origin. Default:
   * `/chatpush-worker.js`, where the web server serves the file or forwards to the daemon. Its scope is its own
   * URL, so it goes with any worker of the application. One subscription of a browser belongs to it.
   */
  worker?: string | URL;
}

/** A message as the daemon sent it. */
export interface Message {
  /** The id. It is the same for every delivery of one message. */
  id: string;
  /** The type that the application gave it. Without one: `text`, or the daemon's `default_type`. */
  type: string | number;
  /** The content, verbatim. It is not escaped for HTML. */
  data: string;
  /** When the message was accepted, in milliseconds since 1970. */
  time: number;
  /**
   * Whom the message is for: it is a copy of what this user has sent, with the daemon's setting `carbons`. Of
   * one sent to many, a list; a long list comes in several copies with one id, each with other receivers.
   */
  to?: number | string | (number | string)[];
  /** The sender's user id, if the message was stored: a number, or a text with `user_id_type` `bigint` or `text`. */
  from?: number | string;
  /** The room, if the message was pushed to one. */
  room?: string;
  /** Set if the message was read from storage. */
  offline?: true;
  /** The conversation that the message was sent with, if any. */
  conversation?: string;
}

/**
 * - `connecting`: the token is being fetched or the connection is being opened.
 * - `open`: connected.
 * - `waiting`: the next attempt starts within 30 seconds, or at once when the network or the user is back.
 * - `unreachable`: there has been no connection for 30 seconds, and an `error` event says why. Attempts go on;
 *   `open` follows when one succeeds.
 * - `closed`: closed for good, by `close()` or after an `error`. Only `connect()` opens a new chat.
 */
export type State = 'connecting' | 'open' | 'waiting' | 'unreachable' | 'closed';

/** The value of a `presence` event: whether users are online, by their ids. */
export interface Presence {
  [user: string]: boolean;
}

/** An event of another client. Their browser wrote it: check the value before you use it. */
export interface ClientEvent {
  /** The name: 1 to 32 of `a-z`, `0-9`, `_`, `.` and `-`. */
  event: string;
  /** The user who sent it. */
  from: number | string;
  /** JSON of at most 1 KiB. */
  value: unknown;
}

/** The value of an `error` event. */
export interface ChatError extends Error {
  /** The WebSocket close code that closed the chat for good: 1003, 1009 or 4403. */
  code?: number;
}

export interface Events {
  /**
   * A message. Messages are handed out one at a time, in the order of the connection. The next one follows
   * when every promise that the handlers returned is settled. A promise that never settles blocks all later
   * messages.
   *
   * If no handler throws or rejects, the message is confirmed and not sent again. Otherwise there is an
   * `error` event, and the message is handed out again when a later connection brings it; until then newer
   * messages go ahead. So delivery is at least once, and nearly always exactly once: the last 1,024 handled
   * ids are remembered across reconnects and page loads. Messages of `pushMessage` are at most once: they
   * never come again.
   *
   * Without a message handler, messages wait and are not confirmed.
   */
  message: (message: Message) => unknown;

  /**
   * The unread counter, after connecting and whenever it changes. A message whose content is
   * `{"type":"unread_count","data":<integer>}` causes this event instead of `message`. `by` is what each
   * conversation counts, where `unread_by_conversation` is set. It names at most 800: `more` is true if there are
   * others, which `ChatPush\getUnreadCounts()` has.
   */
  unread: (count: number, by?: { [conversation: string]: number }, more?: boolean) => unknown;

  /**
   * Whether peers of the grant are online: all of them once after each connection, then what has changed.
   */
  presence: (users: Presence) => unknown;

  /** An event that another client has sent to this user. It comes at most once. */
  event: (event: ClientEvent) => unknown;

  /**
   * Messages were taken back: by their sender, or because they could not be stored. The page removes those
   * that it shows. What was not handed out yet is not handed out any more.
   */
  recall: (ids: string[]) => unknown;

  /**
   * A client of `to` has confirmed these messages of this user, with the daemon's setting `receipts`. It
   * comes at most once.
   */
  delivered: (receipt: { to: number | string; ids: string[] }) => unknown;

  /** The state has changed. The first state is `connecting`. */
  state: (state: State) => unknown;

  /**
   * A handler failed, the token function returned no token, there has been no connection for 30 seconds, or
   * the chat closed for good, also because the options cannot be used. Without an error handler, errors are
   * written to the console.
   */
  error: (error: ChatError) => unknown;
}

export interface Chat {
  /**
   * Adds a handler.
   * @returns A function that removes the handler; it may be called more than once.
   * @throws {TypeError} If the event does not exist or the handler is not a function.
   */
  on<E extends keyof Events>(event: E, handler: Events[E]): () => void;

  /**
   * Sets the user's unread counter to 0, or takes away what one conversation counts, now or as soon as the chat
   * is connected. All devices of the user get an `unread` event. Does nothing after the chat has closed. Where
   * notifications are on, those that are shown are closed once nothing is unread.
   *
   * Reads of conversations are sent at most 50 times a second, each conversation once. One that waits for a connection
   * for 10 seconds is dropped: it would also clear what came since.
   */
  markRead(conversation?: string | number): void;

  /**
   * Sends an event, such as `typing`, to every page of a peer of the grant. It comes at most once, and is
   * lost while there is no connection. The daemon drops events to others, and more than 20 in a second.
   * @throws {TypeError} If the name is not 1 to 32 of `a-z`, `0-9`, `_`, `.` and `-`, or the value is not
   *   JSON of at most 1 KiB.
   */
  event(to: number | string, name: string, value?: unknown): void;

  /**
   * Fetches the grant again and sends it, after the user's peers or rooms have changed. Does nothing while there
   * is no connection: each one begins with a new grant.
   */
  renewGrant(): void;

  /**
   * Lets the user be told of messages while no page is open, with the daemon's settings `[web_push]`. Asks the
   * user for permission, subscribes at the browser's push service, and resolves when the daemon has saved the
   * subscription.
   *
   * Call it in the handler of a click: browsers ask the user only then. Do not call it on every page. Later pages
   * subscribe again by themselves if the browser has ended the subscription, or the daemon has another key.
   * @throws {Error} Rejects if it cannot be, and the message says what to do: no https, an iPhone without the
   *   page on its Home Screen, no Web Push in the browser, the user has refused, no settings in the daemon, the
   *   worker or the push service cannot be reached, or no connection within 30 seconds.
   */
  enableNotifications(): Promise<void>;

  /**
   * Ends the subscription of this browser and closes its notifications. Resolves when the daemon has removed the
   * subscription; without a connection, at once: the push service tells the daemon. Call it before the user signs
   * out, if others use the browser too.
   */
  disableNotifications(): Promise<void>;

  /**
   * - `unsupported`: not in this browser, or not on this page; `enableNotifications()` rejects with the reason.
   * - `denied`: the user has blocked them for this site.
   * - `on`: the daemon has a subscription of this browser for this user; known once the state is `open`.
   * - `off`: otherwise.
   */
  readonly notifications: 'unsupported' | 'denied' | 'on' | 'off';

  /**
   * Closes this page's chat for good, after confirming the handled messages. Messages that wait are not
   * handed out; stored ones come with the next connection. Other tabs of the user stay connected.
   */
  close(): void;

  readonly state: State;
}

/**
 * Connects, and reconnects until `close()` is called or the chat closes for good. Returns before it calls any
 * of your functions, and never throws. If `token` is neither a string nor a function, or `url` is not a
 * WebSocket URL, the chat is `closed`, and an `error` event with a `TypeError` follows.
 */
export function connect(options: Options): Chat;
