#!/bin/bash
# Runs in a Debian that has booted with the packages installed, as root: the unit as systemd runs it.
set -euo pipefail

step() { echo "ok   boot: $*"; }
fail() {
    echo "FAILED boot: $*"
    journalctl -u chatpushd -u chatpushd@8091 -n 40 --no-pager -o cat
    exit 1
}
# Tries a command until it succeeds, or until five minutes have passed: the machine is emulated.
eventually() {
    local deadline=$((SECONDS + 300))
    until "$@" >/tmp/eventually.log 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || fail "never: $*: $(cat /tmp/eventually.log)"
        sleep 0.2
    done
}
property() { systemctl show -P "$2" "$1"; }
is() { [ "$(property "$1" "$2")" = "$3" ] || fail "$1: $2 is $(property "$1" "$2"), not $3"; }
is_active() { systemctl is-active "$1"; }

eventually mariadb-admin ping
mariadb -e "CREATE DATABASE app; CREATE USER app@'127.0.0.1' IDENTIFIED BY 'password';
            GRANT ALL ON app.* TO app@'127.0.0.1'"
sed -i 's|^\[mysql\]|&\nurl = "mysql://app:password@127.0.0.1/app"|' /etc/chatpush/chatpush.toml
runuser -u chatpush -- chatpushd migrate >/tmp/migrate.log 2>&1 || fail "migrate: $(cat /tmp/migrate.log)"
mariadb app -e "INSERT INTO user (id, username, password) VALUES (1, 'one', ''), (2, 'two', '')"
step "$(systemctl --version | head -1), Linux $(uname -r)"

# Type=notify: systemctl comes back when the daemon is ready.
systemctl restart chatpushd || fail "it does not start"
is chatpushd ActiveState active
is chatpushd User chatpush
php -r 'exit(storeOfflineMessage(1, 2, "hello") === true ? 0 : 1);' || fail "storeOfflineMessage"
[ "$(php -r 'echo getOfflineMessage(2)[0]["content"];')" = hello ] || fail "getOfflineMessage"
step "started by systemd: $(property chatpushd StatusText)"

systemctl reload chatpushd || fail "it does not reload"
is chatpushd ActiveState active
step "reloaded"

# A second one, so that one can be restarted while the other serves.
systemctl start chatpushd@8091 || fail "chatpushd@8091 does not start"
systemctl stop chatpushd
is chatpushd Result success
php -r 'exit(storeOfflineMessage(1, 2, "again") === true ? 0 : 1);' || fail "storeOfflineMessage by chatpushd@8091"
step "stopped, while chatpushd@8091 goes on"

kill -STOP "$(property chatpushd@8091 MainPID)"
restarted() { [ "$(property chatpushd@8091 NRestarts)" -ge 1 ] && is_active chatpushd@8091; }
eventually restarted
php -r 'exit(storeOfflineMessage(1, 2, "once more") === true ? 0 : 1);' || fail "storeOfflineMessage after the watchdog"
step "restarted by the watchdog when it hung"

kill -KILL "$(property chatpushd@8091 MainPID)"
restarted() { [ "$(property chatpushd@8091 NRestarts)" -ge 2 ] && is_active chatpushd@8091; }
eventually restarted
step "restarted when it was killed"

cp /etc/chatpush/chatpush.toml /tmp/chatpush.toml
sed -i '1i no_such_setting = 1' /etc/chatpush/chatpush.toml
! systemctl start chatpushd 2>/tmp/start.log || fail "it starts with a wrong configuration"
is chatpushd ExecMainStatus 64
is chatpushd NRestarts 0
cp /tmp/chatpush.toml /etc/chatpush/chatpush.toml
step "not restarted with a wrong configuration"

[ "$(php -r 'echo getUnreadCount(2);')" = 3 ] || fail "the counter"
step "all is well, $(systemd-analyze security chatpushd --no-pager | tail -1 | grep -o 'level.*: .*' | tr -d '\n')"
