// The system's Firefox, headless, with the push service of a test.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Session } from './bidi.mjs';

/** What differs from a new profile. */
const PREFERENCES = {
  'dom.push.connection.enabled': true,
  'dom.push.testing.allowInsecureServerURL': true,
  // The user has allowed notifications, which Firefox shows itself.
  'permissions.default.desktop-notification': 1,
  'alerts.useSystemBackend': false,
  // How long after a click the worker may bring a page to the front, in milliseconds: the machine may be busy.
  'dom.serviceWorkers.disable_open_click_delay': 60_000,
  // Nothing is fetched that the test does not ask for.
  'app.update.disabledForTesting': true,
  'browser.safebrowsing.downloads.remote.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,#remote-settings-dummy/v1',
  'toolkit.telemetry.server': 'data:,',
};

export class Firefox {
  /** @param {string} pushService The WebSocket address of a push service. */
  static async launch(pushService) {
    const firefox = new Firefox();
    firefox.profile = await mkdtemp(join(tmpdir(), 'chatpush-firefox-'));
    const preferences = { ...PREFERENCES, 'dom.push.serverURL': pushService };
    const lines = Object.entries(preferences)
      .map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`);
    await writeFile(join(firefox.profile, 'user.js'), lines.join(''));
    const program = process.env.FIREFOX ?? 'firefox-esr';
    // Notifications are windows of the browser itself, which pages cannot see: the tests need access to these.
    const remote = ['--remote-debugging-port', '0', '--remote-allow-system-access'];
    const options = ['--headless', '--no-remote', '--profile', firefox.profile, ...remote];
    // A home of its own: as root, Firefox wants one of root.
    const env = { ...process.env, HOME: firefox.profile, MOZ_CRASHREPORTER_DISABLE: '1' };
    firefox.process = spawn(program, options, { stdio: ['ignore', 'ignore', 'pipe'], env });
    // A failed test does not stop it.
    firefox.kill = () => firefox.process.kill('SIGKILL');
    process.once('exit', firefox.kill);
    firefox.session = await Session.open(await firefox.address());
    return firefox;
  }

  /** The address that it prints. */
  address() {
    return new Promise((resolve, reject) => {
      const said = [];
      createInterface({ input: this.process.stderr }).on('line', (line) => {
        said.push(line);
        const [, address] = line.match(/WebDriver BiDi listening on (ws:\S+)/) ?? [];
        if (address) resolve(address);
      });
      this.process.once('error', reject);
      this.process.once('exit', (code) => reject(new Error(`Firefox ended with ${code}: ${said.join('\n')}`)));
    });
  }

  async stop() {
    process.removeListener('exit', this.kill);
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.session.close();
    this.process.kill('SIGKILL');
    await ended;
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
