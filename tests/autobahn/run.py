"""Runs the cases of the Autobahn test suite that apply to a server without echo, against a running daemon.

Usage: run.py CASE… [--exclude CASE…]   with CHATPUSH_TEST_WS_URL and CHATPUSH_TEST_SECRET in the environment.

The daemon sends no client its own text back, so what a case expects as an echo is taken out of it, and so is
what the daemon sends by itself (the unread counter). Pongs, close codes, and who ends the connection how
remain. The last two lines are counts, as TAP has them.
"""

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import os
import sys
import time

import kosoku
from kosoku._caseindex import initialize_shims


def token(secret: str) -> str:
    """A connect token of user 1 for an hour (RFC 7519)."""

    def encode(part: bytes) -> str:
        return base64.urlsafe_b64encode(part).rstrip(b"=").decode()

    claims = {"sub": "1", "exp": int(time.time()) + 3600}
    signed = ".".join(encode(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims))
    return f"{signed}.{encode(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"


def expect_no_echo() -> None:
    """Takes messages out of what the cases receive and expect."""
    initialize_shims()
    from case import Case

    compare = Case.onConnectionLost

    def on_connection_lost(self, failed_by_me):
        for behavior, events in self.expected.items():
            self.expected[behavior] = [event for event in events if event[0] != "message"]
        compare(self, failed_by_me)

    Case.onMessage = lambda self, message, binary: None
    Case.onConnectionLost = on_connection_lost


async def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="+")
    parser.add_argument("--exclude", nargs="*", default=[])
    options = parser.parse_args()
    expect_no_echo()
    url = f"{os.environ['CHATPUSH_TEST_WS_URL']}?token={token(os.environ['CHATPUSH_TEST_SECRET'])}"
    try:
        results = await kosoku.run_fuzzingclient(url, options.cases, options.exclude, concurrency=8)
    except kosoku.FailureError as failure:
        results = failure.results
    for case in results:
        verdict = "ok" if case.passed else "not ok"
        print(f"{verdict} {case.case_id}: {case.description.strip()}")
        if not case.passed:
            print(f"  {case.behavior.value}: {case.result}\n  {case.behavior_close.value}: {case.result_close}")
            print(f"  expected {case.expected} {case.expected_close}, received {case.received}")
    failed = sum(not case.passed for case in results)
    print(f"# pass {len(results) - failed}\n# fail {failed}")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
