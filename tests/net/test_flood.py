"""Floods and bad input: one session goes on without loss, and nothing grows."""
import os
import random
import struct
import time

import lab
from harness import check, equal, test
from turnclient import (ALLOCATE, BINDING, CHANNEL_BIND, CHANNEL_NUMBER, CREATE_PERMISSION, DATA, INDICATION,
                        NONCE, REALM, REFRESH, REQUEST, SEND, UDP, USERNAME, Message, channel_data,
                        long_term_key, peer_address)

N_JUNK = 20000


class Pulse:
    """A session that relays one datagram each way whenever it is asked to, and must not lose any."""

    def __init__(self, t, client=None):
        self.client, self.peer, self.n = client or t.client(), t.peer(), 0
        self.client.allocate()
        self.client.bind(0x4000, *self.peer.getsockname())

    def beat(self):
        mark = b"pulse %d" % self.n
        self.n += 1
        self.client.send_channel(0x4000, mark)
        while True:
            data, source = self.peer.recvfrom(65536)
            if data == mark:
                break
            check(not data.startswith(b"pulse"), "lost: got %r, want %r", data, mark)
        self.peer.sendto(mark, source)
        while True:
            e = self.client.event()
            check(e is not None, "%r did not come back", mark)
            if e.data == mark and e.channel == 0x4000:
                return


def seeds(c):
    """Good messages to spoil; signed ones with a nonce that is good."""
    text = os.urandom(60)
    return [
        Message(BINDING, REQUEST).encode(fingerprint=True),
        Message(ALLOCATE, REQUEST, [UDP]).encode(),
        c.signed(ALLOCATE, [UDP]), c.signed(REFRESH), c.signed(CREATE_PERMISSION, [peer_address(lab.PEER, 1)]),
        c.signed(CHANNEL_BIND, [(CHANNEL_NUMBER, b"\x40\1\0\0"), peer_address(lab.PEER, 7)]),
        Message(SEND, INDICATION, [peer_address(lab.PEER, 9), (DATA, text)]).encode(),
        Message(SEND, INDICATION, [peer_address(lab.PEER6, 9), (DATA, text)]).encode(),
        channel_data(0x4000, b"junk" + text), channel_data(0x4001, text), b"\x16\xfe\xff" + text, text,
    ]


def spoiled(rng, good):
    """One way or another to break a message."""
    raw = bytearray(rng.choice(good))
    way = rng.randrange(7)
    if way == 0:
        return bytes(raw[:rng.randrange(len(raw) + 1)])
    if way == 1:
        for _ in range(rng.randrange(1, 9)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
    elif way == 2:
        struct.pack_into("!H", raw, 2, rng.choice([0, 1, 3, 4, 0x7FFC, 0xFFFC, 0xFFFF]))
    elif way == 3:
        at = rng.randrange(len(raw))
        raw[at:at] = rng.randbytes(rng.randrange(1, 40))
    elif way == 4:
        other = rng.choice(good)
        raw = raw[:rng.randrange(len(raw))] + other[rng.randrange(len(other)):]
    elif way == 5 and len(raw) > 24:
        # lengths of attributes, where the parser believes them
        struct.pack_into("!H", raw, rng.randrange(20, len(raw) - 3) & ~3 | 2, rng.choice([0, 1, 5, 0xFFFF, len(raw)]))
    else:
        return rng.randbytes(rng.randrange(0, 1500))
    return bytes(raw)


@test("%d mutated, truncated and random datagrams: a session relays without loss, memory stays" % N_JUNK,
      timeout=90, not_coturn="answers what has no magic cookie, as RFC 3489 did")
def junk(t):
    s = t.server()
    pulse = Pulse(t)
    seed = int(os.environ.get("TACITURN_TEST_SEED", random.randrange(1 << 30)))
    print("seed %d (TACITURN_TEST_SEED repeats it)" % seed)
    rng = random.Random(seed)
    sources = [t.client(), t.client(lab.CLI_B), t.client(lab.CLI6)]
    for c in sources:
        c.challenge()
    good = {c: seeds(c) for c in sources}
    good[pulse.client] = seeds(pulse.client)
    for c in good:
        c.sock.setblocking(True)
    rss = []
    for n in range(N_JUNK):
        c = rng.choice(list(good))
        c.send_raw(spoiled(rng, good[c]))
        if n % 20 == 0:
            pulse.beat()
        if n in (N_JUNK // 4, N_JUNK - 1):
            rss.append(s.rss_kib())
    pulse.client.refresh()
    if t.tag == "plain":
        check(rss[1] - rss[0] < 4096, "memory grew by %d KiB", rss[1] - rss[0])
    t.client().allocate()


@test("junk to a relayed port: dropped, and the session relays without loss")
def junk_from_peers(t):
    t.server()
    pulse = Pulse(t)
    strangers = [t.peer(lab.PEER_B) for _ in range(3)]
    rng = random.Random(7)
    for n in range(5000):
        rng.choice(strangers).sendto(rng.randbytes(rng.randrange(0, 1400)), pulse.client.relayed)
        if n % 20 == 0:
            pulse.beat()
    check(not pulse.client.events, "a stranger's data came through")


def count_answers(clients, raws, rounds):
    """How many of the requests were answered at all; each client's socket is drained as we go."""
    n = 0
    for _ in range(rounds):
        for c, raw in zip(clients, raws):
            for _ in range(10):
                c.send_raw(raw)
        # a round trip shows that they have been dealt with
        for c in clients:
            probe = Message(BINDING, REQUEST).encode()
            c.send_raw(probe)
            while True:
                got = c.recv_raw(5 * c.scale)
                check(got is not None, "no answer to Binding during the flood")
                if got[8:20] == probe[8:20]:
                    break
                n += 1
    return n


RATE = 10  # answers a second; ten times as many at once


def rationed(clients, raws):
    begin = time.monotonic()
    n = count_answers(clients, raws, 100 // len(clients))
    most = RATE * 10 + RATE * (time.monotonic() - begin + 1)
    check(n <= most, "%d of 1000 unauthenticated requests were answered, %d is the ration", n, most)
    check(n >= RATE * 5, "only %d answers", n)


@test("unauthenticated requests are rationed per source, and other sources are served",
      not_coturn="has no such thing")
def unauthenticated(t):
    t.server(unauthorized_ratelimit_rps=RATE, relay_threads=1)
    allocate = Message(ALLOCATE, REQUEST, [UDP]).encode()
    rationed([t.client()], [allocate])
    # one address, two ports: one source
    equal(count_answers([t.client()], [allocate], 1) <= RATE, True, "another port of the address is rationed too")
    t.client(lab.CLI_B).allocate()
    t.client(lab.CLI6).allocate()
    # an IPv6 /64 is one source
    rationed([t.client(lab.CLI6), t.client(lab.CLI6_B)], [allocate, allocate])


@test("the ration is the source's, not the worker's: more ports do not get more answers",
      not_coturn="has no such thing")
def rationed_over_workers(t):
    t.server(unauthorized_ratelimit_rps=RATE, relay_threads=2)
    # ten ports: the kernel deals them to both workers
    rationed([t.client() for _ in range(10)], [Message(ALLOCATE, REQUEST, [UDP]).encode()] * 10)


@test("wrong passwords and invented nonces are rationed too", not_coturn="has no such thing")
def wrong_credentials(t):
    t.server(unauthorized_ratelimit_rps=RATE, relay_threads=1)
    c = t.client()
    c.challenge()
    c.password = "wrong"
    rationed([c], [c.signed(ALLOCATE, [UDP])])
    c = t.client(lab.CLI_B)
    attrs = [UDP, (USERNAME, b"alice"), (REALM, b"taciturn.test"), (NONCE, b"obMatJos2AAAA" + b"x" * 30)]
    rationed([c], [Message(ALLOCATE, REQUEST, attrs).encode(long_term_key("alice", "taciturn.test", "wonderland"))])


@test("a crowd behind one address, all with good credentials, is not rationed", not_coturn="has no such thing")
def crowd(t):
    t.server(unauthorized_ratelimit_rps=1)
    for n in range(100):
        c = t.client()
        raw = Message(ALLOCATE, REQUEST, [UDP]).encode()
        answer = c.transact(raw, timeout=1, resend=False)
        check(answer is not None, "client %d got no challenge", n)
        c._learn(answer)
        answer = c.transact(c.signed(ALLOCATE, [UDP]), timeout=1, resend=False)
        check(answer is not None and answer.code == 0, "client %d got %s", n, answer)


@test("a running session is not rationed by a flood from its own address", not_coturn="has no such thing")
def session_in_flood(t):
    t.server(unauthorized_ratelimit_rps=RATE)
    pulse = Pulse(t)
    flood = t.client()
    for n in range(2000):
        flood.send_raw(Message(ALLOCATE, REQUEST, [UDP]).encode())
        if n % 20 == 0:
            pulse.beat()
            pulse.client.refresh()


@test("the log of a flood is short", not_coturn="logs each")
def log_is_short(t):
    s = t.server()
    pulse = Pulse(t)
    rng = random.Random(1)
    c = t.client()
    c.challenge()
    c.password = "wrong"
    size = len(s.log())
    for n in range(3000):
        c.send_raw(c.signed(ALLOCATE, [UDP]))
        c.send_raw(rng.randbytes(100))
        c.send_raw(Message(SEND, INDICATION, [peer_address(lab.PEER, 9), (DATA, b"x")]).encode())
        if n % 20 == 0:
            pulse.beat()
    check(len(s.log()) - size < 40000, "9000 datagrams made %d bytes of log", len(s.log()) - size)


@test("nothing is kept for a client that has not authenticated", not_coturn="keeps sessions")
def stateless(t):
    s = t.server(unauthorized_ratelimit=False)
    fds, rss = s.n_fds(), None
    raw = Message(ALLOCATE, REQUEST, [UDP]).encode()
    for n in range(1200):
        c = t.client()
        c.ask(raw)
        t.clients.remove(c)
        c.close()
        if n == 200:
            rss = s.rss_kib()
    equal(s.n_fds(), fds, "descriptors")
    if t.tag == "plain":
        check(s.rss_kib() - rss < 512, "memory grew by %d KiB", s.rss_kib() - rss)
