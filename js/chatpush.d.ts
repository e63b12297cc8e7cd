/** The global `ChatPush` of the classic script dist/chatpush.js. */
export as namespace ChatPush;

export interface Options {
  /**
   * Gives the connect token that PHP's `ChatPush\connectToken()` has made; white space around it is removed. A function
   * is called for every attempt to connect, so the token may be short-lived, and sometimes once more to learn the user.
   * When it throws, rejects or gives no token there is an `error` event, and it is called again after the usual wait.
   * When it gives another user's token than before, the chat is closed with an `error`. A text is used for every
   * attempt, and is of no use once it has expired.
   */
  token: string | (() => string | Promise<string>);

  /**
   * Where the daemon is: relative to the page, or absolute with http, https, ws or wss. Default: `/ws`.
   */
  url?: string | URL;

  /**
   * Chats of different names share neither a connection nor the memory of what was handled. Default: `default`.
   * Users are told apart by their tokens. Where those are not chatpush's own and show no user (no `sub`), give each
   * user a name: the memory of one could hide a message from another who uses the same browser.
   */
  name?: string;

  /**
   * Whether the tabs of one user share one connection where the browser can (Web Locks and BroadcastChannel, which
   * need https or localhost). Every tab gets the same events either way. Default: true.
   */
  share?: boolean;
}

/** A message, as the daemon sent it. */
export interface Message {
  /** The same for every delivery of one message. */
  id: string;
  /** What the application called it, a name or a number; `text` unless configured otherwise. */
  type: string | number;
  /** The content, verbatim. It is not escaped for HTML. */
  data: string;
  /** Milliseconds since 1970. */
  time: number;
  /** Who sent it, where that is known. */
  from?: number;
  /** The message had been stored while nobody was there. */
  offline?: true;
}

/**
 * - `connecting`: a token is being fetched, or the connection made.
 * - `open`: connected.
 * - `waiting`: the next attempt comes after a while, at most 30 seconds, and at once when the network or the user
 *   is back.
 * - `closed`: for good, by `close()` or after an `error`. Call `connect()` again if that is right.
 */
export type State = 'connecting' | 'open' | 'waiting' | 'closed';

/** What an `error` event says. */
export interface ChatError extends Error {
  /** The WebSocket close code, if that is why the chat is closed for good: 1003, 1009 or 4403. */
  code?: number;
}

export interface Events {
  /**
   * A message. Messages come strictly one after the other, in the order of the connection: the next one comes when
   * every promise that the handlers have returned is settled, so one that never settles holds up all that follow.
   *
   * A message counts as delivered, and is not sent again, when no handler has thrown or rejected. Otherwise there is
   * an `error` event and the message is handed out again when it comes on a later connection; until then, newer ones
   * go ahead. At least once, then, and nearly always exactly once: the last 1,024 ids that were handled are
   * remembered across reconnects and page loads. What `pushMessage` sends comes once, whatever becomes of it.
   *
   * Without a handler for messages, messages wait and are not confirmed.
   */
  message: (message: Message) => unknown;

  /**
   * The unread counter: when it changes, and after connecting. A message whose content is
   * `{"type":"unread_count","data":<integer>}` is this event and not a `message`.
   */
  unread: (count: number) => unknown;

  /** The state has changed. It is `connecting` at first. */
  state: (state: State) => unknown;

  /**
   * A handler has failed, no token was to be had, or the chat is closed for good. Without a handler for errors they
   * are written to the console.
   */
  error: (error: ChatError) => unknown;
}

export interface Chat {
  /**
   * Adds a handler.
   * @returns Removes the handler again; calling it twice does no harm.
   * @throws {TypeError} If there is no such event, or the handler is no function.
   */
  on<E extends keyof Events>(event: E, handler: Events[E]): () => void;

  /**
   * Sets the user's unread counter to 0: now, or as soon as the chat is connected. The daemon answers with an
   * `unread` event on all of the user's devices. Does nothing once closed.
   */
  markRead(): void;

  /**
   * Ends this page's part for good, after confirming what was handled. Messages that wait are not handed out any
   * more; those that had been stored come with the next connection. Other tabs of the user go on.
   */
  close(): void;

  readonly state: State;
}

/**
 * Connects, and stays connected until `close()` or until it is of no use. Returns at once, before any function of
 * yours is called.
 * @throws {TypeError} If `token` is neither a text nor a function, or `url` is no address of a WebSocket.
 */
export function connect(options: Options): Chat;
