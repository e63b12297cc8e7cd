// Stands in for chatpush.js until that is loaded, so the page works without it. See docs/browser.md.
window.ChatPush ??= {
  queue: [],
  connect(options) {
    const calls = [], chat = { state: 'connecting' };
    for (const name of ['on', 'markRead', 'event', 'renewGrant', 'close']) {
      chat[name] = (...args) => {
        const call = { args: [name, ...args] };
        call.off = () => {
          const at = calls.indexOf(call);
          if (at >= 0) calls.splice(at, 1);
        };
        calls.push(call);
        return () => call.off();
      };
    }
    for (const name of ['enableNotifications', 'disableNotifications']) {
      chat[name] = () => new Promise((resolve) => calls.push({ args: [name], resolve }));
    }
    this.queue.push({ options, chat, calls });
    return chat;
  },
};
