#!/usr/bin/env bash
# Installs the packages in a fresh root of a release of Debian, uses, upgrades, removes and purges them there, as root.
# A script of its own, so that the first thing that fails ends it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source dev.d/root.sh

# The packages for that release, in target/packages-on/SUITE: the daemon's, which is the same everywhere, and the
# extension's, which is built here against the headers of the root's PHP.
packages_for() {
    local suite=$1 php=$2 root=$PWD/target/roots/$1 tools=$PWD/target/roots/$1.php
    local folder=$PWD/target/packages-on/$1
    mkdir -p "$tools"
    printf '#!/bin/sh\nexec chroot %s php%s "$@"\n' "$root" "$php" >"$tools/php"
    printf '#!/bin/sh\nchroot %s php-config%s "$@" | sed "s|-I/usr/include|-I%s/usr/include|g"\n' \
        "$root" "$php" "$root" >"$tools/php-config"
    chmod 755 "$tools"/*
    PHP=$tools/php PHP_CONFIG=$tools/php-config ./dev package
    mkdir -p "$folder"
    rm -rf "${folder:?}"/*
    cp target/package/*.deb target/package/*-src.tgz "$folder/"
    package_before "$folder"
}

# The package of the version before: the same programs, and a configuration that has changed since.
package_before() {
    local folder=$1 work
    mkdir "$folder/before"
    work=$(mktemp -d)
    for package in "$folder"/*.deb; do
        rm -rf "$work/tree"
        dpkg-deb -R "$package" "$work/tree"
        sed -i 's/^Version: .*/Version: 0.0.1-1/' "$work/tree/DEBIAN/control"
        # A comment in both kinds of files.
        find "$work/tree/etc" -name chatpush.toml -exec sed -i '$a # Of the version before.' {} +
        find "$work/tree/etc" -name chatpush.ini -exec sed -i '$a ; Of the version before.' {} +
        rm -f "$work/tree/DEBIAN/md5sums"
        dpkg-deb -Znone --root-owner-group -b "$work/tree" "$folder/before/" >/dev/null
    done
    rm -r "$work"
}

# Builds the program of the end-to-end tests and prints its path.
end_to_end_program() {
    cargo build --quiet --locked -p chatpush-stack
    cargo test --quiet --locked -p chatpush-tests --test it --no-run --message-format=json |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1
}

# Runs a command in a copy of the root that is gone afterwards, with a network of its own (loopback alone), and with
# processes that end with it.
in_fresh_root() {
    local suite=$1 upper
    shift
    upper=$(mktemp -d)
    local status=0
    ROOT=$PWD/target/roots/$suite PACKAGES=$PWD/target/packages-on/$suite SOURCES=$PWD UPPER=$upper \
        BUILT=$(realpath target) \
        CARGO=${CARGO_HOME:-$HOME/.cargo} RUSTUP=${RUSTUP_HOME:-$HOME/.rustup} \
        TARGET=$PWD/target/roots/$suite.target \
        unshare --mount --pid --fork --kill-child --net bash -euc '
            mount -t tmpfs tmpfs "$UPPER"
            mkdir "$UPPER/changed" "$UPPER/work" "$UPPER/root"
            mount -t overlay overlay "$UPPER/root" \
                -o "lowerdir=$ROOT,upperdir=$UPPER/changed,workdir=$UPPER/work"
            cd "$UPPER/root"
            mkdir -p packages test cargo rustup target
            mount -t proc proc proc
            mount --rbind /dev dev
            mount -t tmpfs tmpfs run
            mount -t tmpfs tmpfs tmp
            # The test programs know the sources by their path.
            mkdir -p ".$SOURCES" ".$BUILT"
            for bind in "$PACKAGES packages" "$SOURCES/tests/packages test" "$SOURCES .$SOURCES" "$BUILT .$BUILT" \
                "$CARGO cargo" "$RUSTUP rustup"; do
                mount --rbind ${bind% *} ${bind#* }
                mount -o remount,ro,bind ${bind#* }
            done
            mkdir -p "$TARGET"
            mount --rbind "$TARGET" target
            ip link set lo up
            printf "127.0.0.1 localhost\n::1 localhost\n" >etc/hosts
            exec chroot . env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
                DEBIAN_FRONTEND=noninteractive "$@"' bash "$@" || status=$?
    rmdir "$upper" 2>/dev/null || true
    return "$status"
}

# The tests: those of the packages and of the programs once for each server that speaks Redis's protocol.
suite=${1:-}
if [ -z "$suite" ] || [ -z "${releases[$suite]:-}" ]; then
    echo "usage: ./dev test --on bookworm | trixie" >&2
    exit 64
fi
if [ "$(id -u)" != 0 ]; then
    echo "debootstrap and chroot need root: sudo ./dev test --on $suite" >&2
    exit 1
fi
read -r php servers <<<"${releases[$suite]}"
root_of "$suite"
packages_for "$suite" "$php"
end_to_end=$(end_to_end_program)
for server in $servers; do
    in_fresh_root "$suite" /bin/bash /test/inside.sh "$php" "$server"
done
in_fresh_root "$suite" /bin/bash /test/rolling.sh "$php" "${servers%% *}"
in_fresh_root "$suite" /bin/bash /test/phpize.sh "$php"
for server in $servers; do
    in_fresh_root "$suite" /bin/bash /test/tests.sh "$php" "$server" "$PWD" "$end_to_end"
done
