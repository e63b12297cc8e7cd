# Runs the tests, one part after the other or some side by side, and counts the results.

parts=(
    format lint docs unit instructions stubs extension daemon fpm testing end-to-end client browser demo
    chaos
)
# What takes too long for every change. Each part may also be named alone.
long_parts=(promises fuzz autobahn engines cluster firefox reproducible boot bookworm trixie long-chaos)

describe() {
    cat <<'TEXT'
format       the sources are formatted
lint         clippy has no warning
docs         rustdoc has no warning
unit         the wire contract with its golden files, and unit tests
instructions the instructions of hot paths, counted by valgrind, against bench/instructions/baseline.toml
stubs        php/stubs matches the built extension
extension    PHPUnit: the extension's functions, settings, errors and connection
daemon       PHPUnit: the functions with a running daemon, on the command line
fpm          PHPUnit: the functions under PHP-FPM, through nginx
testing      PHPUnit: php/testing, the functions in memory, without the extension
end-to-end   daemons, PHP and WebSocket clients with real servers, some of them killed; module dependencies
             and licences; the load generator against known results
client       chatpush.js, its build in dist/, and the npm package with its types
browser      the demo in headless Chromium: network failures, a killed daemon, expired tokens, tabs, phone
demo         the demo's smoke test: two users over HTTP and WebSocket
chaos        a minute of faults without a violation, also with an application's tables, and with webhooks

With --all also:
promises     what chaos must notice: twenty-five promises, each broken by a build for that
fuzz         five seconds for each parser of untrusted input, and for a running daemon
autobahn     the cases of the Autobahn test suite that apply to a server without echo
engines      end-to-end tests and PHPUnit on MariaDB 11.4 and on MySQL 8.0, which come from Maven Central
cluster      end-to-end tests on a Redis Cluster of six nodes
firefox      notifications, the whole way: PHP, daemon, a push service, headless Firefox, and a click
reproducible the packages, made twice in two folders: the same, byte by byte
boot         ./dev package --boot: Debian booted in QEMU, and the unit as systemd runs it. Needs root, for debootstrap
bookworm     the packages in a fresh root of Debian 12 (PHP 8.2): installed, used, upgraded, removed, purged; phpize;
             PHPUnit, the end-to-end tests and the demo's smoke test with the servers of that release
trixie       the same in Debian 13 (PHP 8.4), with Redis and with Valkey. Both need root, for debootstrap
long-chaos   ten minutes of faults without a violation on each of two seeds, also with an application's tables, and
             with webhooks; a minute on a Galera cluster
TEXT
}

run_tests() {
    local part
    case "${1:-}" in
        --list) describe; return ;;
        --all)
            parts+=("${long_parts[@]}")
            shift
            [ $# -eq 0 ] || test_usage
            ;;
        --on)
            # A release of Debian is a part.
            [[ $# -eq 2 && " bookworm trixie " == *" $2 "* ]] || test_usage
            shift
            ;;
        -*) test_usage ;;
    esac
    for part in "$@"; do
        if [[ " ${parts[*]} ${long_parts[*]} " != *" $part "* ]]; then
            echo "Unknown part '$part'; see ./dev test --list" >&2
            exit 64
        fi
    done
    [ $# -eq 0 ] || parts=("$@")

    source dev.d/php.sh
    source dev.d/browser.sh
    source dev.d/autobahn.sh
    source dev.d/engines.sh
    needs "${parts[@]}"
    log=$(mktemp -d)
    trap 'exit 130' INT
    passed=0 failed=0
    run_parts "${parts[@]}"
    if [ "$failed" = 0 ]; then rm -rf "$log"; else echo "The complete output of each part is in $log"; fi
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}

test_usage() {
    echo "usage: ./dev test [--list | --all | --on bookworm | --on trixie | PART…]" >&2
    exit 64
}

# Installs and builds only what the requested parts need.
needs() {
    local part sets=build more=() tools=()
    require_rust
    [ "$*" != format ] || return 0
    for part in "$@"; do
        case "$part" in
            end-to-end) sets="build demo test" more+=(galera) tools+=(websocat) ;;
            engines) sets="build demo test" more+=(galera) tools+=(websocat engines) ;;
            firefox) sets="build demo test" more+=(firefox) ;;
            extension | daemon | fpm | testing | client | browser) sets="build demo test" ;;
            autobahn) tools+=(kosoku) ;;&
            reproducible) more+=(package) ;;
            bookworm | trixie) more+=(package roots) tools+=(websocat) ;;
            boot) more+=(package roots boot) ;;
            promises | long-chaos) more+=(galera) ;;&
            autobahn | demo | chaos | promises | long-chaos | fuzz) [ "$sets" != build ] || sets="build demo" ;;
            instructions) [[ "$sets" == *test* ]] || sets="$sets test" ;;
        esac
    done
    # shellcheck disable=SC2086 # The sets are words.
    packages $sets "${more[@]}"
    for part in "${tools[@]}"; do "$part"; done
    case "$*" in lint | docs | testing | reproducible | boot | bookworm | trixie) ;; *) build ;; esac
}

# Runs parts in order. Neighbours of one kind run side by side: each has servers of its own, and mostly waits.
run_parts() {
    local alike part pids
    while [ $# -gt 0 ]; do
        alike=("$1")
        while [ $# -gt 1 ] && [ "$(kind "$1")" = "$(kind "$2")" ]; do
            alike+=("$2")
            shift
        done
        shift
        if [ ${#alike[@]} = 1 ]; then
            printf '%-12s ' "${alike[0]}"
            run_part "${alike[0]}"
            report "${alike[0]}"
            continue
        fi
        # Each in a process group of its own, so that Ctrl-C ends what it has started too.
        pids=()
        set -m
        for part in "${alike[@]}"; do
            run_part "$part" </dev/null &
            pids+=($!)
        done
        set +m
        # shellcheck disable=SC2064 # The current values are meant.
        trap "kill -- ${pids[*]/#/-} 2>/dev/null; exit 130" INT
        wait "${pids[@]}" || true
        trap 'exit 130' INT
        for part in "${alike[@]}"; do
            printf '%-12s ' "$part"
            report "$part"
        done
    done
}

kind() {
    case "$1" in extension | daemon | fpm | testing) echo phpunit ;; *) echo "$1" ;; esac
}

# Runs a part. Keeps its output, and its exit code and time beside that.
run_part() {
    local part=$1 start=$SECONDS status=0
    ("part_${part//-/_}") >"$log/$part" 2>&1 || status=$?
    echo "$status $((SECONDS - start))" >"$log/$part.status"
}

report() {
    local part=$1 file="$log/$1" status seconds good bad
    read -r status seconds <"$file.status"
    rm "$file.status"
    read -r good bad < <(count "$file" "$status")
    passed=$((passed + good)) failed=$((failed + bad))
    if [ "$bad" = 0 ]; then
        echo "ok, $good passed ($seconds s)"
        sed -n 's/^target \(.*\): ok, /             \1: /p' "$file"
    else
        echo "FAILED, $good passed, $bad failed ($seconds s):"
        failures "$file" | sed 's/^/    /'
    fi
}

# Prints what the output of a part says of its failures: each TAP test that failed, with its details; the end
# of cargo's and PHPUnit's output from where they list them; and of any other output the last lines.
failures() {
    local of_tests
    of_tests=$(awk '
        /^ *not ok / { details = 1 }
        details
        details && /^ *\.\.\.$/ { details = 0 }
        /^(failures:|There w(as|ere) [0-9]+ (failure|error|risky))/ { listed = 1 }
        listed' "$1")
    if [ -n "$of_tests" ]; then echo "$of_tests"; fi
    tail -n "$([ -n "$of_tests" ] && echo 10 || echo 80)" "$1"
}

# Counts passed and failed tests in the output of cargo, PHPUnit, node and the fuzzer. A part without such
# output counts as one test.
count() {
    awk -v status="$2" '
        /^test result: / { good += $4; bad += $6 }
        /^OK \([0-9]+ test/ { sub(/\(/, "", $2); good += $2 }
        /^Tests: [0-9]+, Assertions: / {
            tests = $2 + 0
            match($0, /Errors: [0-9]+/); errors = RSTART ? substr($0, RSTART + 8) + 0 : 0
            match($0, /Failures: [0-9]+/); failures = RSTART ? substr($0, RSTART + 10) + 0 : 0
            match($0, /Skipped: [0-9]+/); skipped = RSTART ? substr($0, RSTART + 9) + 0 : 0
            good += tests - errors - failures - skipped; bad += errors + failures
        }
        /^# pass [0-9]+$/ { good += $3 }
        /^# (fail|cancelled) [0-9]+$/ { bad += $3 }
        /^target .*: ok, / { good++ }
        /^target .*: FAILED/ { bad++ }
        END {
            if (status != 0 && bad == 0) bad = 1
            if (status == 0 && good == 0) good = 1
            print good + 0, bad + 0
        }' "$1"
}

part_format() { cargo fmt --all --check; }
part_lint() { cargo clippy --workspace --all-targets --locked -- -D warnings; }
part_docs() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked; }
# Not optimised: that takes longer than the tests.
part_unit() { cargo test --workspace --locked --lib --bins --test golden; }
part_instructions() { target/release/chatpush-instructions; }
part_stubs() { check_stubs; }
part_extension() { without_syncs phpunit_beside_stack extension; }
part_daemon() { without_syncs phpunit_beside_stack daemon,promises; }
part_fpm() { without_syncs phpunit_beside_stack fpm; }
part_testing() { phpunit --configuration tests/phpunit/testing.xml; }
# Most tests wait most of the time, so there are more threads than processors. What they test is optimised.
part_end_to_end() { end_to_end_tests; }
end_to_end_tests() {
    CHATPUSH_DAEMON=$PWD/target/release/chatpushd CHATPUSH_STACK=$PWD/target/release/chatpush-stack \
        CHATPUSH_EXTENSION=$PWD/target/release/libchatpush.so RUST_TEST_THREADS=$((4 * $(nproc))) \
        RUST_BACKTRACE=0 without_syncs cargo test --workspace --locked --test it "$@"
}
part_client() { client_tests; }
part_browser() { browser_tests; }
part_firefox() { firefox_tests; }
part_demo() { target/release/chatpush-stack demo --check; }
part_reproducible() { dev.d/reproducible.sh; }
part_boot() { ./dev package --boot; }
part_bookworm() { dev.d/on.sh bookworm; }
part_trixie() { dev.d/on.sh trixie; }
part_autobahn() { autobahn_tests; }
part_engines() { engine_tests; }
# shellcheck disable=SC2046 # The options are words.
part_cluster() { CHATPUSH_TEST_REDIS=cluster end_to_end_tests -- $(skipped_on redis-cluster); }
part_long_chaos() {
    local seed
    for seed in "${CHATPUSH_CHAOS_SEED:-1}" "$((${CHATPUSH_CHAOS_SEED:-1} + 1))"; do
        side_by_side 3 <<TEXT || return
chaos --seconds 600 --seed $seed
chaos --seconds 600 --seed $seed --applications
chaos --seconds 600 --seed $seed --notifications
chaos --seconds 600 --seed $seed --notifications --unread
TEXT
    done
    chaos --seconds 60 --engine galera || return
    chaos --seconds 600 --engine sentinel || return
    chaos --seconds 600 --engine cluster
}
part_fuzz() { fuzz --seconds 5 --seed 1; }
part_chaos() {
    local seed="${CHATPUSH_CHAOS_SEED:-1}"
    # Most of them wait most of the time.
    side_by_side 4 <<TEXT
chaos --seconds 60 --seed $seed
chaos --seconds 45 --seed $seed --applications
chaos --seconds 40 --seed $seed --notifications
chaos --seconds 40 --seed $seed --notifications --unread
chaos --seconds 15 --seed $seed --faults lose-commits
chaos --seconds 30 --seed $seed --engine sentinel
chaos --seconds 30 --seed $seed --engine cluster
TEXT
}
part_promises() {
    # Both in one command: alone, the extension's libraries would be built again, with fewer features.
    cargo build --release --workspace --locked \
        --features chatpush-daemon/fault_injection,chatpush/fault_injection \
        --bin chatpushd-fault-injection --example chatpush_fault_injection || return
    # The longest first.
    side_by_side 4 <<TEXT
detects last_fence kill-worker --engine galera
detects identity time-zone,kill-daemon
detects fence end-subscriptions,stop-daemon
detects memory lose-tail
detects barrier kill-daemon,restart-daemon,slow
detects queued stop-daemon,kill-mariadb
detects replay lose-commits
detects confirm kill-daemon,kill-worker
detects ids increment,kill-daemon
detects words time-zone --users 12
detects refusals poison
detects shown_once poison
detects database other-database
detects prefix other-prefix
detects by kill-worker --applications
detects receivers kill-worker --applications
detects mark kill-worker --applications
detects mark_once kill-worker --applications
detects told kill-sender --notifications
detects events kill-sender --notifications
detects webhook_id kill-sender --notifications
detects recheck kill-sender --notifications
detects returned kill-sender --notifications
detects offline kill-daemon --notifications
detects recheck kill-sender --notifications --unread
detects unread kill-sender --notifications --unread
TEXT
}

# Runs a command whose servers do not wait for the disk. Tests kill processes, which lose nothing that they have
# written: only a machine that fails would.
without_syncs() { LD_PRELOAD=libeatmydata.so "$@"; }

chaos() { target/release/chatpush-chaos "$@"; }

# Runs the commands on the standard input, at most so many at a time. Fails if one of them fails, with its output.
side_by_side() {
    local most=$1 line number=0 folder status
    folder=$(mktemp -d)
    while read -r line; do
        while [ "$(jobs -rp | wc -l)" -ge "$most" ]; do wait -n || true; done
        number=$((number + 1))
        # shellcheck disable=SC2086 # The words of a command.
        ($line >"$folder/$number" 2>&1 </dev/null || mv "$folder/$number" "$folder/failed.$number") &
    done
    wait
    # What failed comes last.
    cat "$folder"/[0-9]* "$folder"/failed.* 2>/dev/null
    status=0
    ! ls "$folder"/failed.* >/dev/null 2>&1 || status=1
    rm -r "$folder"
    return "$status"
}

# Proves that the chaos test can fail: with this promise broken, the run must find violations (exit code 1). It ends
# at the first one that is certain.
detects() {
    local promise=$1 faults=$2 seed status start=$SECONDS
    shift 2
    for seed in 3 4 5 6 7 8 9 10; do
        status=0
        CHATPUSH_DAEMON=$PWD/target/release/chatpushd-fault-injection \
            CHATPUSH_EXTENSION=$PWD/target/release/examples/libchatpush_fault_injection.so \
            target/release/chatpush-chaos --seconds 12 --seed "$seed" --discard \
            --fault-injection "$promise" --faults "$faults" "$@" || status=$?
        # Another code than 1 shows nothing, for instance that writers without a fence block each other.
        [ "$status" != 1 ] || break
    done
    echo "broken promise $promise: exit code $status with seed $seed, $((SECONDS - start)) s"
    if [ "$status" != 1 ]; then
        echo "the broken promise '$promise' was not detected (exit code $status)"
        return 1
    fi
}
