# The demo in a real browser.

browser_library() {
    # The browser itself is the system's; only the library that drives it comes from npm.
    (cd tests/browser && npm ci --no-audit --no-fund --loglevel=error)
}

# The client, with everything around it under the tests' control.
client_tests() {
    (cd js && npm ci --no-audit --no-fund --loglevel=error && node --test --test-reporter=tap test/*.test.mjs)
}

build_client() {
    (cd js && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build)
}

browser_tests() {
    browser_library \
        && target/release/chatpush-stack run --demo -- node --test --test-reporter=tap tests/browser/*.test.mjs
}

take_picture() {
    browser_library \
        && target/release/chatpush-stack run --demo -- node tests/browser/picture.mjs docs/demo.png docs/demo-phone.png \
        && echo "docs/demo.png and docs/demo-phone.png are written"
}
