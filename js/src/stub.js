/**
 * Takes over the chats of a stub that the page had before this script was there (docs/browser.md): each is
 * connected, and what was called on it is called now.
 */
export function adopt(world, connect) {
  for (const { options, chat, calls } of world.ChatPush?.queue?.splice(0) ?? []) {
    const real = connect(options);
    // The page holds the stub's object.
    Object.defineProperties(chat, Object.getOwnPropertyDescriptors(real));
    for (const call of calls) {
      const [name, ...args] = call.args;
      try {
        call.off = real[name](...args);
        // The stub of a method that returns a promise has returned one.
        call.resolve?.(call.off);
      } catch (error) {
        world.console.error('chatpush:', error);
      }
    }
  }
}
