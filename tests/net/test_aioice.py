"""Debian's python3-aioice against the server."""
import asyncio

import aioice
from aioice import turn

import lab
from harness import equal, test

WHO = ("alice", "wonderland")


def run(t, ns, story):
    """An asyncio story whose sockets are in a namespace."""
    async def timed():
        return await asyncio.wait_for(story, 20 * t.scale)
    with ns.entered():
        return asyncio.run(timed())


class Inbox(asyncio.DatagramProtocol):
    def __init__(self):
        self.queue = asyncio.Queue()

    def datagram_received(self, data, addr):
        self.queue.put_nowait((data, addr[:2]))

    def connection_lost(self, exc):
        self.queue.put_nowait(None)


async def echo(t, transport, inbox, peer, payload):
    """One datagram to the peer and back."""
    loop = asyncio.get_running_loop()
    transport.sendto(payload, peer.getsockname()[:2])
    data, source = await loop.run_in_executor(None, peer.recvfrom, 65536)
    equal(data, payload, "what the peer got")
    equal(source[:2], tuple(transport.get_extra_info("sockname")), "whom the peer sees")
    peer.sendto(data[::-1], source)
    equal(await asyncio.wait_for(inbox.queue.get(), 5 * t.scale),
          (payload[::-1], peer.getsockname()[:2]), "what the client got")


@test("data both ways through an allocation, to two peers, and it is deleted at the end")
def turn_endpoint(t):
    # one allocation for alice: were it not deleted at the end, the next would be refused
    t.server(user_quota=1)
    peers = [t.peer(), t.peer(lab.PEER_B)]

    async def story():
        transport, inbox = await turn.create_turn_endpoint(Inbox, (lab.SRV, 3478), *WHO)
        equal(transport.get_extra_info("sockname")[0], lab.RELAY, "relayed address")
        for peer in peers:
            for size in (1, 3, 100, 1200):
                await echo(t, transport, inbox, peer, bytes(range(256)) * 5 + bytes(size))
        transport.close()
        equal(await inbox.queue.get(), None, "end of the transport")

    run(t, t.lab.cli, story())
    if t.kind == "taciturn":  # the stand-in gives quota back a little later
        t.client().allocate()


@test("a channel is refreshed and goes on carrying data")
def channel_refresh(t):
    t.server()
    peer = t.peer()

    async def story():
        # every datagram is later than the refresh time, so each binds the channel again
        transport, inbox = await turn.create_turn_endpoint(Inbox, (lab.SRV, 3478), *WHO,
                                                           channel_refresh_time=0)
        for n in range(5):
            await echo(t, transport, inbox, peer, b"refresh %d" % n)
        transport.close()
        await inbox.queue.get()

    run(t, t.lab.cli, story())


@test("a wrong password is refused")
def wrong_password(t):
    t.server()

    async def story():
        try:
            await turn.create_turn_endpoint(Inbox, (lab.SRV, 3478), "alice", "wrong")
        except aioice.stun.TransactionFailed as e:
            return e.response.attributes["ERROR-CODE"][0]
        return 0

    equal(run(t, t.lab.cli, story()), 401, "error code")


async def connected_pair(server, use_ipv6):
    """Two ICE agents that may use relayed candidates only."""
    def agent(controlling):
        return aioice.Connection(ice_controlling=controlling, turn_server=server, turn_username="alice",
                                 turn_password="wonderland", use_ipv4=not use_ipv6, use_ipv6=use_ipv6,
                                 transport_policy=aioice.ice.TransportPolicy.RELAY)
    a, b = agent(True), agent(False)
    for one in (a, b):
        await one.gather_candidates()
        equal({c.type for c in one.local_candidates}, {"relay"}, "types of candidates")
    for one, other in ((a, b), (b, a)):
        for candidate in other.local_candidates:
            await one.add_remote_candidate(candidate)
        await one.add_remote_candidate(None)
        one.remote_username, one.remote_password = other.local_username, other.local_password
    await asyncio.gather(a.connect(), b.connect())
    return a, b


@test("two ICE agents behind relayed candidates talk through the relay")
def ice_pair(t):
    t.server()

    async def story():
        a, b = await connected_pair((lab.SRV, 3478), False)
        for n in range(200):
            await a.send(b"ping %d" % n)
            equal(await b.recv(), b"ping %d" % n, "what b got")
            await b.send(b"pong %d" % n)
            equal(await a.recv(), b"pong %d" % n, "what a got")
        await a.close()
        await b.close()

    run(t, t.lab.cli, story())


@test("a peer's data before any channel, to an aioice client's 5-tuple, does not disturb it")
def early_data(t):
    t.server()
    peer = t.peer()

    async def story():
        transport, inbox = await turn.create_turn_endpoint(Inbox, (lab.SRV, 3478), *WHO)
        relayed = transport.get_extra_info("sockname")
        # no permission yet: dropped
        peer.sendto(b"too early", relayed)
        await echo(t, transport, inbox, peer, b"first")
        # a permitted address from a port without channel: a Data indication, which aioice ignores
        other = t.peer()
        other.sendto(b"an indication", relayed)
        await echo(t, transport, inbox, peer, b"second")
        transport.close()
        await inbox.queue.get()

    run(t, t.lab.cli, story())
