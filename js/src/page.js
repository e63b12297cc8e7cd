/**
 * Tells when the network or the user comes back (`wake`), and when the page goes (`leave`).
 * @returns {() => void} Ends it.
 */
export function listen(world, { wake, leave }) {
  const { document } = world;
  const seen = () => {
    if (document.visibilityState === 'visible') wake();
  };
  const heard = [
    [world, 'online', wake],
    [world, 'pagehide', leave],
    [document, 'visibilitychange', seen],
  ];
  // A worker has no document.
  for (const [target, event, handler] of heard) target?.addEventListener?.(event, handler);
  return () => {
    for (const [target, event, handler] of heard) target?.removeEventListener?.(event, handler);
  };
}
