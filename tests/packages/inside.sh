#!/bin/bash
# Runs in a fresh root of Debian, as root: installs the packages of the version before, uses them with real servers,
# upgrades, removes and purges them. Arguments: the version of PHP, the server that speaks Redis's protocol.
set -euo pipefail
php=$1 redis=$2
source /test/root.sh

# Every file but those of the servers, of apt, and what the test itself needs.
files() {
    find / -xdev \( -path /proc -o -path /dev -o -path /run -o -path /tmp -o -path /packages -o -path /test \
        -o -path /cargo -o -path /rustup -o -path /target -o -path /var/lib/mysql \
        -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache -o -path /var/log -o -path /root \) \
        -prune -o -print | sort
}
# As the unit starts it: with the credential, by its user.
start_daemon() {
    as_daemon run >>/tmp/chatpushd.log 2>&1 &
    daemon=$!
    eventually php -n -r 'exit(@file_get_contents("http://127.0.0.1:8090/ready") === false ? 1 : 0);'
}
stop_daemon() {
    kill -TERM "$(pgrep -x chatpushd)"
    wait "$daemon" || fail "the daemon ended with $?"
}

files >/tmp/files.before
apt install /packages/before/chatpushd_*.deb /packages/before/"$extension"_*.deb
is "$(dpkg-query -W -f '${Version}' chatpushd)" 0.0.1-1 "the version before"
is "$(stat -c '%U:%G %a' /etc/chatpush/chatpush.toml /etc/chatpush/secret | sort -u)" "root:chatpush 640" "owner and mode"
[ "$(tr -d '\n' </etc/chatpush/secret | wc -c)" -ge 64 ] || fail "there is no key"
php -r 'exit(function_exists("pushMessage") && extension_loaded("chatpush") ? 0 : 1);' || fail "PHP has no chatpush"
"php-fpm$php" -i 2>/dev/null | grep '^chatpush' >/dev/null || fail "PHP-FPM has no chatpush"
step "installed"

# Not configured yet: check says what is missing.
if as_daemon check >/tmp/check.log 2>&1; then fail "check passes without a database"; fi
configure
as_daemon check >/tmp/check.log 2>&1 || fail "check: $(cat /tmp/check.log)"
! grep -q '^WRONG' /tmp/check.log || fail "check: $(cat /tmp/check.log)"
step "configured, and check finds nothing wrong"

start_daemon
php -r 'exit(storeOfflineMessage(1, 2, "hello") === true ? 0 : 1);' || fail "storeOfflineMessage"
is "$(php -r 'echo getOfflineMessage(2)[0]["content"], getUnreadCount(2);')" hello1 "what is stored"
is "$(sql 'SELECT content FROM offline_message')" hello "the row"
# A plain WebSocket client gets it, and its pong confirms it.
cat >/tmp/client.py <<'P'
import asyncio, json, sys, websockets
async def main():
    async with websockets.connect("ws://127.0.0.1:8089/ws?token=" + sys.argv[1]) as socket:
        while True:
            frame = json.loads(await asyncio.wait_for(socket.recv(), 30))
            if frame.get("data") == sys.argv[2]:
                await (await socket.ping())
                return
asyncio.run(main())
P
receives() { /usr/bin/python3 /tmp/client.py "$(php -r 'echo ChatPush\connectToken(2);')" "$1"; }
receives hello >/tmp/client.log 2>&1 || fail "the client got nothing"
row_is_gone() { [ "$(sql 'SELECT COUNT(*) FROM offline_message')" = 0 ]; }
eventually row_is_gone
# The account may come over TCP alone.
! grep 'Access denied' /tmp/mariadbd.log || fail "the daemon tried an account that is not configured"
step "a message is stored, fetched, delivered and confirmed"

php -r 'exit(storeOfflineMessage(1, 2, "kept") === true ? 0 : 1);' || fail "storeOfflineMessage"
stop_daemon
cp /etc/chatpush/secret /tmp/secret
cp /etc/chatpush/chatpush.toml /tmp/chatpush.toml
apt install /packages/chatpushd_*.deb /packages/"$extension"_*.deb
version=$(dpkg-query -W -f '${Version}' chatpushd)
dpkg --compare-versions "$version" gt 0.0.1-1 || fail "the version is $version"
is "$(dpkg-query -W -f '${Version}' "$extension")" "$version" "the extension's version"
cmp -s /tmp/secret /etc/chatpush/secret || fail "the upgrade made another key"
cmp -s /tmp/chatpush.toml /etc/chatpush/chatpush.toml || fail "the upgrade changed the configuration"
[ -e /etc/chatpush/chatpush.toml.dpkg-dist ] || fail "the new configuration is not beside the edited one"
is "$(chatpushd --version)" "chatpushd ${version%-*}" "the daemon's version"
as_daemon check >/tmp/check.log 2>&1 || fail "check: $(cat /tmp/check.log)"
start_daemon
receives kept >/tmp/client.log 2>&1 || fail "the client did not get what waited during the upgrade"
eventually row_is_gone
stop_daemon
step "upgraded from 0.0.1-1 to $version: configuration, key and messages are kept"

apt remove chatpushd "$extension"
[ ! -e /usr/bin/chatpushd ] || fail "the daemon is still there"
[ -e /etc/chatpush/chatpush.toml ] || fail "removing took the configuration"
php -r 'exit(extension_loaded("chatpush") ? 1 : 0);' 2>/tmp/php.log || fail "PHP still has chatpush"
[ ! -s /tmp/php.log ] || fail "PHP complains after the removal"
step "removed, and the configuration is kept"

# The administrator's own file, and what PHP notes of it.
phpdismod chatpush-secret
find "/var/lib/php/modules/$php" -name chatpush-secret -delete
rm "/etc/php/$php/mods-available/chatpush-secret.ini"
apt purge chatpushd "$extension"
! getent passwd chatpush >/dev/null || fail "the user is still there"
! getent group chatpush >/dev/null || fail "the group is still there"
# PHP's folders for such notes stay, empty.
find "/var/lib/php/modules/$php" -type d -name '*abled_by_*' -empty -delete
files >/tmp/files.after
diff /tmp/files.before /tmp/files.after >/tmp/files.log || fail "files differ after the purge"
[ "$(sql 'SELECT COUNT(*) FROM user')" = 2 ] || fail "the application's data is gone"
step "purged: nothing is left but the application's data"
