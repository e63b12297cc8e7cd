/**
 * How often a ping goes out, in milliseconds. Proxies that cut idle connections rarely do it before a minute; and
 * with the patience below, a network that is gone for half a minute is always noticed.
 */
const EVERY = 18_000;

/** How long anything at all may take to come back, in milliseconds. */
const PATIENCE = 10_000;

/**
 * Notices a link that is dead without having been closed. Browsers show pages nothing of the protocol's own pings,
 * so these are frames; a daemon that does not know them answers none, and then nothing is expected.
 */
export class Heartbeat {
  /** Sends the first ping, so that it is known early whether the daemon answers. */
  constructor(world, send, dead) {
    this.world = world;
    this.send = send;
    this.dead = dead;
    this.answers = false;
    this.beat();
  }

  /** Sends a ping now, and the next one after the usual time. */
  beat() {
    const { world } = this;
    world.clearTimeout(this.next);
    this.next = world.setTimeout(() => this.beat(), EVERY);
    this.send('{"ping":true}');
    // A ping sent in between must not lengthen the wait for an earlier one.
    if (this.answers) this.deadline ??= world.setTimeout(this.dead, PATIENCE);
  }

  /** Something came: the link lives. A pong also says that the daemon answers pings. */
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
