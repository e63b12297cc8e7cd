# Runs the benchmarks. --list shows the peers, and --install downloads what they need.

run_bench() {
    packages build demo
    build
    exec target/release/chatpush-bench "$@"
}
