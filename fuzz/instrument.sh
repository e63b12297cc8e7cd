#!/usr/bin/env bash
# Stands between cargo and rustc (RUSTC_WORKSPACE_WRAPPER) and compiles the crates of this workspace, and no
# other, so that libFuzzer sees which lines an input has reached, and with the checks of a debug build. Cargo keeps
# what a wrapper compiles apart from what it compiles without; the dependencies are the same for both.
set -euo pipefail

rustc=$1
shift
case " $* " in
    *" --crate-name chatpush_"*)
        set -- "$@" \
            -Cpasses=sancov-module \
            -Cllvm-args=-sanitizer-coverage-level=4 \
            -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
            -Cllvm-args=-sanitizer-coverage-pc-table \
            -Cllvm-args=-sanitizer-coverage-trace-compares \
            -Cdebug-assertions=on -Coverflow-checks=on
        ;;
esac
exec "$rustc" "$@"
