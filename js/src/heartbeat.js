/**
 * The interval between pings, in milliseconds. Proxies rarely cut a connection that is idle for less than a
 * minute. Together with the timeout below, a network that is gone for half a minute is always noticed.
 */
const PING_INTERVAL = 18_000;

/** How long the client waits for any frame after a ping, in milliseconds. */
const PONG_TIMEOUT = 10_000;

/**
 * Notices a connection that is dead but was not closed. Pages cannot see WebSocket pings, so these pings are
 * text frames. If the daemon never answers one, it does not know them, and no answer is expected.
 */
export class Heartbeat {
  /** Sends the first ping at once, to learn early whether the daemon answers. */
  constructor(world, send, dead) {
    this.world = world;
    this.send = send;
    this.dead = dead;
    this.answers = false;
    this.beat();
  }

  /** Sends a ping now and schedules the next one. */
  beat() {
    const { world } = this;
    world.clearTimeout(this.next);
    this.next = world.setTimeout(() => this.beat(), PING_INTERVAL);
    this.send('{"ping":true}');
    // An extra ping must not extend the timeout of an earlier one.
    if (this.answers) this.deadline ??= world.setTimeout(this.dead, PONG_TIMEOUT);
  }

  /** A frame came, so the connection works. A pong also shows that the daemon answers pings. */
  heard(isPong) {
    this.answers ||= isPong;
    this.world.clearTimeout(this.deadline);
    this.deadline = undefined;
  }

  stop() {
    this.world.clearTimeout(this.next);
    this.heard(false);
  }
}
