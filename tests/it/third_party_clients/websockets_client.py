# A client in Python with the library websockets, written as in its documentation. It prints the type and the
# content of each message until the content "end". The library answers pings.
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
                # Lets the library answer the last ping.
                await asyncio.sleep(0)
                return


asyncio.run(main(sys.argv[1]))
