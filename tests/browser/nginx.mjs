// A real nginx between a browser and the demo that does something wrong with WebSockets.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './until.mjs';

/** A port that is free now. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const listens = (port) => new Promise((resolve) => {
  const socket = connect(port, '127.0.0.1');
  socket.on('connect', () => { socket.destroy(); resolve(true); });
  socket.on('error', () => resolve(false));
});

export class Nginx {
  /**
   * Starts it in front of `target`, with these directives for `/ws`. It writes an access log.
   * @param {string} target The URL of the web server.
   * @param {string} [daemon] Where `/ws` is, if it is elsewhere.
   */
  static async before(target, directives, daemon = target) {
    const nginx = new Nginx();
    nginx.folder = await mkdtemp(join(tmpdir(), 'chatpush-nginx-'));
    nginx.log = join(nginx.folder, 'access.log');
    const port = await freePort();
    nginx.url = `http://127.0.0.1:${port}`;
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${nginx.folder}/${name};`).join(' ');
    await writeFile(join(nginx.folder, 'nginx.conf'), `
      daemon off;
      ${process.getuid() === 0 ? 'user root;' : ''}
      worker_processes 1;
      pid ${nginx.folder}/nginx.pid;
      events { worker_connections 128; }
      http {
        access_log ${nginx.log};
        ${temporary}
        server {
          listen 127.0.0.1:${port};
          proxy_http_version 1.1;
          proxy_set_header Host $http_host;
          location = /ws {
            proxy_pass ${daemon};
            proxy_set_header Host $http_host;
            ${directives}
          }
          location / { proxy_pass ${target}; }
        }
      }`);
    const errors = join(nginx.folder, 'error.log');
    const options = ['-e', errors, '-c', join(nginx.folder, 'nginx.conf')];
    nginx.process = spawn('nginx', options, { stdio: 'inherit' });
    // A failed test does not stop it.
    nginx.kill = () => nginx.process.kill();
    process.once('exit', nginx.kill);
    await until('nginx listens', () => listens(port));
    return nginx;
  }

  async stop() {
    process.removeListener('exit', this.kill);
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill();
    await ended;
    await rm(this.folder, { recursive: true });
  }
}
