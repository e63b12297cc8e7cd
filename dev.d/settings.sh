# The files that are made from the daemon's table of settings.

# The tests that compare the files write them.
write_settings() {
    CHATPUSH_WRITE_SETTINGS=1 cargo test --quiet --locked -p chatpush-daemon --lib -- config::tests::files \
        && echo "chatpush.toml.example and docs/configuration.md are written"
}
