# Fuzzes the parsers of untrusted input, and a running daemon.

fuzz_usage() {
    cat <<'TEXT'
Usage: ./dev fuzz [TARGET…] [--seconds N] [--seed N]
       ./dev fuzz TARGET --reproduce FILE
       ./dev fuzz --list

Runs each target for N seconds (60), as many at a time as there are processors.
A failing input is saved in target/fuzz.
TEXT
}

fuzz() {
    local seconds=60 seed=0 input='' targets=()
    while [ $# -gt 0 ]; do
        case "$1" in
            --list) fuzz_list; return ;;
            --help | -h) fuzz_usage; return ;;
            --seconds | --seed | --reproduce)
                [ $# -gt 1 ] || { fuzz_usage >&2; exit 64; }
                case "$1" in --seconds) seconds=$2 ;; --seed) seed=$2 ;; *) input=$(realpath "$2") ;; esac
                shift
                ;;
            -*) fuzz_usage >&2; exit 64 ;;
            *)
                if [[ " $(fuzz_targets) " != *" $1 "* ]]; then
                    echo "Unknown target '$1'; see ./dev fuzz --list" >&2
                    exit 64
                fi
                targets+=("$1")
                ;;
        esac
        shift
    done
    # shellcheck disable=SC2207 # The names are words.
    [ ${#targets[@]} -gt 0 ] || targets=($(fuzz_targets))
    build_fuzz
    if [ -n "$input" ]; then
        [ ${#targets[@]} = 1 ] || { fuzz_usage >&2; exit 64; }
        CHATPUSH_FUZZ_TARGET=${targets[0]} target/release/chatpush-fuzz "$input"
        return
    fi
    fuzz_all "$seconds" "$seed" "${targets[@]}"
}

# Each target is a file in fuzz/src/target. The last one, live, is a program.
fuzz_targets() {
    local file
    for file in fuzz/src/target/*.rs; do printf '%s ' "$(basename "$file" .rs)"; done
    echo live
}

# Prints the name of each target, and the first line of its file.
fuzz_list() {
    local file name
    for file in fuzz/src/target/*.rs fuzz/live/main.rs; do
        name=$(basename "$file" .rs)
        printf '%-15s %s\n' "${name/main/live}" "$(sed -n '1s,^//! ,,p' "$file")"
    done
}

# The targets are compiled with coverage counters for libFuzzer. The running daemon is the usual build.
build_fuzz() {
    cargo build --release --workspace --locked --bin chatpushd --bin chatpush-fuzz-live
    RUSTC_WORKSPACE_WRAPPER=$PWD/fuzz/instrument.sh \
        cargo build --release --workspace --locked --features chatpush-fuzz/libfuzzer --bin chatpush-fuzz
}

fuzz_all() {
    local seconds=$1 seed=$2 status=0
    shift 2
    # New inputs go to a temporary folder, failing inputs to target/fuzz.
    FUZZ_FOUND=$(mktemp -d)
    mkdir -p target/fuzz
    export FUZZ_FOUND
    export -f fuzz_one fuzz_function
    printf '%s\n' "$@" \
        | xargs -P "$(nproc)" -I TARGET bash -c 'fuzz_one "$@"' fuzz TARGET "$seconds" "$seed" || status=1
    rm -rf "$FUZZ_FOUND"
    return "$status"
}

# Runs one target and prints its result, with the details of a failure.
fuzz_one() {
    local target=$1 seconds=$2 seed=$3 log=$FUZZ_FOUND/$1.log status=0
    if [ "$target" = live ]; then
        target/release/chatpush-fuzz-live --seconds "$seconds" --seed "$((seed == 0 ? RANDOM : seed))" \
            >"$log" 2>&1 || status=$?
    else
        fuzz_function "$target" "$seconds" "$seed" >"$log" 2>&1 || status=$?
    fi
    if [ "$status" = 0 ]; then
        grep '^target ' "$log"
    else
        grep -A 6 -m 1 -E 'panicked|ERROR: libFuzzer' "$log" || tail -n 20 "$log"
        grep '^target ' "$log" || echo "target $target: FAILED, exit code $status"
        return 1
    fi
}

fuzz_function() {
    local target=$1 seconds=$2 seed=$3 status=0 log
    local options=(-max_total_time="$seconds" -seed="$seed" -timeout=10 -rss_limit_mb=1024)
    options+=(-print_final_stats=1 -artifact_prefix="target/fuzz/$target-")
    [ ! -e "fuzz/dictionary/$target" ] || options+=(-dict="fuzz/dictionary/$target")
    mkdir "$FUZZ_FOUND/$target"
    log=$(CHATPUSH_FUZZ_TARGET=$target RUST_BACKTRACE=0 target/release/chatpush-fuzz \
        "$FUZZ_FOUND/$target" "fuzz/corpus/$target" "${options[@]}" 2>&1) || status=$?
    awk -v target="$target" -v status="$status" '
        { print }
        /cov: [0-9]+ ft: [0-9]+ corp: / {
            split($0, words, /cov: | ft: | corp: /)
            edges = words[2]; features = words[3]
        }
        /^stat::number_of_executed_units:/ { inputs = $2 }
        /Test unit written to / { file = $NF }
        END {
            if (status == 0)
                printf "target %s: ok, %d inputs, %d edges, %d features\n", target, inputs, edges, features
            else
                printf "target %s: FAILED after %d inputs; ./dev fuzz %s --reproduce %s\n",
                    target, inputs, target, file
        }' <<<"$log"
    return "$status"
}
