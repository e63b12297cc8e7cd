import { Acks } from './acks.js';
import { addressOf, userOf } from './address.js';
import { Connection } from './connection.js';
import { Events } from './events.js';
import { Grant } from './grant.js';
import { Handled } from './handled.js';
import { Inbox, counted } from './inbox.js';
import { Notifications } from './notifications.js';
import { listen } from './page.js';
import { Reads } from './reads.js';
import { Tabs } from './tabs.js';

/**
 * The version of the messages between tabs. Tabs with another version of this client must not share a
 * channel.
 */
const TABS_VERSION = 5;

/** The name of a client event, and the longest value in bytes of JSON. The daemon drops what differs. */
const EVENT_NAME = /^[a-z0-9_.-]{1,32}$/;
const EVENT_BYTES = 1_024;

/** The name of a conversation. */
const CONVERSATION = /^[A-Za-z0-9._:@-]{1,64}$/;

/**
 * The chat of one page. It holds the connection itself (leader) or gets everything from the tab that does.
 */
export class Chat {
  constructor(options, world) {
    this.world = world;
    this.state = 'connecting';
    /** What is known of the peers, by their ids. */
    this.presence = {};
    this.reads = new Reads(world, (conversation) => this.sendReadOf(conversation));
    this.events = new Events(world);
    try {
      this.begin(options);
    } catch (error) {
      this.state = 'closed';
      // The caller adds its handlers after this.
      Promise.resolve().then(() => {
        this.events.emit('state', 'closed');
        this.events.fail(error);
      });
    }
  }

  begin({ url, token, grant, worker, name = 'default', share = true }) {
    const { world } = this;
    if (typeof token !== 'function' && (typeof token !== 'string' || !token.trim())) {
      throw new TypeError('token must be a string or a function that returns one');
    }
    if (grant !== undefined && typeof grant !== 'function' && typeof grant !== 'string') {
      throw new TypeError('grant must be a string or a function that returns one');
    }
    this.address = addressOf(world, url);
    this.name = String(name);
    this.share = share && Tabs.possible(world);
    // Kept for tabs that begin to follow this one.
    this.events.on('unread', (count, by, more) => {
      Object.assign(this, { unread: count, by, more });
      this.notifications.counted(count);
    });
    this.notifications = new Notifications(world, this.address, worker, {
      send: (text) => this.sendText(text),
      user: () => this.user,
      error: (error) => this.report(error),
    });
    if (grant) {
      this.grant = new Grant(world, grant, {
        send: (text) => this.connection.send(text),
        error: (error) => this.report(error),
      });
    }
    this.connection = new Connection(world, this.address, token, this.hooks());
    this.unlisten = listen(world, {
      wake: () => {
        if (this.tabs && !this.tabs.leading) this.tabs.ask('wake');
        else this.connection.wake();
      },
      leave: () => {
        this.acks?.flush();
        this.reads.flush(true);
      },
    });
    this.connection.start();
  }

  hooks() {
    return {
      admit: (token) => this.admit(token),
      state: (state) => this.changed(state),
      frame: (frame, socket) => {
        // The other tabs get the frame before this tab's handlers can ack it.
        this.tabs?.post({ frame });
        this.take(frame, socket);
      },
      error: (error) => this.report(error),
      giveUp: (error) => this.giveUp(error),
    };
  }

  /** Takes a frame, of this tab's connection or of the leader's. */
  take(frame, socket) {
    const { event, value } = frame;
    if (event === 'grant') {
      if (value.until) {
        // Its peers come next, all of them.
        this.presence = {};
        this.grant?.accepted();
      } else if (socket) {
        if (this.grant) this.grant.refused(value.error);
        else this.report(new Error(`no grant: ${value.error}`));
      }
    } else if (event === 'presence') {
      Object.assign(this.presence, value);
      this.events.emit('presence', value);
    } else if (event === 'event' || event === 'delivered') {
      this.events.emit(event, value);
    } else if (event === 'push') {
      this.notifications.answer(value);
    } else if (event === 'recall') {
      this.inbox.forget(value);
      this.events.emit('recall', value);
    } else {
      this.inbox.receive(frame, socket);
    }
  }

  /** Reports an error in all tabs. */
  report(error) {
    this.tabs?.post({ error: error?.message ?? String(error) });
    this.events.fail(error);
  }

  on(event, handler) {
    const off = this.events.on(event, handler);
    // Messages may have waited for this handler. They are handed out after the caller has returned.
    if (event === 'message') Promise.resolve().then(() => this.inbox?.run());
    return off;
  }

  markRead(conversation) {
    if (conversation !== undefined && !CONVERSATION.test(conversation)) {
      throw new TypeError(`chatpush has no conversation '${conversation}': it has 1 to 64 of A-Z, a-z, 0-9 and . _ : @ -`);
    }
    if (this.state === 'closed') return;
    if (conversation === undefined) {
      this.reading = true;
      this.sendRead();
      this.notifications.counted(0);
    } else {
      this.markReadOf(String(conversation));
    }
  }

  /** Marks a conversation that was read at this time, unless that is too long ago. */
  markReadOf(conversation, time) {
    if (!this.reads.add(conversation, time)) return;
    if (this.tabs && !this.tabs.leading) this.askToRead(conversation);
    else this.reads.flush();
  }

  /** Asks the leader, which may be frozen: if it does not answer, this tab takes over. */
  askToRead(conversation, at = this.world.Date.now()) {
    this.tabs.ask('status', { readOf: conversation, at });
  }

  sendReadOf(conversation) {
    const sent = this.connection.send(JSON.stringify({ read: { conversation } }));
    if (sent) this.tabs?.post({ haveRead: conversation });
    return sent;
  }

  event(to, name, value = null) {
    if (typeof name !== 'string' || !EVENT_NAME.test(name)) {
      throw new TypeError(`chatpush cannot send an event '${name}': a name has 1 to 32 of a-z, 0-9, _, . and -`);
    }
    const json = JSON.stringify({ to, event: name, value });
    if (new TextEncoder().encode(JSON.stringify(value)).length > EVENT_BYTES) {
      throw new TypeError(`the value of an event must have at most ${EVENT_BYTES} bytes`);
    }
    if (this.state !== 'closed') this.sendText(json);
  }

  /** Sends a frame over the connection, of this tab or of the leader. */
  sendText(json) {
    if (this.tabs && !this.tabs.leading) this.tabs.post({ event: json });
    else this.connection.send(json);
  }

  /** Switches notifications on or off. A chat that is closed cannot tell the daemon. */
  async notify(what) {
    if (this.state === 'closed') throw new Error('this chat is closed');
    await this.notifications[what]();
  }

  renewGrant() {
    if (this.state !== 'open') return;
    if (this.tabs && !this.tabs.leading) this.tabs.ask('grant');
    else this.grant?.begin();
  }

  close() {
    this.inbox?.close();
    this.end();
  }

  /**
   * Whether to connect with this token. The first token that names a user decides the user, and so which tabs
   * can share. A token without a user is passed on for the daemon to refuse: it may be a temporary error
   * text.
   */
  admit(token) {
    const user = userOf(this.world, token);
    if (!this.user && (user || this.user === undefined)) {
      this.user = user;
      const scope = [this.name, user].map(encodeURIComponent).join(':');
      this.handled = new Handled(this.world, `chatpush:handled:${scope}`);
      this.acks = new Acks(this.world, this.handled, this.connection);
      this.inbox = new Inbox(this.events, this.handled, (...settled) => this.settle(...settled));
      // Without a known user, this tab might share with the tab of another person.
      if (this.share && user) return this.join(token, scope);
    } else if (user && user !== this.user) {
      // The page shows the first user's messages; the second user's must not be mixed in.
      this.giveUp(new Error('the token is for another user than before: close this chat and connect again'));
      return false;
    }
    return true;
  }

  /** Requests the lock. If this tab gets it at once, the token is used to connect. */
  join(token, scope) {
    this.connection.stop();
    this.connection.keep(token);
    this.tabs = new Tabs(this.world, `chatpush:${TABS_VERSION}:${scope}:${this.address.href}`, {
      lead: () => this.connection.start(),
      follow: () => {
        this.connection.stop();
        this.grant?.end();
        this.acks.flush();
      },
      hear: (said) => (this.tabs.leading ? this.answer(said) : this.follow(said)),
    });
    this.tabs.join();
    return false;
  }

  /** Handles a message from a follower; this tab is the leader. */
  answer({ ask, handled, event, readOf, at }) {
    if (readOf) this.markReadOf(readOf, at);
    if (event) this.connection.send(event);
    if (handled) this.inbox.handledElsewhere(handled);
    if (ask === 'read') this.markRead();
    if (ask === 'wake') this.connection.wake();
    if (ask === 'grant') this.renewGrant();
    if (ask) this.tell();
  }

  /** Handles a message from the leader; this tab is a follower. */
  follow({ frame, state, unread, by, more, presence, error, read, haveRead }) {
    if (frame) this.take(frame);
    if (error) this.events.fail(new Error(error));
    if (read) this.reading = false;
    this.reads.remove(haveRead);
    if (unread !== undefined && !this.knows(unread, by, more)) this.events.emit('unread', ...counted(unread, by, more));
    if (presence) this.catchUp(presence);
    if (!state) return;
    // The previous leader may have closed before it sent our request.
    if (state === 'open' && state !== this.state) this.sendReads();
    this.become(state);
  }

  /** The state of this tab's connection, and so of all tabs, has changed. */
  changed(state) {
    if (state === 'open') {
      this.sendReads();
      this.grant?.begin();
    } else {
      this.grant?.end();
    }
    this.become(state);
    this.tell();
  }

  tell() {
    const { state, unread, by, more, presence } = this;
    if (this.tabs?.leading) this.tabs.post({ state, unread, by, more, presence });
  }

  /** Whether this is the last unread counter that this tab had. The daemon sorts the names in it. */
  knows(...unread) {
    return JSON.stringify(unread) === JSON.stringify([this.unread, this.by, this.more]);
  }

  /** Learns from the leader of the peers that came before this tab was there. */
  catchUp(presence) {
    const news = Object.entries(presence).filter(([user, online]) => this.presence[user] !== online);
    if (!news.length) return;
    this.presence = { ...presence };
    this.events.emit('presence', Object.fromEntries(news));
  }

  become(state) {
    if (state === this.state || this.state === 'closed') return;
    this.state = state;
    this.notifications.changed(state, !this.tabs || this.tabs.leading);
    this.events.emit('state', state);
  }

  /** Sends all that was read before the connection was there, or the leader. */
  sendReads() {
    if (this.tabs && !this.tabs.leading) this.reads.fresh().forEach(([name, time]) => this.askToRead(name, time));
    else this.reads.flush();
    this.sendRead();
  }

  sendRead() {
    if (!this.reading) return;
    if (this.tabs && !this.tabs.leading) {
      this.tabs.ask('read');
    } else if (this.connection.send('{"read":true}')) {
      this.reading = false;
      this.tabs?.post({ read: true });
    }
  }

  /** A message was handled. The leader acks it, unless it is a copy; a follower reports it to the leader. */
  settle(key, socket, isCopy) {
    if (!socket) this.tabs?.post({ handled: key });
    else if (isCopy) this.acks.flushSoon();
    else this.acks.add(key, socket);
  }

  giveUp(error) {
    // Messages that were received are still handed out: no later connection will bring them again.
    this.end();
    this.events.fail(error);
  }

  end() {
    if (this.state === 'closed') return;
    this.acks?.flush();
    this.reads.flush(true);
    this.connection.stop();
    this.grant?.end();
    this.tabs?.leave();
    this.notifications.end();
    this.unlisten();
    this.become('closed');
  }
}
