# The Autobahn test suite for WebSocket servers.

KOSOKU_VERSION=0.1.0

# A native runner of Autobahn's case files, from PyPI, in a folder of its own.
kosoku() {
    [ "$(cat target/tools/kosoku/version 2>/dev/null)" != "$KOSOKU_VERSION" ] || return 0
    packages autobahn
    echo "Installing kosoku $KOSOKU_VERSION, which runs the cases of the Autobahn test suite"
    rm -rf target/tools/kosoku
    if ! python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --target target/tools/kosoku "kosoku==$KOSOKU_VERSION"; then
        echo "It needs Python 3.10 or newer, and PyPI" >&2
        exit 1
    fi
    echo "$KOSOKU_VERSION" >target/tools/kosoku/version
}

# Pings, reserved bits, opcodes, fragments, and the closing handshake. The first case of 7 waits for an echo
# before it closes.
autobahn_tests() {
    PYTHONPATH=target/tools/kosoku target/release/chatpush-stack run -- \
        python3 tests/autobahn/run.py '2.*' '3.*' '4.*' '5.*' '7.*' --exclude 7.1.1
}
