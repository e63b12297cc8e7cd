# Makes what is installed: Debian packages, archives for PIE, a tarball, a list of what is in them, and checksums.

# Everything carries this time, so that two builds of one commit can be the same.
source_date() { git log -1 --format=%ct 2>/dev/null || echo 0; }

package_usage() {
    cat <<'TEXT'
Usage: ./dev package [--deb-revision N] [--boot]

Builds the daemon, and the extension for the PHP on the PATH (or that of PHP and PHP_CONFIG), and makes, in
target/package:
  chatpushd_*.deb, phpX.Y-chatpush_*.deb   Debian packages; the extension's for PHP 8.2 and 8.4
  php_chatpush-*.zip, php_chatpush-*-src.tgz   the extension and the sources, for PIE
  chatpush-stubs-*.zip                     the Composer package with the stubs
  chatpush-*.tar.gz                        daemon, extension, unit and client, for other systems
  *.cdx.json                               what is in daemon and extension (CycloneDX)
  SHA256SUMS

Folders, times and owners leave no trace in it: ./dev test reproducible compares two builds of a commit.
  --deb-revision N   what follows the version of the Debian packages (1)
  --boot             then boot a Debian with them in QEMU, as root, and try the unit there
TEXT
}

make_packages() {
    local revision=1 boots=''
    while [ $# -gt 0 ]; do
        case "$1" in
            --deb-revision) revision=${2:?"--deb-revision needs a number"}; shift 2 ;;
            --boot) boots=1; shift ;;
            *) package_usage >&2; exit 64 ;;
        esac
    done
    local version php arch
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
    php=$("${PHP:-php}" -r 'echo PHP_MAJOR_VERSION, ".", PHP_MINOR_VERSION;')
    arch=$(uname -m)
    [ "$arch" != aarch64 ] || arch=arm64
    if ! grep -q "^\[package.metadata.deb.variants.\"$php\"\]" php-ext/Cargo.toml; then
        echo "There is no Debian package for PHP $php; add its variant to php-ext/Cargo.toml" >&2
        exit 1
    fi
    SOURCE_DATE_EPOCH=$(source_date)
    # Not writable by everybody, whatever the caller's umask is.
    umask 022
    export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
    cargo_deb
    cargo_cyclonedx
    # What is made goes into a fresh folder. Cargo.toml names it for the files that are not in the repository.
    package_folder=$PWD/target/package
    rm -rf "$package_folder"
    mkdir -p "$package_folder/parts"
    build_reproducibly
    installed_configuration >"$package_folder/parts/chatpush.toml"
    debian_package chatpush-daemon
    debian_package chatpush --variant "$php"
    pie_archive "$version" "php$php-$arch-linux-glibc"
    source_archive "$version"
    stubs_archive "$version"
    tarball "chatpush-$version-php$php-$arch-linux-glibc"
    components "$version"
    rm -r "$package_folder/parts"
    (cd "$package_folder" && sha256sum -- * >SHA256SUMS.new && mv SHA256SUMS.new SHA256SUMS)
    echo "Made, in target/package:"
    ls -1 "$package_folder"
    [ -z "$boots" ] || dev.d/boot.sh
}

# Cargo builds these tools once: Debian does not package them.
cargo_deb() {
    cargo_tool cargo-deb 3.8.0 "which makes Debian packages"
}

cargo_cyclonedx() {
    cargo_tool cargo-cyclonedx 0.5.9 "which lists what is in the programs"
}

cargo_tool() {
    [ -x "target/tools/bin/$1" ] && return 0
    echo "Building $1, $3"
    cargo install --quiet --locked --root target/tools --version "$2" "$1"
}

# Without the names of this machine's folders. In a folder of its own, since other flags would build everything
# of ./dev build again.
build_reproducibly() {
    local home=${CARGO_HOME:-$HOME/.cargo}
    export CARGO_TARGET_DIR=${CHATPUSH_PACKAGE_TARGET:-$PWD/target/reproducible}
    echo "Building (the first build takes some minutes)"
    RUSTFLAGS="--remap-path-prefix=$PWD=/chatpush --remap-path-prefix=$home=/cargo" \
        CFLAGS="-ffile-prefix-map=$home=/cargo -ffile-prefix-map=$CARGO_TARGET_DIR=/target" \
        cargo build --profile dist --locked -p chatpush -p chatpush-daemon
    built=$CARGO_TARGET_DIR/dist
}

debian_package() {
    local crate=$1
    shift
    target/tools/bin/cargo-deb deb --no-build --profile dist --locked --quiet -p "$crate" --deb-revision "$revision" \
        -o "$package_folder/" "$@" >/dev/null
}

# The configuration that a package installs: every setting explained and commented out, but for the key, which has a
# file of its own.
installed_configuration() {
    sed -e '1s|.*|# Configuration of chatpushd. What is commented out shows the default, or an example.|' -e 2d \
        -e 's|^#secret = .*|secret_file = "/etc/chatpush/secret"|' \
        -e '/^secret_file/!s|^\([a-z_]* = \)|#\1|' chatpush.toml.example
}

# PIE finds the extension by this name (https://github.com/php/pie, docs/extension-maintainers.md,
# "pre-packaged-binary").
pie_archive() {
    local work
    work=$(mktemp -d)
    install -m 644 "$built/libchatpush.so" "$work/chatpush.so"
    strip --strip-unneeded "$work/chatpush.so"
    zipped "$work" "php_chatpush-$1_$2.zip"
}

# PIE's "pre-packaged-source": what `composer-default` gets from the tag.
source_archive() {
    git archive --format=tar --prefix="chatpush-$1/" HEAD | gzip -9n >"$package_folder/php_chatpush-$1-src.tgz"
}

stubs_archive() {
    local work
    work=$(mktemp -d)
    cp packaging/stubs/composer.json php/stubs/chatpush.stub.php LICENSE-MIT LICENSE-APACHE "$work/"
    zipped "$work" "chatpush-stubs-$1.zip"
}

# Makes a zip of a folder's files, and removes the folder.
zipped() {
    local folder=$1 archive=$2
    chmod 644 "$folder"/*
    touch -d "@$SOURCE_DATE_EPOCH" "$folder"/*
    (cd "$folder" && printf '%s\n' * | zip -qX "$package_folder/$archive" -@)
    rm -r "$folder"
}

tarball() {
    local name=$1 work
    work=$(mktemp -d)
    mkdir -p "$work/$name"
    cp "$built/chatpushd" "$built/libchatpush.so" php/chatpush.ini php/stubs/chatpush.stub.php \
        packaging/systemd/chatpushd.service packaging/systemd/chatpushd@.service \
        js/dist/chatpush.js js/dist/chatpush-worker.js \
        README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE "$package_folder/parts/chatpush.toml" "$work/$name/"
    strip --strip-unneeded "$work/$name/chatpushd" "$work/$name/libchatpush.so"
    chmod 644 "$work/$name"/*
    chmod 755 "$work/$name/chatpushd"
    tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -C "$work" -cf - "$name" |
        gzip -9n >"$package_folder/$name.tar.gz"
    rm -r "$work"
}

# The crates in each program, with versions and licences. The tool writes a file into the folder of every crate.
components() {
    local crate file
    target/tools/bin/cargo-cyclonedx cyclonedx --quiet --format json --no-build-deps \
        --override-filename package-components --manifest-path Cargo.toml
    for crate in daemon php-ext; do
        file=$package_folder/chatpush-$1-$crate.cdx.json
        # Without the names of this machine's folders.
        sed "s|file://$PWD|file:///chatpush|g" "$crate/package-components.json" >"$file"
    done
    find . \( -path ./target -o -name node_modules \) -prune -o -name package-components.json -exec rm {} +
}
