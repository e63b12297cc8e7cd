import { pageOf } from './address.js';
import { supportOf } from './support.js';

/** A P-256 point of 65 bytes in base64url (RFC 8292 section 3.2). */
const KEY = /^[\w-]{87}$/;

/** The longest part of an answer that is shown. */
const LONGEST = 200;

/** The browser's side of notifications: permission, worker and push subscription. */
export class Push {
  /** @param {string|URL} [worker] The URL of the worker, of the page's origin. */
  constructor(world, address, worker = '/chatpush-worker.js') {
    Object.assign(this, { world, address });
    this.script = new URL(worker, world.location?.href).href;
  }

  /** Asks the user, if they have not answered before. Browsers want that in a click. */
  async permit() {
    const { world } = this;
    const { missing } = supportOf(world);
    if (missing) throw new Error(missing);
    const { Notification, navigator } = world;
    if (Notification.permission === 'default') {
      if (navigator.userActivation?.isActive === false) {
        throw new Error('call enableNotifications() in the handler of a click: browsers ask the user only then');
      }
      await Notification.requestPermission();
    }
    if (Notification.permission === 'granted') return;
    throw new Error(Notification.permission === 'denied'
      ? 'notifications are blocked: only the user can allow them, in the settings that the browser has for this site'
      : 'the user has not allowed notifications');
  }

  /** Whether the user allows notifications. */
  isAllowed() {
    return this.world.Notification?.permission === 'granted';
  }

  /** The subscription with the daemon's key. Another one of this worker ends. */
  async subscribe() {
    const key = await this.key();
    const { pushManager } = await this.register();
    const old = await pushManager.getSubscription();
    if (old && this.keyOf(old) === key) return old;
    await old?.unsubscribe();
    try {
      return await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    } catch (error) {
      throw new Error(`the browser cannot subscribe at its push service: ${error.message}`);
    }
  }

  keyOf({ options }) {
    const bytes = String.fromCharCode(...new Uint8Array(options.applicationServerKey));
    return this.world.btoa(bytes).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
  }

  /** The daemon's public key. */
  async key() {
    const url = new URL('vapid-public-key', pageOf(this.address)).href;
    const answer = await this.world.fetch(url, { cache: 'no-store' });
    const text = (await answer.text()).trim();
    if (answer.status === 200 && KEY.test(text)) return text;
    throw new Error(`${url} answers ${answer.status} and no key: ${text.slice(0, LONGEST)}`);
  }

  /**
   * Registers the worker and waits until it is active. Its scope is its own URL, where no page is: the application
   * may have a worker of its own.
   */
  async register() {
    const { script, world } = this;
    try {
      const registration = await world.navigator.serviceWorker.register(script, { scope: script });
      const worker = registration.active ?? registration.waiting ?? registration.installing;
      while (!registration.active) {
        if (worker.state === 'redundant') throw new Error('it cannot be installed');
        await new Promise((resolve) => worker.addEventListener('statechange', resolve, { once: true }));
      }
      return registration;
    } catch (error) {
      throw new Error(`the worker ${script} cannot be used: ${error.message}`);
    }
  }

  /** The registration, if there is one. */
  async registration() {
    const found = await this.world.navigator.serviceWorker?.getRegistration(this.script);
    return found?.scope === this.script ? found : undefined;
  }

  /** Ends the subscription. Returns its endpoint, if there was one. */
  async unsubscribe() {
    const subscription = await (await this.registration())?.pushManager.getSubscription();
    await subscription?.unsubscribe();
    return subscription?.endpoint;
  }

  /** Closes what is shown. */
  async close() {
    for (const notification of (await (await this.registration())?.getNotifications()) ?? []) notification.close();
  }

  /** The number on the icon of an installed application; 0 removes it. */
  badge(count) {
    this.world.navigator.setAppBadge?.(count).catch(() => {});
  }
}
