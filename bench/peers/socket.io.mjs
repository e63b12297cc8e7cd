// socket.io as documented for an emitter in another process: the Redis adapter, and a room for each user.
// WebSocket is the only transport.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [, , modules, socket, port] = process.argv;
const load = createRequire(pathToFileURL(`${modules}/`));
const { Server } = load('socket.io');
const { createAdapter } = load('@socket.io/redis-adapter');
const { createClient } = load('redis');

const publisher = createClient({ socket: { path: socket } });
const subscriber = publisher.duplicate();
publisher.on('error', (error) => console.error(error.message));
subscriber.on('error', (error) => console.error(error.message));
await Promise.all([publisher.connect(), subscriber.connect()]);

const server = createServer();
const io = new Server(server, {
  transports: ['websocket'],
  serveClient: false,
  adapter: createAdapter(publisher, subscriber),
});
io.on('connection', (client) => client.join(`user:${client.handshake.auth.user}`));
server.listen({ host: '127.0.0.1', port: Number(port), backlog: 4096 });
