# Builds the workspace.

build() {
    echo "Building (the first build takes some minutes)"
    cargo build --release --workspace --locked
}
