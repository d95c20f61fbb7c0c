#!/usr/bin/python3
"""aiortc as a client of the relay: two peer connections that may use relayed candidates only, the
signalling between them in this process. Messages there and back over a data channel, and one line of
JSON about it. Argument: JSON with url, username, credential, messages."""
import asyncio
import json
import sys

import aiortc
from aioice.ice import TransportPolicy


def text(n):
    return "message %d " % n + "x" * (n * 7 % 1000)


def agent(pc):
    """The ICE agent below; it has no other handle, and no policy for who asks through aiortc."""
    return pc.sctp.transport.transport.iceGatherer._connection


def connection(options):
    server = aiortc.RTCIceServer(options["url"], options["username"], options["credential"])
    return aiortc.RTCPeerConnection(aiortc.RTCConfiguration([server]))


async def described(one, other, description):
    agent(one)._transport_policy = TransportPolicy.RELAY
    await one.setLocalDescription(description)
    await other.setRemoteDescription(one.localDescription)


async def call(options):
    a, b = connection(options), connection(options)
    received, in_order, echoed = 0, True, asyncio.get_running_loop().create_future()
    channel = a.createDataChannel("test")

    @b.on("datachannel")
    def on_datachannel(other):
        other.on("message", other.send)

    @channel.on("open")
    def on_open():
        for n in range(options["messages"]):
            channel.send(text(n))

    @channel.on("message")
    def on_message(said):
        nonlocal received, in_order
        in_order &= said == text(received)
        received += 1
        if received == options["messages"]:
            echoed.set_result(None)

    await described(a, b, await a.createOffer())
    await described(b, a, await b.createAnswer())
    await echoed
    pairs = [[{"type": c.type, "ip": c.host} for c in (pair.local_candidate, pair.remote_candidate)]
             for pair in (agent(pc)._nominated[1] for pc in (a, b))]
    candidates = [c.type for pc in (a, b) for c in agent(pc).local_candidates]
    await a.close()
    await b.close()
    return {"received": received, "in_order": in_order, "candidates": candidates, "pairs": pairs}


if __name__ == "__main__":
    print("RESULT " + json.dumps(asyncio.run(call(json.loads(sys.argv[1])))), flush=True)
