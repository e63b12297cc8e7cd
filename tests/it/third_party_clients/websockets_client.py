# A client of another language: Python's websockets, as its documentation shows it. Reads messages as JSON until
# the one that says "end", printing each content; the library answers pings by itself.
import asyncio
import json
import sys

import websockets


async def main(url):
    async with websockets.connect(url) as socket:
        print("connected", flush=True)
        async for frame in socket:
            message = json.loads(frame)
            print(message["type"], message["data"], flush=True)
            if message["data"] == "end":
                # A moment for the pong to what came last.
                await asyncio.sleep(0)
                return


asyncio.run(main(sys.argv[1]))
