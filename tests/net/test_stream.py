"""Clients over TCP and TLS: programs of others, framing, and the life of a connection."""
import os
import re
import socket
import struct
import time

from aioice import turn

import lab
from harness import check, equal, test
from test_aioice import Inbox, echo, run
from test_clients import end_load, start_load, with_peer
from turnclient import (ADDITIONAL_FAMILY, ALLOCATE, BINDING, CHANNEL_BIND, CHANNEL_NUMBER, CREATE_PERMISSION,
                        DATA, INDICATION, IPV6, REFRESH, REQUEST, SEND, UDP, Message, channel_data,
                        peer_address)

BOTH = ((False, "TCP"), (True, "TLS"))


def served(t, **conf):
    """A server for TCP on 3478 and TLS on 5349; one worker, that the order of things is known."""
    cert, pkey = t.certificate()
    return t.server(**dict(cert=cert, pkey=pkey, no_tls=False, relay_threads=1) | conf)


# --- programs of others

RECORD = re.compile(r"session_end .*rx_packets=(\d+) rx_bytes=(\d+) tx_packets=(\d+) tx_bytes=(\d+) dropped=(\d+)")


def handed_on(t, s, loads):
    """By the server's records every session of these loads was given back all that it sent."""
    def records():
        found = [[int(n) for n in r] for r in RECORD.findall(s.log())]
        return sorted(r for r in found if any(r))  # uclient's probes send nothing

    n = sum(p.clients for p in loads)
    t.until(lambda: len(records()) >= n, "%d sessions have ended" % n)
    each = [(p.messages // p.clients, p.size) for p in loads for _ in range(p.clients)]
    equal(records(), sorted([n, n * size, n, n * size, 0] for n, size in each), "the sessions' records")


def uclients(t, secure, pause):
    """One load of each kind, all at once, for each of them mostly waits. uclient's TLS reader takes a
    record for a message: of several that share one it counts the first, and they share one where the
    machine is late by a pause. So with TLS it must see most, and the server's records must show all;
    that the bytes of a record arrive is for the tests of framing, whose client reads them."""
    s = served(t, rfc5766_channel_numbers=True, relay_threads=2)
    with_peer(t, lab.PEER)
    common = dict(port=5349 if secure else 3478, pause=pause, messages=40)
    to_peer, pair = ("-e", lab.PEER, "-r", "3480"), ("-y", "-c")
    kinds = [("-X", *to_peer), ("-X", "-s", *to_peer), ("-X", "-D", *to_peer), ("-X", *pair), ("-X", "-s", *pair)]
    loads = [start_load(t, "-t", *secure, *kind, size=size, **common)
             for kind, size in zip(kinds, (171, 100, 333, 1200, 170))]
    loads.append(start_load(t, "-t", *secure, "-x", *pair, server=lab.SRV6, **common))
    for p in loads:
        end_load(t, p, may_miss=p.messages // 2 if secure and t.kind == "taciturn" else 0)
    if t.kind == "taciturn":
        handed_on(t, s, loads)


@test("turnutils_uclient -t: channels, indications, client to client, IPv6; nothing lost", timeout=60)
def uclient_tcp(t):
    uclients(t, [], 10)


@test("turnutils_uclient -t -S: channels, indications, client to client, IPv6; nothing lost", timeout=60)
def uclient_tls(t):
    uclients(t, ["-S"], 40)


def aioice_endpoint(t, **kw):
    peers = [t.peer(), t.peer(lab.PEER_B)]

    async def story():
        transport, inbox = await turn.create_turn_endpoint(Inbox, username="alice", password="wonderland",
                                                           transport="tcp", **kw)
        for peer in peers:
            for size in (0, 1, 2, 3, 100, 1200):
                await echo(t, transport, inbox, peer, bytes(range(256)) * 5 + bytes(size))
        transport.close()
        equal(await inbox.queue.get(), None, "end of the transport")

    run(t, t.lab.cli, story())


@test("python3-aioice over TCP and TLS, IPv4 and IPv6: data both ways to two peers")
def aioice_streams(t):
    served(t, user_quota=1)
    for host in (lab.SRV, lab.SRV6):
        aioice_endpoint(t, server_addr=(host, 3478))
        aioice_endpoint(t, server_addr=(host, 5349), ssl=t.trusting())



# --- framing

class Script:
    """20 messages of one session as they lie on the wire, and what they must bring about. They can
    be sent again and again."""

    N_DATA = 12

    def __init__(self, c, peer):
        ip, port = at = peer.getsockname()
        channel = (CHANNEL_NUMBER, b"\x40\x00\0\0")
        self.client, self.peer, self.asked, self.data = c, peer, [], []
        pieces = []

        def ask(raw):
            self.asked.append(raw[8:20])
            pieces.append(raw)

        ask(Message(BINDING, REQUEST).encode())
        ask(c.signed(CREATE_PERMISSION, [peer_address(ip, 0)]))
        ask(c.signed(CHANNEL_BIND, [channel, peer_address(*at)]))
        for n in range(8):
            self.data.append(bytes([n]) * n)
            raw = channel_data(0x4000, self.data[-1])
            pieces.append(raw + bytes(-len(raw) % 4))
        ask(c.signed(REFRESH))
        for n in range(4):
            self.data.append(b"sent %d" % n + b"." * n)
            pieces.append(Message(SEND, INDICATION, [peer_address(*at), (DATA, self.data[-1])]).encode())
        pieces.append(channel_data(0x4FFE, b"no such channel."))
        ask(Message(BINDING, REQUEST).encode(fingerprint=True))
        ask(c.signed(CHANNEL_BIND, [channel, peer_address(*at)]))
        ask(c.signed(REFRESH))
        equal((len(pieces), len(self.data)), (20, self.N_DATA), "messages of the script")
        self.raw, self.starts = b"".join(pieces), pieces

    def verify(self, what):
        """All answers in order, and all data at the peer, once each."""
        for tid in self.asked:
            raw = self.client.recv_raw(5 * self.client.scale)
            check(raw is not None, "%s: an answer is missing", what)
            answer = Message.decode(raw)
            equal((answer.tid, answer.code), (tid, 0), what)
        for data in self.data:
            equal(self.peer.recv(100), data, what)


def script(t, tls):
    c = t.stream(tls=tls)
    c.allocate()
    return Script(c, t.peer())


def every_split(t, tls):
    served(t, stale_nonce=0)
    s, clock = script(t, tls), t.client()
    cut = range(1, len(s.raw))
    for at in cut:
        s.client.send_bytes(s.raw[:at])
        # the one worker has seen to the first part when it has answered twice on another socket
        for _ in range(2):
            clock.ask(Message(BINDING, REQUEST).encode())
        s.client.send_bytes(s.raw[at:])
        s.verify("cut at %d" % at)
    print("%d places" % len(cut))


@test("a script of 20 messages over TCP, cut at every place", timeout=60)
def every_split_tcp(t):
    every_split(t, False)


@test("a script of 20 messages over TLS, cut at every place", timeout=60)
def every_split_tls(t):
    every_split(t, True)


@test("a byte at a time, and all at once many times over", timeout=40,
      not_coturn="does not read on what TLS has decrypted already")
def bytes_and_batches(t):
    server = served(t)
    for tls, what in BOTH:
        s = script(t, tls)
        for i in range(len(s.raw)):
            s.client.send_bytes(s.raw[i:i + 1])
        s.verify(what + ", byte by byte")
        # as many TLS records as there are bytes, all there before the first is read
        with server.held():
            for i in range(len(s.raw)):
                s.client.send_bytes(s.raw[i:i + 1])
        s.verify(what + ", byte by byte, read at once")
        for n in (2, 30):
            s.client.send_bytes(s.raw * n)
            for i in range(n):
                s.verify("%s, %d at once: number %d" % (what, n, i))


@test("lengths 0 to 7 and larger ones, both ways, padded to 4: channels and indications",
      not_coturn="pads with what lies in its memory")
def lengths(t):
    served(t)
    for tls, what in BOTH:
        c, bound, free = t.stream(tls=tls), t.peer(), t.peer()
        c.allocate()
        c.permit(lab.PEER)
        c.bind(0x4000, *bound.getsockname())
        for size in [*range(8), 1199, 1200, 1201, 4096]:
            data = os.urandom(size)
            for peer, send in ((bound, lambda: c.send_channel(0x4000, data)),
                               (free, lambda: c.send(*free.getsockname(), data))):
                send()
                equal(peer.recvfrom(5000), (data, c.relayed), "%s, %d bytes, what the peer got" % (what, size))
                peer.sendto(data, c.relayed)
            got = [c.event(), c.event()]
            equal({(e.channel, e.peer, e.data) for e in got},
                  {(0x4000, None, data), (None, free.getsockname(), data)}, "%s, %d bytes, back" % (what, size))


@test("the largest datagrams both ways; what cannot be a datagram or a message is dropped, in step", timeout=40,
      not_coturn="relays what fits its own buffers")
def largest(t):
    s = served(t)
    for tls, what in BOTH:
        c = t.stream(tls=tls)
        c.allocate((ADDITIONAL_FAMILY, IPV6))
        for ip, relayed, most, most_ind in ((lab.PEER, c.relayed, 65507, 65507), (lab.PEER6, c.relayed6, 65527, 65504)):
            bound, free = t.peer(ip), t.peer(ip)
            c.permit(ip)
            number = 0x4000 if ip == lab.PEER else 0x4001
            c.bind(number, *bound.getsockname()[:2])
            for size in (most, most + 1, 65535):
                c.send_channel(number, bytes(size))
            c.send_channel(number, b"behind it")
            equal(len(bound.recv(70000)), most, what + ", the largest over a channel")
            equal(bound.recv(70000), b"behind it", what + ", what follows what is too large")
            c.send(*free.getsockname()[:2], bytes(min(most_ind, 65500)))
            equal(len(free.recv(70000)), min(most_ind, 65500), what + ", the largest in an indication")
            bound.sendto(b"\x11" * most, relayed)
            c.expect_data(b"\x11" * most, channel=number)
            # a Data indication's length has 16 bits: past that there is no such message
            for size in (most_ind, most):
                free.sendto(b"\x11" * size, relayed)
            free.sendto(b"behind it", relayed)
            c.expect_data(b"\x11" * most_ind, peer=free.getsockname()[:2])
            if most > most_ind:
                c.expect_data(b"behind it", peer=free.getsockname()[:2])
            else:
                c.expect_data(b"\x11" * most, peer=free.getsockname()[:2])
                c.expect_data(b"behind it", peer=free.getsockname()[:2])
    s.stop()

# --- the life of a connection

def ended(c, event, reason):
    """The pattern of the log's line about this client's end."""
    return r"%s (session=\S+ )?client=%s .*reason=%s\s" % (event, re.escape(c.name), reason)


@test("a session ends with its connection, closed, half closed or reset: logged, its port given back", timeout=40,
      not_coturn="logs it otherwise")
def ends_with_connection(t):
    s = served(t, min_port=50000, max_port=50000, verbose=True)  # one port: the next needs the one before's
    for tls, what in BOTH:
        for how, reason in (("closed", "closed"), ("half", "closed"), ("reset", "(error|tls_failed)")):
            c = t.stream(tls=tls)
            c.allocate()
            t.stream(lab.CLI_B, tls=tls).allocate(code=508)
            if how == "reset":
                c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if how != "half":
                c.sock.close()
            elif tls:
                c.sock.unwrap()
            else:
                c.sock.shutdown(socket.SHUT_WR)
            s.wait_log(ended(c, "session_end", "closed"), 5)
            s.wait_log(ended(c, "conn_end", reason), 5)
    t.stream().allocate()
    fds = s.n_fds()
    for c in t.clients:
        c.close()
    t.until(lambda: s.n_fds() <= fds - 8, "the descriptors are given back")


@test("after Refresh 0 the same connection allocates again, or is closed at max-allocate-timeout",
      not_coturn="ends the connection with its allocation")
def life_after_allocation(t):
    s = served(t, max_allocate_timeout=2)
    for tls, what in BOTH:
        c, peer = t.stream(tls=tls), t.peer()
        for n in range(3):
            c.allocate()
            c.bind(0x4000, *peer.getsockname())
            c.send_channel(0x4000, b"turn %d" % n)
            equal(peer.recvfrom(100), (b"turn %d" % n, c.relayed), what)
            c.relayed = None
            c.refresh(0)
            # its channel is of an allocation that is no more: dropped, and the connection goes on
            c.send_channel(0x4000, b"nobody's")
    holder = t.stream()
    holder.allocate()
    idle = [t.stream(tls=tls) for tls, _ in BOTH]
    began = time.monotonic()
    old = [t.stream(tls=tls) for tls, _ in BOTH]
    for c in old:
        c.allocate()
        c.refresh(0)
    # a Binding is not an allocation: it does not prolong what idles
    for c in old + idle:
        c.ask(Message(BINDING, REQUEST).encode())
    for c in old + idle:
        c.await_end()
        check(time.monotonic() - began > 1.8, "closed early")
        s.wait_log(r"conn_end client=\S+ transport=\S+ reason=no_allocation_in_time", 2)
    check(time.monotonic() - began < 4 * t.scale, "closed late")
    holder.refresh()


@test("stream-queue-ms: what a slow client is sent waits that long, and no longer",
      not_coturn="has no such option")
def queue_time(t):
    t.net()
    t.lab.cli.exec("sysctl", "-qw", "net.ipv4.tcp_rmem=4096 8192 16384")  # all else waits at the server
    for patience in (60000, 50):
        s = served(t, stream_queue_ms=patience)
        for tls, what in BOTH:
            c, peer, clock = t.stream(tls=tls), t.peer(), t.client()
            c.allocate()
            c.bind(0x4000, *peer.getsockname())
            for n in range(1500):
                peer.sendto(b"%08d" % n + bytes(1192), c.relayed)
                if n % 50 == 0:  # the server keeps up
                    clock.ask(Message(BINDING, REQUEST).encode())
            time.sleep(0.3)  # time itself is what is tried here
            peer.sendto(b"%08d" % 1500, c.relayed)
            got = [c.expect_channel(0x4000)]
            while got[-1][:8] != b"00001500":
                got.append(c.expect_channel(0x4000))
            numbers = [int(g[:8]) for g in got]
            if patience == 60000:
                equal(numbers, list(range(1501)), what + ", what came")
            else:
                check(len(numbers) < 1000, "%s: %d of 1500 came, late", what, len(numbers))
                equal(numbers, sorted(set(numbers)), what + ", the order of what came")
            c.refresh(0)
            s.wait_log(ended(c, "session_end", r"\S+ .*dropped=%d" % (1501 - len(numbers))), 2)
        s.stop()


@test("an allocation that is refused leaves the connection as it was: it is not counted once more",
      not_coturn="has no such bound")
def refused_allocations(t):
    served(t, min_port=50000, max_port=50000)
    t.stream().allocate()
    c = t.stream()
    for _ in range(1100):  # more than one source may have connections
        c.allocate(code=508)
    t.stream().allocate(code=508)


@test("an allocation, a channel and data in one segment: all answered in order, the data relayed",
      not_coturn="its nonces are of one connection")
def pipelined(t):
    served(t)
    guide = t.stream()
    guide.challenge()
    for tls, what in BOTH:
        c, peer = t.stream(tls=tls), t.peer()
        c.realm, c.nonce = guide.realm, guide.nonce  # nonces are of the address, not of the port
        asked = [c.signed(ALLOCATE, [UDP]), c.signed(CREATE_PERMISSION, [peer_address(lab.PEER, 0)]),
                 c.signed(CHANNEL_BIND, [(CHANNEL_NUMBER, b"\x40\0\0\0"), peer_address(*peer.getsockname())])]
        data = [b"number %d" % n for n in range(20)]
        c.send_bytes(b"".join(asked) + b"".join(channel_data(0x4000, d, True) for d in data) +
                     Message(SEND, INDICATION, [peer_address(*peer.getsockname()), (DATA, b"last")]).encode())
        for raw in asked:
            answer = Message.decode(c.recv_raw(5 * t.scale))
            equal((answer.tid, answer.code), (raw[8:20], 0), what)
        for d in data + [b"last"]:
            equal(peer.recv(100), d, what)


@test("TCP to TLS and to UDP on one server: data through both relayed ends, IPv4 and IPv6",
      not_coturn="pads with what lies in its memory")
def hairpin(t):
    served(t)
    kinds = {"tcp": lambda ip: t.stream(ip), "tls": lambda ip: t.stream(ip, tls=True), "udp": t.client}
    for one, other, ip in (("tcp", "udp", lab.CLI), ("tls", "udp", lab.CLI6), ("tcp", "tls", lab.CLI),
                           ("tls", "tls", lab.CLI), ("tcp", "tcp", lab.CLI6)):
        a, b = kinds[one](ip), kinds[other](ip)
        a.allocate()
        b.allocate()
        a.bind(0x4000, *b.relayed)
        b.permit(a.relayed[0])
        for n in range(50):
            a.send_channel(0x4000, b"to b %d" % n)
            b.expect_data(b"to b %d" % n, peer=a.relayed)
            b.send(*a.relayed, b"to a %d" % n)
            a.expect_data(b"to a %d" % n, channel=0x4000)


@test("TLS on the plain port and plain TCP on the TLS port are served too")
def either_port(t):
    served(t)
    for tls, port in ((True, 3478), (False, 5349)):
        c, peer = t.stream(tls=tls, server=(lab.SRV, port)), t.peer()
        c.allocate()
        c.bind(0x4000, *peer.getsockname())
        c.send_channel(0x4000, b"told apart")
        equal(peer.recv(100), b"told apart", "what the peer got")


def refused(t, port, ip=lab.SRV):
    try:
        t.lab.cli.tcp(lab.CLI, (ip, port)).close()
    except ConnectionRefusedError:
        return True
    return False


@test("no-tcp, no-tls, no-udp and a TLS port of one's own: what is switched off is not there", timeout=40)
def switched_off(t):
    cert, pkey = t.certificate()
    common = dict(cert=cert, pkey=pkey, no_tls=False)
    s = t.server(no_udp=True, **common)
    t.stream().allocate()
    t.stream(tls=True).allocate()
    check(not t.client().serving(), "UDP is served in spite of no-udp")
    s.stop()
    s = t.server(no_tcp=True, tls_listening_port=443, **common)
    t.stream(tls=True, server=(lab.SRV, 443)).allocate()
    t.client().allocate()
    check(refused(t, 3478) and refused(t, 5349), "a TCP port is open in spite of no-tcp")
    s.stop()
    s = t.server(no_tls=True, cert=cert, pkey=pkey, verbose=True)
    t.stream().allocate()
    check(refused(t, 5349), "the TLS port is open in spite of no-tls")
    if t.kind == "taciturn":
        c = t.stream()
        c.send_bytes(b"\x16\x03\x01\0\x05hello")
        c.await_end()
        s.wait_log(ended(c, "conn_end", "tls_without_certificate"), 2)
