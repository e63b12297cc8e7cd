// What a page has in place of Echo, after
// <script src="/chatpush.js"></script>
// `handlers` are functions by the names of events.
const channels = ['private-App.Models.User.7', 'private-team.5'];
const auth = () => axios.post('/broadcasting/auth', { channels }).then(({ data }) => data);
const chat = ChatPush.connect({
  token: () => auth().then(({ token }) => token),
  grant: () => auth().then(({ grant }) => grant),
});
chat.on('message', ({ room, type, data }) => {
  if (type !== 'event') return;
  const { event, data: payload } = JSON.parse(data);
  handlers[event]?.(payload, room);
});
