/**
 * Calls `wake` when the network or the user is back, and `leave` when the page is left.
 * @returns {() => void} Removes the listeners.
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
  // In a worker there is no document.
  for (const [target, event, handler] of heard) target?.addEventListener?.(event, handler);
  return () => {
    for (const [target, event, handler] of heard) target?.removeEventListener?.(event, handler);
  };
}
