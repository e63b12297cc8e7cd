#!/bin/sh
# Starts PHP-FPM with the addresses and the key of the environment, which php.ini cannot read from a file.
set -eu
cat >/etc/php/8.2/fpm/conf.d/99-chatpush-container.ini <<INI
chatpush.redis_url = "${CHATPUSH_REDIS_URL:-redis://127.0.0.1:6379}"
chatpush.secret = "$(cat "${CHATPUSH_SECRET_FILE:-/run/secrets/chatpush}")"
INI
chmod 600 /etc/php/8.2/fpm/conf.d/99-chatpush-container.ini
exec php-fpm8.2 --nodaemonize --force-stderr
