# A fresh root of a release of Debian, for tests of the packages.

# The PHP of each release, and its servers that speak Redis's protocol.
declare -A releases=([bookworm]="8.2 redis-server" [trixie]="8.4 redis-server valkey-server")

# What the packages need there, to build the extension by phpize, and what the tests need.
packages_of_root() {
    local php=$1
    shift
    echo adduser ca-certificates systemd mariadb-server python3-websockets \
        build-essential libclang-dev "php$php-cli" "php$php-fpm" "php$php-dev" "$@" \
        "php$php-mysql" phpunit nginx-light openssl libeatmydata1 galera-4 rsync prometheus
}

# The root as debootstrap and apt leave it: target/roots/SUITE. It is made once, and never changed by a test.
root_of() {
    local suite=$1 root=$PWD/target/roots/$1 log=$PWD/target/roots/$1.log packages
    # shellcheck disable=SC2086 # Words.
    packages=$(packages_of_root ${releases[$suite]})
    [ "$(cat "$root.made" 2>/dev/null)" != "$packages" ] || return 0
    if [ ! -e "$root.made" ]; then
        echo "Making a root of $suite with debootstrap (minutes); its output is in target/roots/$suite.log"
        mkdir -p "$PWD/target/roots"
        rm -rf "$root"
        debootstrap --variant=minbase "$suite" "$root" "${CHATPUSH_DEBIAN_MIRROR:-http://deb.debian.org/debian}" \
            >"$log" 2>&1 || { tail -n 5 "$log"; exit 1; }
        # No service starts: there is no systemd in a root.
        printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
        chmod 755 "$root/usr/sbin/policy-rc.d"
    fi
    # shellcheck disable=SC2086 # Words.
    chroot "$root" env DEBIAN_FRONTEND=noninteractive sh -euc '
        apt-get update -q
        apt-get install -qy --no-install-recommends "$@"' sh $packages >>"$log" 2>&1 || { tail -n 5 "$log"; exit 1; }
    echo "$packages" >"$root.made"
}
