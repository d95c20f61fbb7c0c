"""Clients under DTLS (RFC 7350)."""
import os
import select
import socket
import struct
import time

import lab
from dtlsclient import DtlsClient, cookie_of, hello
from harness import Timeout, check, equal, test
from test_clients import load, with_peer

SO_TIMESTAMPNS = 35
NEW = "it keeps state that this server does not"


def certificate(t):
    cert, key = (os.path.join(t.dir, n) for n in ("cert.pem", "key.pem"))
    status, out = t.run(t.lab.srv, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=turn.test", "-days", "3",
                        "-out", cert, "-keyout", key)
    equal(status, 0, "exit status of openssl req: " + out)
    return dict(cert=cert, pkey=key)


def served(t, **conf):
    if t.lab is None:
        t.net()
    conf = dict(certificate(t), dtls=True, rfc5766_channel_numbers=True, **conf)
    if t.kind == "coturn":
        conf.update(no_dtls=False)
    return t.server(**conf)


def client(t, ip=lab.CLI, port=0, server=None):
    c = DtlsClient(t.lab.cli.udp(ip, port, connect=server or (lab.SRV6 if ":" in ip else lab.SRV, 3478)),
                   "alice", "wonderland", scale=t.scale)
    t.clients.append(c)
    return c


@test("uclient under DTLS, client to client, with channels and with indications")
def uclient_to_itself(t):
    served(t)
    load(t, "-S", "-y")
    load(t, "-S", "-y", "-c", clients=4)
    load(t, "-S", "-y", "-s")


@test("uclient under DTLS to a peer, with channels and with indications")
def uclient_to_a_peer(t):
    served(t)
    with_peer(t, lab.PEER)
    load(t, "-S", "-e", lab.PEER, "-r", "3480", clients=4)
    load(t, "-S", "-s", "-e", lab.PEER, "-r", "3480", size=1000)


@test("openssl's client agrees on DTLS 1.2 and stun.turn, at both ports")
def s_client(t):
    served(t)
    for port in (3478, 5349):
        _, out = t.run(t.lab.cli, "openssl", "s_client", "-dtls1_2", "-alpn", "stun.turn", "-connect",
                       "%s:%d" % (lab.SRV, port))
        check("ALPN protocol: stun.turn" in out, "no ALPN at %d: %s", port, out)
        check("Cipher is ECDHE-ECDSA" in out, "no cipher at %d: %s", port, out)


def relays(t, c, ip=lab.PEER):
    """Everything there and back: channel and indications, of all sorts of lengths."""
    peer = t.peer(ip)
    name = peer.getsockname()[:2]
    c.bind(0x4000, *name)
    relayed = c.relayed6 if ":" in ip else c.relayed
    for size in (0, 1, 3, 100, 1200, 1500, 8000):
        data = os.urandom(size)
        c.send_channel(0x4000, data)
        got, _ = peer.recvfrom(65536)
        equal(got, data, "what came to the peer in a channel")
        peer.sendto(data, relayed)
        c.expect_data(data, channel=0x4000)
    other = t.peer(ip)
    c.send(*other.getsockname()[:2], b"first")
    equal(other.recv(100), b"first", "what came to the peer by Send")
    other.sendto(b"back", relayed)
    c.expect_data(b"back", other.getsockname()[:2])


@test("every kind of message, there and back, in records of their own")
def all_messages(t):
    served(t)
    c = client(t)
    c.allocate()
    relays(t, c)
    equal(c.refresh(0).seconds(), 0, "lifetime")


@test("the same over IPv6")
def over_ipv6(t):
    served(t)
    c = client(t, lab.CLI6)
    c.allocate()
    relays(t, c)


@test("a listener on a wildcard answers from the address that was reached")
def wildcard(t):
    served(t, listening_ip="0.0.0.0", relay_ip=lab.RELAY)
    c = client(t, server=(lab.SRV_ALT, 3478))
    c.allocate()
    relays(t, c)


@test("a burst from a peer arrives whole and in order")
def burst(t):
    served(t)
    c = client(t)
    c.allocate()
    peer = t.peer()
    c.bind(0x4001, *peer.getsockname())
    for _ in range(10):
        for i in range(40):
            peer.sendto(struct.pack("!I", i) * 250, c.relayed)
        for i in range(40):
            c.expect_data(struct.pack("!I", i) * 250, channel=0x4001)
    for i in range(200):
        c.send_channel(0x4001, struct.pack("!I", i) * 250)
    for i in range(200):
        equal(peer.recv(2000), struct.pack("!I", i) * 250, "datagram %d at the peer" % i)


@test("goodbye ends the association and its session")
def goodbye(t):
    s = served(t)
    c = client(t)
    c.allocate()
    c.sock.goodbye()
    s.wait_log("session_end .*reason=closed" if t.kind != "coturn" else "closed", 5)


@test("an association without an allocation ends in time, and says so; one with an allocation stays")
def idle(t):
    s = served(t, max_allocate_timeout=2)
    c, stays = client(t), client(t)
    stays.allocate()
    check(c.closed(10 * t.scale), "no goodbye")
    s.wait_log("no_allocation_in_time", 5)
    stays.refresh()
    stays.refresh(0)
    check(stays.closed(10 * t.scale), "no goodbye to one whose allocation has ended")


@test("a client that lost its state begins anew at the same port", not_coturn="it drops the hellos of a known client")
def begins_anew(t):
    s = served(t)
    c = client(t, port=5000)
    c.allocate()
    c.raw.close()  # without a word
    c = client(t, port=5000)
    s.wait_log("session_end .*reason=closed", 5)
    c.allocate()
    relays(t, c)


@test("garbage that looks like DTLS disturbs neither a plain session nor one under DTLS")
def garbage(t):
    served(t)
    under, plain = client(t), t.client(ip=lab.CLI_B)
    peer = t.peer()
    for c in (under, plain):
        c.allocate()
        c.bind(0x4000, *peer.getsockname())
    stranger = t.lab.cli.udp(lab.CLI_C, connect=(lab.SRV, 3478))
    for i in range(400):
        head = bytes([20 + i % 44]) + (b"\xfe\xfd\0" + bytes([i % 3]) + bytes(6) if i % 2 else b"")
        raw = head + os.urandom(i % 60)
        if i % 5 == 0:
            raw = hello()[:i % 120 + 1]
        for s in (under.raw, plain.sock, stranger):
            s.send(raw)
        for c in (under, plain):
            data = os.urandom(100)
            c.send_channel(0x4000, data)
            equal(peer.recv(200), data, "what came to the peer")
            peer.sendto(data, c.relayed)
            if c is under:
                c.expect_data(data, channel=0x4000)
    heard, cookies = 0, 0
    while heard < 400:
        raw = plain.recv_raw(5 * t.scale)
        check(raw, "the plain session has heard %d of 400", heard)
        heard += raw[0] == 0x40
        cookies += cookie_of(raw) is not None  # hellos of its 5-tuple are hellos all the same
    check(cookies, "no hello was whole")
    under.refresh()


@test("hellos without cookies keep nothing, and are answered with less than they are")
def flood(t):
    s = served(t, unauthorized_ratelimit="no", relay_threads=1)
    socks = [t.lab.cli.udp(lab.CLI, connect=(lab.SRV, 3478)) for _ in range(50)]
    raw = hello()

    def send(n):
        got = 0
        for i in range(n):
            socks[i % 50].send(hello())
            if i % 50 == 49:
                for sock in socks:
                    while select.select([sock], [], [], 0.2 * t.scale)[0]:
                        answer = sock.recv(2000)
                        check(cookie_of(answer) and len(answer) < len(raw), "no cookie: %s", answer.hex())
                        got += 1
                        break
        return got
    check(send(2000) > 1900, "too few cookies")
    before, fds = s.rss_kib(), s.n_fds()
    check(send(20000) > 19000, "too few cookies")
    check(s.rss_kib() - before < (256 if t.tag == "plain" else 1024), "it grew from %d to %d KiB", before, s.rss_kib())
    equal(s.n_fds(), fds, "descriptors")
    client(t).allocate()


@test("cookies are rationed like all answers to strangers", not_coturn="its limit is another")
def rationed(t):
    served(t, unauthorized_ratelimit_rps=2, relay_threads=1)
    sock = t.lab.cli.udp(lab.CLI, connect=(lab.SRV, 3478))
    for _ in range(200):
        sock.send(hello())
    n = 0
    while select.select([sock], [], [], 0.5 * t.scale)[0]:
        n += cookie_of(sock.recv(2000)) is not None
    check(10 <= n <= 60, "%d cookies", n)
    client(t, lab.CLI_B).allocate()


def half_open(t, ip):
    """A hello with a good cookie, and then silence; the socket, and whether the server went on."""
    sock = t.lab.cli.udp(ip, connect=(lab.SRV, 3478))
    random = os.urandom(32)
    sock.send(hello(random))
    if not select.select([sock], [], [], 5 * t.scale)[0]:
        raise Timeout("no cookie")
    sock.send(hello(random, cookie_of(sock.recv(2000))))
    answered = bool(select.select([sock], [], [], 0.3 * t.scale)[0])
    return sock, answered and sock.recv(2000)[13] == 2


def when(sock, is_it):
    """When the first datagram of the kind came to this host, by the kernel's clock."""
    while True:
        raw, control, _, _ = sock.recvmsg(4096, 128)
        if is_it(raw):
            return struct.unpack("qq", next(data for _, kind, data in control if kind == SO_TIMESTAMPNS))


@test("300 clients that bring their cookies at once do not hold up a session for all of their handshakes", timeout=60,
      not_coturn=NEW)
def crowd(t):
    s = served(t, relay_threads=1, unauthorized_ratelimit="no")
    c, peer = t.client(), t.peer()
    c.allocate()
    c.bind(0x4000, *peer.getsockname())
    socks, second = [], []
    for i in range(300):
        sock, random = t.lab.cli.udp((lab.CLI, lab.CLI_B)[i % 2], connect=(lab.SRV, 3478)), os.urandom(32)
        sock.settimeout(10 * t.scale)
        sock.send(hello(random))
        second.append(hello(random, cookie_of(sock.recv(2000))))
        socks.append(sock)
    for sock in socks + [c.sock]:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.settimeout(10 * t.scale)

    def stamped():
        """The kernel begins to stamp what comes in its own time; until then it tells when it was read."""
        socks[0].send(hello())
        select.select([socks[0]], [], [], 10 * t.scale)
        now = time.time_ns()
        seconds, ns = when(socks[0], cookie_of)
        return seconds * 10**9 + ns < now
    t.until(stamped, "what comes is stamped")
    with s.held():
        for sock, raw in zip(socks, second):
            sock.send(raw)
        peer.sendto(b"media", c.relayed)
    answered = [when(sock, lambda raw: raw[0] == 22 and raw[13] == 2) for sock in socks]
    media = when(c.sock, lambda raw: raw[4:] == b"media")
    before = sum(a < media for a in answered)
    check(before <= 80, "%d of 300 were answered before the session had its turn", before)


@test("half-open handshakes are bounded per source, end in time, and leave others alone", timeout=60, not_coturn=NEW)
def half_open_bounded(t):
    s = served(t, relay_threads=1, max_allocate_timeout=8, unauthorized_ratelimit="no")
    socks, start = [], time.monotonic()
    for _ in range(520):
        sock, on = half_open(t, lab.CLI)
        socks.append(sock)
        if not on:
            break
    check(len(socks) in (513,), "the server refuses number %d", len(socks))
    client(t, lab.CLI_B).allocate()
    s.wait_log("conn_refused .*too_many_associations", 5)
    check(time.monotonic() - start < 8, "too slow to be told from the deadline")
    t.until(lambda: half_open(t, lab.CLI)[1], "the source is let in again", timeout=20, pace=0.5)


@test("a cookie of another address, and one that was altered, begin nothing")
def foreign_cookie(t):
    served(t)
    a, b = (t.lab.cli.udp(ip, connect=(lab.SRV, 3478)) for ip in (lab.CLI, lab.CLI_B))
    random = os.urandom(32)
    a.settimeout(5 * t.scale)
    b.settimeout(5 * t.scale)
    a.send(hello(random))
    cookie = cookie_of(a.recv(2000))
    b.send(hello(random, cookie))
    check(cookie_of(b.recv(2000)) is not None, "another address gets in with it")
    a.send(hello(random, cookie[:-1] + bytes([cookie[-1] ^ 1])))
    check(cookie_of(a.recv(2000)) is not None, "altered, it is good")
    a.send(hello(random, cookie))
    equal(a.recv(2000)[13], 2, "ServerHello's number")


@test("without the option nothing answers a hello", not_coturn="it speaks DTLS unless told not to")
def off(t):
    t.net()
    t.server(**certificate(t))
    sock = t.lab.cli.udp(lab.CLI, connect=(lab.SRV, 3478))
    sock.send(hello())
    check(not select.select([sock], [], [], 1)[0], "an answer")
    equal(t.client().serving(), True, "serving")
