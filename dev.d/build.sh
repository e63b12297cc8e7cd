# Builds the workspace.

# Optimised, as it is tested.
build() {
    echo "Building (the first build takes some minutes)"
    cargo build --release --workspace --locked
}

# Only what the demo runs, and quickly: without optimisation, in target/debug.
build_demo() {
    echo "Building (the first time takes some minutes)"
    cargo build --locked -p chatpush -p chatpush-daemon -p chatpush-stack
}
