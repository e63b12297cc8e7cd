import { Acks } from './acks.js';
import { addressOf, userOf } from './address.js';
import { Connection } from './connection.js';
import { Events } from './events.js';
import { Handled } from './handled.js';
import { Inbox } from './inbox.js';
import { listen } from './page.js';
import { Tabs } from './tabs.js';

/** Other versions may be loaded in other tabs; those that say different things to each other must not meet. */
const TABS_VERSION = 1;

/** One page's part in the chat: it holds the connection itself, or follows the tab that does. */
export class Chat {
  constructor({ url, token, name = 'default', share = true }, world) {
    if (typeof token !== 'function' && (typeof token !== 'string' || !token.trim())) {
      throw new TypeError('token must be a text or a function that gives one');
    }
    this.world = world;
    this.address = addressOf(world, url);
    this.name = String(name);
    this.share = share && Tabs.possible(world);
    this.state = 'connecting';
    this.events = new Events(world);
    // A tab that begins to follow is told the counter that this tab was told last.
    this.events.on('unread', (count) => {
      this.unread = count;
    });
    this.connection = new Connection(world, this.address, token, this.hooks());
    this.unlisten = listen(world, {
      wake: () => {
        if (this.tabs && !this.tabs.leading) this.tabs.ask('wake');
        else this.connection.wake();
      },
      leave: () => this.acks?.flush(),
    });
    this.connection.start();
  }

  hooks() {
    return {
      admit: (token) => this.admit(token),
      state: (state) => this.changed(state),
      frame: (frame, socket) => {
        // The others get it before this tab's handlers may ack it.
        this.tabs?.post({ frame });
        this.inbox.receive(frame, socket);
      },
      error: (error) => {
        this.tabs?.post({ error: error?.message ?? String(error) });
        this.events.fail(error);
      },
      giveUp: (error) => this.giveUp(error),
    };
  }

  on(event, handler) {
    const off = this.events.on(event, handler);
    // Messages may have waited for this handler; they come once the caller has gone on.
    if (event === 'message') Promise.resolve().then(() => this.inbox?.run());
    return off;
  }

  markRead() {
    if (this.state === 'closed') return;
    this.reading = true;
    this.sendRead();
  }

  close() {
    this.inbox?.close();
    this.end();
  }

  /**
   * Whether to go on with a token. The first one that shows a user says who it is, and with whom to share. One that
   * shows none is the daemon's to refuse: it may be the text of an error that lasts a moment.
   */
  admit(token) {
    const user = userOf(this.world, token);
    if (!this.user && (user || this.user === undefined)) {
      this.user = user;
      const scope = [this.name, user].map(encodeURIComponent).join(':');
      this.handled = new Handled(this.world, `chatpush:handled:${scope}`);
      this.acks = new Acks(this.world, this.handled, this.connection);
      this.inbox = new Inbox(this.events, this.handled, (id, socket) => this.settle(id, socket));
      // Without knowing the user, another person's tab could be among those that share.
      if (this.share && user) return this.join(token, scope);
    } else if (user && user !== this.user) {
      // The page shows the first one's messages, and must not get the second one's among them.
      this.giveUp(new Error('the token is for another user than before: close this chat and connect again'));
      return false;
    }
    return true;
  }

  /** Lines up for the lock. The token is used if this tab gets it at once. */
  join(token, scope) {
    this.connection.stop();
    this.connection.keep(token);
    this.tabs = new Tabs(this.world, `chatpush:${TABS_VERSION}:${scope}:${this.address.href}`, {
      lead: () => this.connection.start(),
      follow: () => {
        this.connection.stop();
        this.acks.flush();
      },
      hear: (said) => (this.tabs.leading ? this.answer(said) : this.follow(said)),
    });
    this.tabs.join();
    return false;
  }

  /** What a follower says to this tab, which leads. */
  answer({ ask, handled }) {
    if (handled) this.inbox.handledElsewhere(handled);
    if (ask === 'read') this.markRead();
    if (ask === 'wake') this.connection.wake();
    if (ask) this.tell();
  }

  /** What the leader says to this tab, which follows. */
  follow({ frame, state, unread, error, read }) {
    if (frame) this.inbox.receive(frame);
    if (error) this.events.fail(new Error(error));
    if (read) this.reading = false;
    if (unread !== undefined && unread !== this.unread) this.events.emit('unread', unread);
    if (!state) return;
    // A leader that is gone may have taken the wish with it.
    if (state === 'open' && state !== this.state) this.sendRead();
    this.become(state);
  }

  /** The connection of this tab, and hence of all, has changed. */
  changed(state) {
    if (state === 'open') this.sendRead();
    this.become(state);
    this.tell();
  }

  tell() {
    if (this.tabs?.leading) this.tabs.post({ state: this.state, unread: this.unread });
  }

  become(state) {
    if (state === this.state || this.state === 'closed') return;
    this.state = state;
    this.events.emit('state', state);
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

  /** A message was handled: the leader acks it, a follower tells the leader. */
  settle(id, socket) {
    if (socket) this.acks.add(id, socket);
    else this.tabs?.post({ handled: id });
  }

  giveUp(error) {
    // What was received is still handed out; there is no connection to get it from again.
    this.end();
    this.events.fail(error);
  }

  end() {
    if (this.state === 'closed') return;
    this.acks?.flush();
    this.connection.stop();
    this.tabs?.leave();
    this.unlisten();
    this.become('closed');
  }
}
