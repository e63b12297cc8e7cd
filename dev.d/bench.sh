# Runs the benchmarks. --list shows the peers, and --install downloads what they need.

run_bench() {
    packages build demo
    echo "Building, as for the packages (the first build takes some minutes)"
    cargo build --profile dist --workspace --locked --lib --bins
    exec target/dist/chatpush-bench "$@"
}
