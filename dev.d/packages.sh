# Installs missing Debian packages, and prints which and why.

# Columns: the set that needs the package, a check that it is installed, its name, the reason.
wanted() {
    cat <<'TABLE'
build|command cc|build-essential|a C and C++ compiler and a linker for Rust
build|command php|php-cli|PHP 8.1 or newer
build|command php-config|php-dev|the headers that the extension is built against
build|libclang|libclang-dev|reads those headers during the build
demo|command redis-server|redis-server|Redis 7.0 or newer
demo|command mariadbd|mariadb-server-core|MariaDB 10.6 or newer, where messages are stored
demo|command mariadb|mariadb-client-core|creates the demo's database
demo|php_fpm|php-fpm|runs the demo's pages
demo|module pdo_mysql|php-mysql|the demo's own queries
demo|command nginx|nginx-light|serves the demo
test|command phpunit|phpunit|PHPUnit 9.6, runs the PHP tests
test|command chromium|chromium|the browser of the browser tests
test|command node|nodejs|Node.js 18 or newer, runs the browser tests
test|command npm|npm|downloads the library that controls the browser
test|python websockets|python3-websockets|a WebSocket client in Python
test|command valgrind|valgrind|counts the instructions of hot paths
test|command promtool|prometheus|checks the alerts and runs their tests
test|command openssl|openssl|creates the certificates of the TLS tests
test|command systemd-analyze|systemd|checks the unit of the daemon
test|eatmydata|libeatmydata1|spares the servers of the tests the wait for the disk
galera|galera|galera-4|MariaDB as a Galera cluster
galera|command rsync|rsync|copies the data to a node that joins the cluster
galera|command wsrep_sst_rsync|mariadb-server|the script that starts that copy
engines|command curl|curl|downloads other database servers
engines|command unzip|unzip|unpacks them
package|command dpkg-deb|dpkg|makes Debian packages
package|command dpkg-shlibdeps|dpkg-dev|finds the libraries that they need
package|command zip|zip|makes the archive for PIE
package|command git|git|knows the sources of a commit, and its time
roots|command debootstrap|debootstrap|makes a fresh root of a release of Debian
roots|command ip|iproute2|gives that root a network of its own
boot|command qemu-system-x86_64|qemu-system-x86|boots a Debian with the packages
boot|command mke2fs|e2fsprogs|makes its disk
autobahn|pip|python3-pip|downloads the runner of the Autobahn test suite
firefox|command firefox-esr|firefox-esr|the browser that subscribes at a push service of the tests
TABLE
}

# Some checks need PHP, so all are repeated after the installation.
is_there() {
    case "$1" in
        command) command -v "$2" >/dev/null ;;
        libclang) libclang ;;
        php_fpm) php_fpm >/dev/null ;;
        eatmydata) ! LD_PRELOAD=libeatmydata.so /bin/true 2>&1 | grep . >/dev/null ;;
        galera) [ -e /usr/lib/galera/libgalera_smm.so ] ;;
        python) /usr/bin/python3 -c "import $2" 2>/dev/null ;;
        pip) python3 -m pip --version >/dev/null 2>&1 ;;
        module) command -v php >/dev/null && php -m | grep -ix "$2" >/dev/null ;;
    esac
}

# libclang and its own headers.
libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] && return 0
    compgen -G '/usr/lib/llvm-*/lib/libclang[.-][0-9s]*' >/dev/null \
        && compgen -G '/usr/lib/llvm-*/lib/clang/*/include/stddef.h' >/dev/null
}

# The PHP-FPM of the same version as the PHP on the PATH.
php_fpm() {
    local version
    command -v php >/dev/null || return 1
    version=$(php -r 'echo PHP_MAJOR_VERSION, ".", PHP_MINOR_VERSION;')
    command -v "php-fpm$version" || command -v php-fpm
}

packages() {
    local set probe package why missing=() reasons=()
    for set in "$@"; do
        if [[ " build demo test galera engines autobahn firefox package roots boot " != *" $set "* ]]; then
            echo "Unknown set '$set'; the sets are build, demo, test, galera, engines, autobahn, firefox, package, roots" \
                "and boot" >&2
            exit 64
        fi
    done
    while IFS='|' read -r set probe package why; do
        [[ " $* " == *" $set "* ]] || continue
        # shellcheck disable=SC2086 # The check is split into words.
        is_there $probe && continue
        missing+=("$package")
        reasons+=("  $(printf '%-20s' "$package") $why")
    done < <(wanted)
    require_rust
    if [ ${#missing[@]} -eq 0 ]; then
        require_versions "$@"
        return
    fi

    echo "Missing:"
    printf '%s\n' "${reasons[@]}"
    if ! command -v apt-get >/dev/null; then
        echo "These are the names of Debian's packages. Install those of your system and run this again." >&2
        echo "If libclang is not in /usr/lib/llvm-*, set LIBCLANG_PATH to its folder." >&2
        exit 1
    fi
    local sudo=()
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "Run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
            exit 1
        fi
        sudo=(sudo)
    fi
    install_without_services "${sudo[@]}" -- "${missing[@]}"
    while IFS='|' read -r set probe package why; do
        [[ " $* " == *" $set "* ]] || continue
        # shellcheck disable=SC2086
        is_there $probe || { echo "$package is installed, but the check '$probe' still fails" >&2; exit 1; }
    done < <(wanted)
    require_versions "$@"
}

# Debian starts a server when its package is installed. Only the programs are needed here, so a policy forbids
# that during the installation. An existing policy is not changed.
install_without_services() {
    local sudo=() policy=/usr/sbin/policy-rc.d log status=0
    while [ "$1" != -- ]; do sudo+=("$1"); shift; done
    shift
    echo "Installing with ${sudo[*]} apt-get: $*"
    echo "  (no service is started now; redis-server, nginx and mariadb can be disabled with systemctl)"
    log=$(mktemp)
    if [ ! -e "$policy" ]; then
        # shellcheck disable=SC2064 # The current values are meant.
        trap "${sudo[*]} rm -f $policy" EXIT
        printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
        "${sudo[@]}" chmod 755 "$policy"
    fi
    {
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q \
            && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
                apt-get install -qy --no-install-recommends "$@"
    } >"$log" 2>&1 || status=$?
    if [ "$(trap -p EXIT)" != "" ]; then
        "${sudo[@]}" rm -f "$policy"
        trap - EXIT
    fi
    if [ "$status" != 0 ]; then
        tail -20 "$log" >&2
        echo "apt-get failed; its whole output is in $log" >&2
        exit 1
    fi
    rm -f "$log"
}

# A command-line WebSocket client that Debian does not package. Cargo builds it once.
websocat() {
    [ -x target/tools/bin/websocat ] && return 0
    echo "Building websocat, a WebSocket client for the tests"
    cargo install --quiet --locked --root target/tools --version 4.0.0-alpha3 --no-default-features websocat
}

# An old distribution may have a package in a version that is too old.
require_versions() {
    if php -m 2>/dev/null | grep -x chatpush >/dev/null; then
        echo "Your php.ini loads an installed chatpush, so the one built here cannot be loaded." >&2
        echo "Disable it: phpdismod chatpush" >&2
        exit 1
    fi
    [[ " $* " != *" build "* ]] || at_least PHP "$(php -r 'echo PHP_VERSION;')" 8.1
    [[ " $* " != *" demo "* ]] \
        || at_least Redis "$(redis-server --version | sed 's/.* v=\([0-9.]*\).*/\1/')" 7.0
    [[ " $* " != *" test "* ]] || at_least Node.js "$(node --version | tr -d v)" 18
}

at_least() {
    local name=$1 found=$2 needed=$3
    [ "$(printf '%s\n' "$needed" "$found" | sort -V | head -1)" = "$needed" ] && return 0
    echo "$name $needed or newer is needed; this system has $found" >&2
    exit 1
}

require_rust() {
    command -v cargo >/dev/null && return 0
    # rustup extends the PATH of login shells only.
    if [ -x "$HOME/.cargo/bin/cargo" ]; then
        export PATH="$HOME/.cargo/bin:$PATH"
        return 0
    fi
    echo "Rust is missing. Install it from https://rustup.rs and run this again." >&2
    exit 1
}
