# Builds what is run and tested.

build() {
    echo "Building (the first time takes some minutes)"
    cargo build --release --workspace --locked
}
