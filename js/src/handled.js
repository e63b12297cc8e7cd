/** Ids that are remembered; the daemon remembers as many for one connection. */
const REMEMBERED = 1024;

/**
 * The ids of messages that were handled, so that none is handled twice when its ack was lost.
 *
 * The storage is read once and only added to after that. Tabs that cannot share a connection are each sent every
 * message, and what one of them has handled has to reach the others all the same. A storage that is absent, full or
 * forbidden costs the memory across page loads and nothing else.
 */
export class Handled {
  constructor(world, key) {
    this.world = world;
    this.key = key;
    this.ids = new Set(this.stored());
    this.fresh = [];
  }

  has(id) {
    return this.ids.has(id);
  }

  add(id) {
    this.ids.add(id);
    this.fresh.push(id);
    // A set keeps the order in which it was filled, so the first is the oldest.
    for (const oldest of this.ids) {
      if (this.ids.size <= REMEMBERED) break;
      this.ids.delete(oldest);
    }
    if (this.fresh.length > REMEMBERED) this.fresh.shift();
  }

  /** Writes what is new behind what other tabs have written meanwhile. */
  save() {
    if (!this.fresh.length) return;
    const ids = [...new Set([...this.stored(), ...this.fresh])].slice(-REMEMBERED);
    try {
      this.world.localStorage.setItem(this.key, JSON.stringify(ids));
      this.fresh = [];
    } catch {
      // The ids stay in memory, and are written when there is room again.
    }
  }

  stored() {
    try {
      const ids = JSON.parse(this.world.localStorage.getItem(this.key));
      return ids.filter((id) => typeof id === 'string').slice(-REMEMBERED);
    } catch {
      return [];
    }
  }
}
