# A fresh root of a release of Debian, for tests of the packages.

# The root as debootstrap and apt leave it: target/roots/SUITE. It is made once, and never changed by a test.
root_of() {
    local suite=$1 php=$2 root=$PWD/target/roots/$1 log=$PWD/target/roots/$1.log
    shift 2
    [ ! -e "$root.made" ] || return 0
    echo "Making a root of $suite with debootstrap (minutes); its output is in target/roots/$suite.log"
    mkdir -p "$PWD/target/roots"
    rm -rf "$root"
    debootstrap --variant=minbase "$suite" "$root" "${CHATPUSH_DEBIAN_MIRROR:-http://deb.debian.org/debian}" \
        >"$log" 2>&1 || { tail -n 5 "$log"; exit 1; }
    # No service starts: there is no systemd in a root.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
        adduser ca-certificates systemd mariadb-server python3-websockets \
        build-essential libclang-dev "php$php-cli" "php$php-fpm" "php$php-dev" "$@" \
        >>"$log" 2>&1 || { tail -n 5 "$log"; exit 1; }
    touch "$root.made"
}
