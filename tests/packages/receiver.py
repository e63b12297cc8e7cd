"""Receives and confirms messages, over one of the ports that answers, and writes each down once.

Usage: receiver.py TOKEN PORT...
"""
import asyncio
import itertools
import json
import sys

import websockets

token, ports = sys.argv[1], sys.argv[2:]
seen = set()


async def receive(port):
    """Until the connection ends. Whatever was not confirmed by then comes again."""
    address = f"ws://127.0.0.1:{port}/ws?token={token}"
    async with websockets.connect(address, subprotocols=["chatpush.v1"]) as socket:
        async for text in socket:
            frame = json.loads(text)
            if "id" not in frame or "data" not in frame:
                continue
            if frame["id"] not in seen:
                seen.add(frame["id"])
                with open("/tmp/received", "a") as file:
                    file.write(frame["data"] + "\n")
            await socket.send(json.dumps({"ack": [frame["id"]]}))


async def main():
    for port in itertools.cycle(ports):
        try:
            await receive(port)
        except (OSError, websockets.WebSocketException):
            await asyncio.sleep(0.05)


asyncio.run(main())
