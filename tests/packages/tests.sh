#!/bin/bash
# Runs in a fresh root of Debian, as root: PHPUnit, the end-to-end tests and the demo's smoke test, with the daemon and
# the extension of the packages, and the PHP and the servers of that release. Arguments: the version of PHP, the server
# that speaks Redis's protocol, the folder of the sources, the program of the end-to-end tests.
set -euo pipefail
php=$1 redis=$2 sources=$3 end_to_end=$4
cd "$sources"

# The tests start "redis-server".
mkdir -p /usr/local/bin
ln -sf "$(command -v "$redis")" /usr/local/bin/redis-server
export PATH=/usr/local/bin:$PATH

# Beside the system's: a test decides itself what PHP loads.
for package in /packages/chatpushd_*.deb "/packages/php$php-chatpush"_*.deb; do
    dpkg-deb -x "$package" /tmp/installed
done
CHATPUSH_DAEMON=/tmp/installed/usr/bin/chatpushd
CHATPUSH_EXTENSION=$(echo /tmp/installed/usr/lib/php/*/chatpush.so)
CHATPUSH_STACK=$sources/target/debug/chatpush-stack
export CHATPUSH_DAEMON CHATPUSH_EXTENSION CHATPUSH_STACK
# The servers need not wait for the disk.
export LD_PRELOAD=libeatmydata.so

echo "$(mariadbd --version 2>/dev/null | grep -o '[0-9.]*-MariaDB'), $("$redis" --version | grep -o 'v=[0-9.]*')" \
    "($redis), PHP $php, $(phpunit --version | head -1)"
status=0
echo "PHPUnit: without the extension"
phpunit --configuration tests/phpunit/testing.xml || status=1
for suite in extension daemon,promises fpm; do
    echo "PHPUnit: $suite"
    "$CHATPUSH_STACK" run -- php -d "extension=$CHATPUSH_EXTENSION" "$(command -v phpunit)" \
        --configuration tests/phpunit/phpunit.xml --testsuite "$suite" || status=1
done
"$CHATPUSH_STACK" demo --check || status=1
# Two look at the sources alone, with cargo and git.
(cd tests && RUST_BACKTRACE=0 RUST_TEST_THREADS=$((4 * $(nproc))) "$end_to_end" --skip licences:: --skip links::) || status=1
exit "$status"
