// A browser with Web Push, without a push service.

/** The daemon's public key, in two versions. */
export const KEYS = ['a', 'b'].map((letter) => `B${letter.repeat(85)}A`);

/** The parts of a global object that notifications need, as what all tabs of a browser share. */
export class PushBrowser {
  permission = 'default';
  /** What the user answers. */
  answer = 'granted';
  asked = 0;
  active = true;
  key = { status: 200, text: `${KEYS[0]}\n` };
  requests = [];
  registration;
  subscription = null;
  subscribed = 0;
  /** What the push service gives: an endpoint for each subscription, and the browser's keys. */
  endpoint = () => `https://push.example/${this.subscribed}`;
  keys = { p256dh: 'p', auth: 'a' };
  shown = [];
  badges = [];
  pages = new EventTarget();

  /** The parts for one tab. */
  parts(more = {}) {
    const browser = this;
    const { navigator: extra, ...rest } = more;
    return {
      isSecureContext: true,
      PushManager: class {},
      btoa,
      Notification: {
        get permission() { return browser.permission; },
        async requestPermission() {
          browser.asked++;
          browser.permission = browser.answer;
        },
      },
      fetch: async (url) => {
        this.requests.push(url);
        if (!this.key) throw new TypeError('Failed to fetch');
        return { status: this.key.status, text: async () => this.key.text };
      },
      navigator: {
        userActivation: { get isActive() { return browser.active; } },
        setAppBadge: async (count) => { this.badges.push(count); },
        serviceWorker: {
          register: async (script, { scope }) => this.register(script, scope),
          getRegistration: async () => this.registration,
          addEventListener: (...args) => this.pages.addEventListener(...args),
          removeEventListener: (...args) => this.pages.removeEventListener(...args),
        },
        ...extra,
      },
      ...rest,
    };
  }

  register(script, scope) {
    if (this.broken) throw new TypeError('bad MIME type');
    const worker = Object.assign(new EventTarget(), { state: 'installing' });
    this.registration ??= {
      installing: worker,
      script,
      scope,
      pushManager: {
        getSubscription: async () => this.subscription,
        subscribe: async (options) => this.subscribe(options),
      },
      getNotifications: async () => this.shown,
    };
    // It becomes active later.
    setImmediate(() => {
      this.registration.active = worker;
      worker.dispatchEvent(new Event('statechange'));
    });
    return this.registration;
  }

  subscribe({ userVisibleOnly, applicationServerKey }) {
    if (!userVisibleOnly || this.noService) throw new Error('push service error');
    this.subscribed++;
    const endpoint = this.endpoint();
    const { keys } = this;
    this.subscription = {
      endpoint,
      options: { applicationServerKey: Uint8Array.from(Buffer.from(applicationServerKey, 'base64url')).buffer },
      toJSON: () => ({ endpoint, expirationTime: null, keys }),
      unsubscribe: async () => { this.subscription = null; },
    };
    return this.subscription;
  }

  /** The worker says something to the pages. */
  say(data) {
    this.pages.dispatchEvent(Object.assign(new Event('message'), { data }));
  }

  /** A notification that is shown. */
  show() {
    const notification = { closed: false, close: () => { notification.closed = true; } };
    this.shown.push(notification);
    return notification;
  }
}

/** What a tab has told the daemon of subscriptions. */
export const told = (socket) => socket.sent.filter(({ push, unpush }) => push ?? unpush);
