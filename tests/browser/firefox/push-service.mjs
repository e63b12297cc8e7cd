// A push service for Firefox: its WebSocket protocol (autopush) on one side, RFC 8030 over https on the other.
import { randomBytes, randomUUID } from 'node:crypto';
import { createServer } from 'node:https';
import { WebSocketServer } from 'ws';

/** The largest body that push services take, in bytes (RFC 8030 section 7.2). */
const MOST_BYTES = 4096;

export class PushService {
  /** @param {{cert: string, key: string}} certificate For 127.0.0.1. */
  static async start(certificate) {
    const service = new PushService();
    service.browsers = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    service.browsers.on('connection', (socket) => {
      socket.on('message', (data) => service.heard(socket, JSON.parse(data)));
    });
    service.server = createServer(certificate, (request, response) => service.pushed(request, response));
    service.server.listen(0, '127.0.0.1');
    await Promise.all([service.browsers, service.server].map((server) =>
      new Promise((resolve) => (server.address() ? resolve() : server.once('listening', resolve)))));
    service.port = service.server.address().port;
    service.url = `ws://127.0.0.1:${service.browsers.address().port}`;
    return service;
  }

  constructor() {
    /** The subscriptions by their channel: the key that may push, and the browser's socket. */
    this.channels = new Map();
    /** Every push that came: its path, headers, body, and the status of the answer. */
    this.pushes = [];
    /** The versions that a browser has acknowledged, with its code: 100 says that it was delivered. */
    this.acknowledged = [];
  }

  /** A message of a browser. */
  heard(socket, message) {
    const { messageType, channelID, key } = message;
    const say = (answer) => socket.send(JSON.stringify({ messageType, ...answer }));
    if (messageType === 'hello') {
      // A browser that connects again names itself.
      socket.uaid = message.uaid || randomUUID().replaceAll('-', '');
      for (const channel of this.channels.values()) if (channel.uaid === socket.uaid) channel.socket = socket;
      say({ status: 200, uaid: socket.uaid, use_webpush: true, broadcasts: {} });
    } else if (messageType === 'register') {
      // Firefox pads the key.
      this.channels.set(channelID, { key: key?.replace(/=+$/, ''), socket, uaid: socket.uaid });
      say({ status: 200, channelID, pushEndpoint: `https://127.0.0.1:${this.port}/push/${channelID}` });
    } else if (messageType === 'unregister') {
      this.channels.delete(channelID);
      say({ status: 200, channelID });
    } else if (messageType === 'ack') {
      this.acknowledged.push(...message.updates);
    } else if (messageType === undefined) {
      // A ping.
      socket.send('{}');
    }
  }

  /** A request of the daemon. */
  async pushed(request, response) {
    const parts = [];
    for await (const part of request) parts.push(part);
    const push = { path: request.url, method: request.method, headers: request.headers, body: Buffer.concat(parts) };
    const [, channelID] = request.url.match(/^\/push\/([\w-]+)$/) ?? [];
    const channel = this.channels.get(channelID);
    push.channel = channel;
    push.status = channel ? this.answer ?? 201 : 410;
    if (push.body.length > MOST_BYTES) push.status = 413;
    this.pushes.push(push);
    response.writeHead(push.status, { Location: `https://127.0.0.1:${this.port}/message/1` }).end();
    if (push.status === 201) this.deliver(channel.socket, channelID, push);
  }

  deliver(socket, channelID, { headers, body }) {
    socket.send(JSON.stringify({
      messageType: 'notification',
      channelID,
      version: randomBytes(8).toString('hex'),
      data: body.toString('base64url'),
      headers: { encoding: headers['content-encoding'] },
    }));
  }

  async stop() {
    for (const socket of this.browsers.clients) socket.terminate();
    this.server.closeAllConnections();
    await Promise.all([this.browsers, this.server].map((server) => new Promise((resolve) => server.close(resolve))));
  }
}
