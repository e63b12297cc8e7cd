// The worker that shows notifications. dist/chatpush-worker.js is what browsers get.
import { open } from './worker/click.js';
import { renew } from './worker/renew.js';
import { show } from './worker/show.js';

const { self } = globalThis;

// This worker controls no page, so a new version need not wait for pages of the old one.
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('push', (event) => event.waitUntil(show(self, event.data)));
self.addEventListener('notificationclick', (event) => event.waitUntil(open(self, event.notification)));
self.addEventListener('pushsubscriptionchange', (event) => event.waitUntil(renew(self, event)));
