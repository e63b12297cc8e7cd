import { setTimeout as sleep } from 'node:timers/promises';

/** How long anything may take. Generous, because the machine may be busy. */
const PATIENCE = 60_000;

/** Asks again and again until the probe gives something, and returns that. */
export async function until(what, probe) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${PATIENCE / 1000} s`);
    await sleep(50);
  }
}
