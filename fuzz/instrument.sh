#!/usr/bin/env bash
# A wrapper of rustc (RUSTC_WORKSPACE_WRAPPER). It compiles the crates of this workspace with coverage
# counters for libFuzzer and with debug assertions. Cargo keeps these builds apart from those without the
# wrapper, and uses the same dependencies for both.
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
