#!/bin/bash
# Runs in a fresh root of Debian, as root: upgrades two daemons one after the other, and PHP, by packages, while messages
# are sent and received. Nothing may be lost or doubled. Arguments: the version of PHP, the server that speaks Redis's
# protocol.
set -euo pipefail
php=$1 redis=$2
source /test/root.sh

# As a unit chatpushd@PORT starts it. Sets `started` to its process id.
start_daemon() {
    CHATPUSH_LISTEN=127.0.0.1:$1 CHATPUSH_ADMIN_LISTEN=127.0.0.1:1$1 \
        setpriv --reuid=chatpush --regid=chatpush --init-groups chatpushd run >>"/tmp/chatpushd-$1.log" 2>&1 &
    started=$!
    eventually php -n -r "exit(@file_get_contents('http://127.0.0.1:1$1/ready') === false ? 1 : 0);"
}
stop_daemon() {
    kill -TERM "$1"
    wait "$1" || fail "the daemon ended with $?"
}
# Sends until /tmp/stop-NAME is there, and writes down what was stored.
start_sender() {
    php /test/sender.php "$1" >"/tmp/sender-$1.log" 2>&1 &
    sender=$!
    eventually test -s "/tmp/sent-$1"
}
stop_sender() {
    touch "/tmp/stop-$1"
    wait "$2" || fail "the sender ended with $?"
}
# Waits until so many more messages were received.
receives() {
    local wanted=$(($(wc -l </tmp/received) + $1))
    eventually enough "$wanted"
}
enough() { [ "$(wc -l </tmp/received)" -ge "$1" ]; }
# Whether the program of a process was replaced since it started.
is_old() { [[ $(readlink "/proc/$1/exe") == *"(deleted)" ]]; }

apt install /packages/before/chatpushd_*.deb /packages/before/"$extension"_*.deb
configure
start_daemon 8091
first=$started
start_daemon 8092
second=$started
touch /tmp/received
/usr/bin/python3 /test/receiver.py "$(php -r 'echo ChatPush\connectToken(2, 3600);')" 8091 8092 \
    >/tmp/receiver.log 2>&1 &
receiver=$!
start_sender before
before=$sender
receives 50

apt install /packages/chatpushd_*.deb /packages/"$extension"_*.deb
receives 50
stop_daemon "$first"
start_daemon 8091
first=$started
if is_old "$first" || ! is_old "$second"; then fail "there is no new daemon beside an old one"; fi
receives 50
start_sender after
after=$sender
receives 50
stop_daemon "$second"
start_daemon 8092
second=$started
if is_old "$second"; then fail "there is an old daemon"; fi
receives 50
stop_sender before "$before"
stop_sender after "$after"

sort /tmp/sent-before /tmp/sent-after >/tmp/sent
all_is_confirmed() { [ "$(sql 'SELECT COUNT(*) FROM offline_message')" = 0 ]; }
eventually all_is_confirmed
kill "$receiver"
sort /tmp/received | diff /tmp/sent - >/tmp/differences.log || fail "messages were lost or doubled"
is "$(sql 'SELECT unread_count FROM user WHERE id = 2')" "$(wc -l </tmp/sent)" "the counter"
stop_daemon "$first"
stop_daemon "$second"
step "two daemons and PHP upgraded one after the other: $(wc -l </tmp/sent) messages, none lost or doubled"
