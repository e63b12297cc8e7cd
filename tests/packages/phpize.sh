#!/bin/bash
# Runs in a fresh root of Debian, as root: builds the extension from the archive of the sources, as PIE and phpize do.
# Argument: the version of PHP.
set -euo pipefail
php=$1
mkdir /tmp/sources
tar -xzf /packages/php_chatpush-*-src.tgz -C /tmp/sources --strip-components 1
cd /tmp/sources/packaging/phpize
# What cargo has downloaded is there already: this root has no network.
export PATH=$PATH:/cargo/bin CARGO_HOME=/cargo RUSTUP_HOME=/rustup CARGO_NET_OFFLINE=true CARGO_TERM_COLOR=never
{
    "phpize$php"
    ./configure --with-php-config="/usr/bin/php-config$php"
    make CHATPUSH_TARGET=/target/phpize
    make install CHATPUSH_TARGET=/target/phpize
} >/tmp/phpize.log 2>&1 || {
    tail -n 30 /tmp/phpize.log >&2
    exit 1
}
"php$php" -d extension=chatpush -r 'exit(function_exists("pushMessage") ? 0 : 1);'
echo "ok   phpize, configure, make and make install build the extension for PHP $php"
