"""Bad input, slow and hostile clients on the TCP and TLS ports: each a clear outcome, and nothing
lost for anyone else."""
import contextlib
import os
import random
import select
import ssl
import struct
import time

import lab
from harness import check, equal, test
from newcomers import FILES, room_for_sockets
from test_flood import Pulse, seeds, spoiled
from test_stream import BOTH, ended, served
from turnclient import BINDING, COOKIE, REFRESH, REQUEST, Message, channel_data


def stun(kind, length, cookie=COOKIE):
    return struct.pack("!HHI", kind, length, cookie) + bytes(12)


class Crowd:
    """Those who must not notice: a session over each of UDP, TCP and TLS."""

    def __init__(self, t):
        self.all = [Pulse(t, c) for c in (t.client(), t.stream(), t.stream(tls=True))]

    def beat(self):
        for p in self.all:
            p.beat()


# --- bad input

NEVER_TURN = {
    "garbage": b"\xff\x00garbage" * 9, "zeros": bytes(64),
    "SSH": b"SSH-2.0-OpenSSH_9.2p1\r\n", "SMTP": b"EHLO there\r\n", "SOCKS": b"\x05\x01\0",
    "RDP": b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0", "a wrong cookie": stun(1, 0, 0x2112A443),
    "a length that is not a multiple of 4": stun(1, 3) + bytes(8),
    "64 KiB of a wrong cookie": stun(1, 65532, 1) + bytes(65532),
    "ChannelData of 64 KiB without a session": channel_data(0x4000, bytes(65535), True),
}


def bad_end(t, s, c, raw, reason):
    with contextlib.suppress(ConnectionError, ssl.SSLError):  # closed while it is still talking
        c.send_bytes(raw)
    equal(c.await_end(), [], "answers to it")
    s.wait_log(ended(c, "conn_end", reason), 2)


@test("garbage, HTTP, SSH and others' protocols on the TCP and TLS ports and under TLS: closed, logged", timeout=60,
      not_coturn="keeps such connections")
def bad_input(t):
    s = served(t, verbose=True)
    crowd = Crowd(t)
    for what, raw in NEVER_TURN.items():
        print(what)
        for c in (t.stream(), t.stream(server=(lab.SRV, 5349)), t.stream(tls=True)):
            bad_end(t, s, c, raw, "not_turn")
            crowd.beat()
    for c in (t.stream(), t.stream(server=(lab.SRV, 5349)), t.stream(tls=True)):
        with contextlib.suppress(ConnectionError):  # whether there is a page for a browser is another test's
            c.send_bytes(b"GET / HTTP/1.1\r\nHost: turn\r\n\r\n")
            while c.sock.recv(4096):
                pass
        c.close()
        s.wait_log(ended(c, "conn_end", "(not_turn|closed)"), 2)
        crowd.beat()
    for what, raw in (("no ClientHello", b"\x16\x03\x01\0\x30" + bytes(48)),
                      ("a record of 64 KiB", b"\x16\x03\x01\xff\xff" + bytes(65535)),
                      ("SSL 3.0", b"\x16\x03\0\0\x2d\x01\0\0\x29\x03\0" + bytes(33) + b"\0\x02\0\x2f\x01\0")):
        print(what)
        for port in (3478, 5349):
            c = t.stream(server=(lab.SRV, port))
            with contextlib.suppress(ConnectionError):
                c.send_bytes(raw)
                while c.sock.recv(4096):  # an alert
                    pass
            s.wait_log(ended(c, "conn_end", "tls_failed"), 2)
            crowd.beat()


@test("a session whose ChannelData lies about its length or turns into garbage ends; another goes on",
      not_coturn="logs it otherwise")
def lies(t):
    s = served(t, verbose=True)
    crowd = Crowd(t)
    binding = Message(BINDING, REQUEST).encode()
    for tls, what in BOTH:
        # 4 of 8 bytes, and a request: its cookie stands where a message ought to begin
        for raw in (channel_data(0x4000, bytes(8))[:-4] + binding, b"\xff" + bytes(40)):
            c = t.stream(tls=tls)
            c.allocate()
            c.bind(0x4000, lab.PEER, 9)
            bad_end(t, s, c, raw, "not_turn")
            s.wait_log(ended(c, "session_end", "closed"), 2)
            crowd.beat()


@test("frames of 64 KiB that hold nonsense are dropped, and the connection goes on",
      not_coturn="has smaller buffers")
def large_frames(t):
    served(t)
    crowd = Crowd(t)
    for tls, what in BOTH:
        c = t.stream(tls=tls)
        for raw in (stun(1, 65532) + b"\xff" * 65532, stun(1, 65532) + bytes(65532),
                    stun(0x0003, 65532) + struct.pack("!HH", 0x8022, 65528) + bytes(65528)):
            c.send_bytes(raw)
            answer = c.transact(Message(BINDING, REQUEST).encode())
            equal(answer and answer.code, 0, "answer behind 64 KiB")
        c.allocate()
        c.send_bytes(channel_data(0x4FFF, bytes(65535), True))
        c.refresh()
        crowd.beat()


@test("2000 connections that say mutated, truncated and random messages: no session notices", timeout=60,
      not_coturn="is not the one to be tried")
def junk(t):
    s = served(t)
    crowd = Crowd(t)
    seed = int(os.environ.get("TACITURN_TEST_SEED", random.randrange(1 << 30)))
    print("seed %d (TACITURN_TEST_SEED repeats it)" % seed)
    rng = random.Random(seed)
    guide = t.stream()
    guide.challenge()
    good, context, rss = seeds(guide), t.trusting(), []
    for n in range(2000):
        c = t.stream(tls=n % 8 == 0, context=context)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            for _ in range(rng.randrange(1, 5)):
                raw = spoiled(rng, good)
                c.send_bytes(raw + bytes(-len(raw) % 4))
        t.clients.remove(c)
        c.close()
        if n % 20 == 0:
            crowd.beat()
        if n in (500, 1999):
            rss.append(s.rss_kib())
    if t.tag == "plain":
        check(rss[1] - rss[0] < 4096, "memory grew by %d KiB", rss[1] - rss[0])
    fresh = t.stream()
    fresh.allocate()


# --- slow and hostile

def over(socks):
    """How many of these connections the server has closed."""
    poll = select.poll()
    for c in socks:
        poll.register(c, select.POLLIN)
    return len(poll.poll(0))


@test("11,400 connections that say nothing: bounded, in all and per source; others are served; memory returns",
      timeout=90, not_coturn="has no such bounds")
def silence(t):
    room_for_sockets()
    t.net()
    sources = ["10.1.0.%d" % n for n in range(100, 110)]
    for ip in sources:
        t.lab.cli.ip("addr", "add", ip + "/24", "dev", "c0")
    s = served(t, nofile=(FILES, FILES))
    crowd = Crowd(t)
    fds, rss = s.n_fds(), [s.rss_kib()]
    idle = []
    try:
        for ip in sources:
            for n in range(1000):
                idle.append(t.lab.cli.tcp(ip, (lab.SRV, 3478 if n % 2 else 5349), timeout=10 * t.scale))
            crowd.beat()
        # no more than RELAY_CONN_STRANGERS: the oldest gave way
        t.until(lambda: over(idle) >= 10000 - 8192, "the oldest are closed")
        check(s.n_fds() <= fds + 8192, "%d descriptors", s.n_fds() - fds)
        check(over(idle[:1000]) == 1000, "others than the oldest were closed")
        rss.append(s.rss_kib())
        # RELAY_CONN_PER_PREFIX of one source, here all of an IPv6 /64
        greedy = [t.lab.cli.tcp((lab.CLI6, lab.CLI6_B)[n % 2], (lab.SRV6, 3478)) for n in range(1400)]
        idle += greedy
        t.until(lambda: over(greedy) >= 1400 - 1024, "what one source has too many is refused")
        check(over(greedy) == 1400 - 1024, "%d of 1400 are closed", over(greedy))
        s.wait_log(r"conn_refused client=\S+ reason=too_many_connections", 2)
        for tls, _ in BOTH:
            fresh = t.stream(lab.CLI_B, tls=tls)
            fresh.allocate()
            fresh.refresh(0)
            fresh.close()
        crowd.beat()
    finally:
        for c in idle:
            c.close()
    t.until(lambda: s.n_fds() <= fds, "the descriptors are given back")
    crowd.beat()
    rss.append(s.rss_kib())
    print("resident KiB: before %d, with 8192 connections %d, after %d" % tuple(rss))
    if t.tag == "plain":
        check(rss[1] - rss[0] < 8192, "%d KiB for 8192 silent connections", rss[1] - rss[0])
        check(rss[2] - rss[0] < 2048, "%d KiB are not given back", rss[2] - rss[0])


def client_hello(context):
    out = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    except ssl.SSLWantReadError:
        return out.read()


@test("TLS clients that stop in the midst of the handshake, or drip, are closed at max-allocate-timeout",
      not_coturn="logs it otherwise")
def half_a_handshake(t):
    s = served(t, max_allocate_timeout=2)
    crowd = Crowd(t)
    hello = client_hello(t.trusting())
    began = time.monotonic()
    slow = [t.stream(server=(lab.SRV, port)) for port in (5349, 5349, 5349, 3478)]
    for c, part in zip(slow, (b"", hello[:3], hello, hello[:100])):
        c.send_bytes(part)
    drip, n = t.stream(tls=False, server=(lab.SRV, 5349)), 0
    gone = select.poll()
    gone.register(drip.sock, select.POLLIN)
    while not gone.poll(100):
        drip.send_bytes(hello[n:n + 1])
        n += 1
        check(time.monotonic() - began < 6 * t.scale, "a client that drips is never closed")
        crowd.beat()
    check(n >= 10, "closed after %d bytes", n)
    for c in slow:
        c.sock.settimeout(4 * t.scale)
        while c.sock.recv(65536):
            pass
        s.wait_log(r"conn_end client=\S+ transport=tls reason=no_allocation_in_time", 2)
    check(1.8 < time.monotonic() - began < 4 * t.scale, "closed after %.1f s", time.monotonic() - began)


def say_hello(t, s, port, before):
    """800 clients at once; each says `before`, with a number for %d, and hello. The server stands still meanwhile,
    so that it finds all of it however slowly it is said."""
    pulse = Pulse(t)
    hello = client_hello(t.trusting())
    room_for_sockets()
    crowd = [t.lab.cli.tcp((lab.CLI, lab.CLI_B)[n % 2], (lab.SRV, port)) for n in range(800)]
    pulse.beat()
    with s.held():
        for n, c in enumerate(crowd):
            c.sendall((before % (n % 256) if before else b"") + hello)
    pulse.beat()
    answered = over(crowd)
    print("%d of 800 were answered before a datagram had gone there and back" % answered)
    check(answered < 400, "%d of 800 handshakes go before a session", answered)
    t.until(lambda: over(crowd) == 800, "all are answered", timeout=20)
    equal({c.recv(1) for c in crowd}, {b"\x16"}, "what their answers begin with")
    for c in crowd:
        c.close()


@test("800 clients that say hello at once: a session has its turn long before they have theirs, and all are served",
      timeout=60, not_coturn="handles them in one go")
def hello_at_once(t):
    say_hello(t, served(t, relay_threads=1), 5349, None)


@test("the same behind a balancer", timeout=60, not_coturn="handles them in one go")
def hello_behind_a_balancer(t):
    s = served(t, relay_threads=1, tcp_proxy_port=3480, proxy_protocol_from=[lab.CLI, lab.CLI_B])
    say_hello(t, s, 3480, b"PROXY TCP4 203.0.%d.7 192.0.2.1 4000 443\r\n")


def flood(t, s, c, peer, crowd, ask):
    """36 MB to a client that does not read; it asks for something in the midst. Returns the memory
    that the server had at most."""
    most = 0
    for n in range(30000):
        peer.sendto(b"%08d" % n + bytes(1192), c.relayed)
        if n % 500 == 0:
            crowd.beat()
            most = max(most, s.rss_kib())
        if n == 15000:
            c.send_raw(ask)
    return most


@test("a client that never reads: memory bounded, drops counted, answers arrive when it reads; nobody else loses",
      timeout=60, not_coturn="drops whole bursts")
def never_reads(t):
    s = served(t)
    crowd = Crowd(t)
    for tls, what in BOTH:
        c, peer = t.stream(tls=tls), t.peer()
        c.allocate()
        c.bind(0x4000, *peer.getsockname())
        before, ask = s.rss_kib(), c.signed(REFRESH)
        grown = flood(t, s, c, peer, crowd, ask) - before
        print("%s: memory grew by %d KiB" % (what, grown))
        if t.tag == "plain":
            check(grown < 8192, "%s: memory grew by %d KiB", what, grown)
        # what was written before comes whole and in order; then the answer, though media was dropped
        last, n = -1, 0
        while True:
            raw = c.recv_raw(5 * t.scale)
            check(raw is not None, "the answer never comes")
            if raw[0] < 4:
                equal(Message.decode(raw).tid, ask[8:20], "what is answered")
                break
            number = int(raw[4:12])
            check(number > last, "%d after %d", number, last)
            last, n = number, n + 1
        while c.recv_raw(0.3 * t.scale):
            n += 1
        check(0 < n < 30000, "%d of 30000 came", n)
        peer.sendto(b"afterwards", c.relayed)
        c.expect_data(b"afterwards", channel=0x4000)
        crowd.beat()
        c.refresh(0)
        s.wait_log(ended(c, "session_end", r"\S+ .*dropped=[1-9]\d{2,}"), 2)


@test("a client that only asks and never reads is not read from any more, until it reads", timeout=40,
      not_coturn="closes it")
def asks_and_never_reads(t):
    s = served(t)
    crowd = Crowd(t)
    raw = Message(BINDING, REQUEST).encode()
    for tls, what in BOTH:
        c, before, sent = t.stream(tls=tls), s.rss_kib(), 0
        poll = select.poll()
        poll.register(c.sock, select.POLLOUT)
        c.sock.setblocking(False)
        batch = raw * 500
        while poll.poll(300 * t.scale):
            with contextlib.suppress(BlockingIOError, ssl.SSLWantWriteError):
                sent += c.sock.send(batch[sent % len(batch):])
            check(sent < 64 << 20, "%s: %d bytes are taken without an answer being read", what, sent)
        crowd.beat()
        if t.tag == "plain":
            check(s.rss_kib() - before < 2048, "%s: memory grew by %d KiB", what, s.rss_kib() - before)
        print("%s: %d KiB of requests were taken" % (what, sent >> 10))
        n = 0
        while n < sent // len(raw):
            got = c.recv_raw(5 * t.scale)
            check(got is not None, "%s: %d answers of %d", what, n, sent // len(raw))
            n += 1
        c.close()


@test("descriptors run out: accepting pauses, sessions go on, and it resumes when there are some again",
      not_coturn="logs it otherwise")
def no_descriptors(t):
    s = served(t, nofile=(100, 100))
    crowd = Crowd(t)
    idle = [t.lab.cli.tcp(lab.CLI, (lab.SRV, 3478)) for _ in range(150)]
    s.wait_log(r"accept_paused reason=no_descriptors", 5)
    for _ in range(20):
        crowd.beat()
    for c in idle:
        c.close()
    fresh = t.stream(lab.CLI_B)
    fresh.allocate()
    crowd.beat()
