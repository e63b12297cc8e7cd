# The tests of the browser client, and of the demo in a browser.

browser_library() {
    # Only libraries come from npm: one that controls the browser, and WebSockets. The browsers are system packages.
    (cd tests/browser && npm ci --no-audit --no-fund --loglevel=error)
}

# Unit tests of the client, with a simulated browser.
client_tests() {
    (cd js && npm ci --no-audit --no-fund --loglevel=error && node --test --test-reporter=tap test/*.test.mjs)
}

build_client() {
    (cd js && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build)
}

browser_tests() {
    browser_library && target/release/chatpush-stack run --demo -- \
        node --test --test-reporter=tap tests/browser/*.test.mjs
}

# Notifications in Firefox: Chromium subscribes only at its own push service.
firefox_tests() {
    browser_library && node --test --test-reporter=tap tests/browser/firefox/*.test.mjs
}

take_picture() {
    browser_library \
        && target/release/chatpush-stack run --demo -- \
            node tests/browser/picture.mjs docs/demo.png docs/demo-phone.png \
        && target/release/chatpush-stack run --demo -- \
            node tests/browser/admin-picture.mjs docs/admin.png docs/admin-phone.png \
        && echo "the pictures in docs/ are written"
}
