/** How many ids are remembered; the daemon remembers as many for each connection. */
const REMEMBERED = 1024;

/**
 * The ids of messages that were handled, so that a message whose ack was lost is not handled twice.
 *
 * The storage is read at the start and merged on every save. Tabs without a shared connection each get every
 * message, so the ids of one tab must not stop the others. If the storage is absent, full or forbidden, the
 * ids are only in memory and are lost with the page.
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
    // A Set keeps insertion order: the first id is the oldest.
    for (const oldest of this.ids) {
      if (this.ids.size <= REMEMBERED) break;
      this.ids.delete(oldest);
    }
    if (this.fresh.length > REMEMBERED) this.fresh.shift();
  }

  /** Appends the new ids to those that other tabs have stored meanwhile. */
  save() {
    if (!this.fresh.length) return;
    const ids = [...new Set([...this.stored(), ...this.fresh])].slice(-REMEMBERED);
    try {
      this.world.localStorage.setItem(this.key, JSON.stringify(ids));
      this.fresh = [];
    } catch {
      // The ids stay in memory. The next save tries again.
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
