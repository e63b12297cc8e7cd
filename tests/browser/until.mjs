import { setTimeout as sleep } from 'node:timers/promises';

/** The deadline. It is long, because the machine may be busy. */
export const UNTIL_TIMEOUT = 120_000;

/** Polls the probe until it returns a truthy value, and returns that. */
export async function until(what, probe) {
  const deadline = Date.now() + UNTIL_TIMEOUT;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${UNTIL_TIMEOUT / 1000} s`);
    await sleep(50);
  }
}
