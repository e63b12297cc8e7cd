# The measurements. What a peer needs is said by --list and fetched by --install.

run_bench() {
    packages build demo
    build
    exec target/release/chatpush-bench "$@"
}
