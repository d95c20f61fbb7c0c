"""RFC 6062: TCP to the peer, over TCP and TLS, with a client that says exactly what it is told to."""
import re
import select
import socket
import ssl
import struct
import subprocess
import time

import lab
from harness import check, equal, test
from turnclient import (ALLOCATE, DONT_FRAGMENT, INDICATION, IPV6, REQUEST, REQUESTED_FAMILY,
                        REQUESTED_TRANSPORT, RESERVATION_TOKEN, XOR_PEER_ADDRESS, Client, Message,
                        even_port, peer_address)

CONNECT, CONNECTION_BIND, CONNECTION_ATTEMPT, CONNECTION_ID = 0xA, 0xB, 0xC, 0x2A
TCP = (REQUESTED_TRANSPORT, b"\6\0\0\0")
WHY = "the subject is the server under test"


class Stream:
    """What Client takes for a socket: one message for each recv(), cut from the stream."""

    def __init__(self, sock):
        self.sock, self.buf = sock, b""

    def fileno(self):
        return self.sock.fileno()

    def setblocking(self, on):
        self.sock.setblocking(on)

    def close(self):
        self.sock.close()

    def send(self, raw):
        self.sock.setblocking(True)
        self.sock.sendall(raw)


class TcpClient(Client):
    """A control connection, or one that is to become a data connection."""

    def __init__(self, t, sock, user="alice", password="wonderland"):
        super().__init__(Stream(sock), user, password, scale=t.scale)
        self.t, self.attempts = t, []

    def _fill(self, n, deadline):
        s = self.sock
        while len(s.buf) < n:
            if not getattr(s.sock, "pending", lambda: 0)() and \
                    not self.poll.poll(max(0, deadline - time.monotonic()) * 1000):
                return False
            s.sock.setblocking(False)
            try:
                got = s.sock.recv(65536)
            except (BlockingIOError, ssl.SSLWantReadError):
                continue
            if not got:
                raise EOFError("the server closed the connection")
            s.buf += got
        return True

    def recv_raw(self, timeout):
        deadline = time.monotonic() + max(0, timeout)
        if not self._fill(20, deadline):
            return None
        size = 20 + struct.unpack("!H", self.sock.buf[2:4])[0]
        if not self._fill(size, deadline):
            return None
        raw, self.sock.buf = self.sock.buf[:size], self.sock.buf[size:]
        return raw

    def transact(self, raw, timeout=None, resend=False):
        return super().transact(raw, timeout, resend=False)

    def _keep(self, raw):
        msg = Message.decode(raw)
        if msg.cls == INDICATION and msg.method == CONNECTION_ATTEMPT:
            self.attempts.append(msg)
        else:
            super()._keep(raw)

    # --- RFC 6062

    def allocate_tcp(self, *attrs, code=0):
        answer = self.expect(code, ALLOCATE, [TCP, *attrs])
        self.relayed = answer.relayed
        return answer

    def connect_raw(self, ip, port):
        """Sends a Connect and does not wait."""
        if self.nonce is None:
            self.challenge()
        raw = self.signed(CONNECT, [peer_address(ip, port)])
        self.send_raw(raw)
        return raw

    def connect(self, ip, port, code=0, timeout=None):
        answer = self.expect(code, CONNECT, [peer_address(ip, port)])
        if code:
            return None
        value = answer.get(CONNECTION_ID)
        equal(len(value), 4, "the length of CONNECTION-ID")
        return value

    def attempt(self, timeout=5):
        """The next ConnectionAttempt: (id, peer); None when there is none."""
        deadline = time.monotonic() + timeout * self.scale
        while not self.attempts:
            got = self.recv_raw(deadline - time.monotonic())
            if got is None:
                return None
            self._keep(got)
        msg = self.attempts.pop(0)
        return msg.get(CONNECTION_ID), msg.address(XOR_PEER_ADDRESS)

    def bind_to(self, cid, code=0, rest=b""):
        """ConnectionBind, with bytes right behind it; a data connection when it succeeds."""
        if self.nonce is None:
            self.challenge()
        raw = self.signed(CONNECTION_BIND, [(CONNECTION_ID, cid)])
        self.send_raw(raw + rest)
        answer = Message.decode(self.recv_raw(5 * self.scale))
        equal((answer.tid, answer.code), (raw[8:20], code), "ConnectionBind")
        check(answer.verified(self.key), "the answer is signed")
        return self

    # --- data

    def put(self, data):
        self.sock.send(data)

    def get(self, n):
        check(self._fill(n, time.monotonic() + 10 * self.scale), "only %d of %d bytes", len(self.sock.buf), n)
        data, self.sock.buf = self.sock.buf[:n], self.sock.buf[n:]
        return data

    def ended(self):
        """True once the server has closed; False when it does not."""
        try:
            return self._fill(1 + len(self.sock.buf), time.monotonic() + 5 * self.scale) and False
        except (EOFError, ConnectionResetError):
            return True


def stream(t, ip=lab.CLI, server=(lab.SRV, 3478), tls=False, **kw):
    with t.lab.cli.entered():
        s = socket.socket(lab.family_of(ip), socket.SOCK_STREAM)
    s.bind((ip, 0))
    s.settimeout(5 * t.scale)
    s.connect(server)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        s = context.wrap_socket(s)
    c = TcpClient(t, s, **kw)
    t.clients.append(c)
    return c


def listener(t, ip=lab.PEER, backlog=16):
    with t.lab.peer.entered():
        s = socket.socket(lab.family_of(ip), socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((ip, 0))
    s.listen(backlog)
    s.settimeout(5 * t.scale)
    return s


def accepted(l, t):
    s, source = l.accept()
    s.settimeout(5 * t.scale)
    return s, source


def caller(t, to, ip=lab.PEER):
    """A peer that connects to a relayed address."""
    with t.lab.peer.entered():
        s = socket.socket(lab.family_of(ip), socket.SOCK_STREAM)
    s.bind((ip, 0))
    s.settimeout(5 * t.scale)
    s.connect(to)
    return s


def exactly(s, n):
    data = b""
    while len(data) < n:
        got = s.recv(n - len(data))
        check(got, "the connection ended after %d of %d bytes", len(data), n)
        data += got
    return data


def at_end(s):
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True


def certificate(t):
    names = [t.dir + "/cert.pem", t.dir + "/key.pem"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", "2", "-subj", "/CN=taciturn.test", "-out", names[0],
                    "-keyout", names[1]], check=True, capture_output=True)
    return dict(cert=names[0], pkey=names[1])


def joined(t, tls=False, **kw):
    """A client with an allocation, connected to a peer and bound: (control, data, peer's socket)."""
    l = listener(t)
    c = stream(t, tls=tls, **kw)
    c.allocate_tcp()
    cid = c.connect(*l.getsockname())
    p, source = accepted(l, t)
    equal(source, c.relayed, "the peer sees the relayed address")
    return c, stream(t, tls=tls, **kw).bind_to(cid), p


# --- s.5.1

@test("TCP allocations: over UDP 400, other protocols 442, what is UDP's 400, and no token", not_coturn=WHY)
def allocate_rules(t):
    t.server()
    t.client().expect(400, ALLOCATE, [TCP])
    c = stream(t)
    c.allocate_tcp((DONT_FRAGMENT, b""), code=400)
    c.allocate_tcp(even_port(False), code=400)
    c.allocate_tcp(even_port(True), code=400)
    c.allocate_tcp((RESERVATION_TOKEN, b"12345678"), code=400)
    c.expect(442, ALLOCATE, [(REQUESTED_TRANSPORT, b"\x84\0\0\0")])
    answer = c.allocate_tcp()
    equal(answer.get(RESERVATION_TOKEN), None, "RESERVATION-TOKEN")
    equal(answer.seconds(), 600, "lifetime")
    equal(c.refresh(1200).seconds(), 1200, "lifetime")


@test("no-tcp-relay refuses TCP with 442, no-udp-relay UDP with 403 (s.5.1)", not_coturn=WHY)
def options(t):
    t.server(no_tcp_relay=True)
    stream(t).allocate_tcp(code=442)
    stream(t).allocate()
    for s in t.servers:
        s.stop()
    t.server(no_udp_relay=True)
    stream(t).allocate(code=403)
    t.client().allocate(code=403)
    stream(t).allocate_tcp()


@test("an IPv6 allocation, and one of both families", not_coturn=WHY)
def families(t):
    t.server()
    l4, l6 = listener(t), listener(t, lab.PEER6)
    c = stream(t)
    c.allocate_tcp((REQUESTED_FAMILY, IPV6))
    c.connect(*l4.getsockname(), code=443)
    cid = c.connect(*l6.getsockname()[:2])
    p, source = accepted(l6, t)
    equal(source[:2], c.relayed, "source")
    d = stream(t, lab.CLI6, (lab.SRV6, 3478)).bind_to(cid)
    d.put(b"six")
    equal(exactly(p, 3), b"six", "data")


@test("channels, Send and a UDP allocation's Connect have no place in it", not_coturn=WHY)
def kinds_apart(t):
    t.server()
    c = stream(t)
    c.allocate_tcp()
    c.permit(lab.PEER)
    c.bind(0x4000, lab.PEER, 9, code=403)
    c.send(lab.PEER, 9, b"lost")
    c.refresh()
    u = stream(t)
    u.allocate()
    u.connect(lab.PEER, 9, code=403)


# --- s.5.2

def silent(t):
    """Whoever connects to port 7777 of the peer hears nothing."""
    t.lab.peer.nft("table inet f {\n chain i {\n type filter hook input priority 0;\n"
                   " tcp dport 7777 drop\n }\n}\n")


@test("Connect: bytes pass both ways as they are, over TCP and TLS, with one worker and more", timeout=60, not_coturn=WHY)
def connect_passes(t):
    t.net()
    for workers, tls in ((2, False), (2, True), (1, True), (4, False)):
        s = t.server(relay_threads=workers, verbose=True, **certificate(t))
        for _ in range(8):  # the data connections reach every worker
            c, d, p = joined(t, tls=tls)
            d.put(b"up " * 1000)
            equal(exactly(p, 3000), b"up " * 1000, "data to the peer")
            p.sendall(b"\x40\x00\xff\xffdown" * 500)
            equal(d.get(4000), b"\x40\x00\xff\xffdown" * 500, "data to the client")
        if workers > 1:
            s.wait_log("conn_moved", 5)
        s.stop()


@test("Connect: 437, 400, 403, 446, 447", not_coturn=WHY)
def connect_refused(t):
    t.server(denied_peer_ip=lab.PEER_B)
    l = listener(t)
    stream(t).connect(*l.getsockname(), code=437)
    c = stream(t)
    c.allocate_tcp()
    c.expect(400, CONNECT, [])
    c.expect(400, CONNECT, [(XOR_PEER_ADDRESS, b"\0\1\0")])
    c.connect(lab.PEER_B, 1000, code=403)
    c.connect("127.0.0.1", 1000, code=403)
    refused = l.getsockname()[1] ^ 1
    c.connect(lab.PEER, refused, code=447)
    c.connect(lab.PEER, refused, code=447)  # and may be tried again
    cid = c.connect(*l.getsockname())
    c.connect(*l.getsockname(), code=446)  # pending
    stream(t).bind_to(cid)
    c.connect(*l.getsockname(), code=446)  # active


@test("Connect to the same peer while the first is in progress is 446", not_coturn=WHY)
def connect_twice(t):
    t.server()
    silent(t)
    c = stream(t)
    c.allocate_tcp()
    c.connect_raw(lab.PEER, 7777)
    c.connect(lab.PEER, 7777, code=446)
    c.refresh(0)  # ends with a connection in progress


@test("a peer that does not answer: 447, after 30 seconds and not before", timeout=60, not_coturn=WHY)
def connect_timeout(t):
    t.server()
    silent(t)
    c, began = stream(t), time.monotonic()
    c.allocate_tcp()
    raw = c.connect_raw(lab.PEER, 7777)
    answer = Message.decode(c.recv_raw(40))
    equal((answer.tid, answer.code), (raw[8:20], 447), "the answer")
    check(answer.verified(c.key), "it is signed")
    check(29.9 <= time.monotonic() - began < 33, "after %.1f s", time.monotonic() - began)


@test("CONNECTION-IDs are all different and have no pattern", not_coturn=WHY)
def ids(t):
    t.server()
    seen, peers = [], []  # kept open: the port of one that is closed may be the next one's, which is a 446
    for _ in range(3):
        c = stream(t)
        c.allocate_tcp()
        for _ in range(10):
            peers.append(listener(t))
            seen.append(struct.unpack("!I", c.connect(*peers[-1].getsockname()))[0])
    equal(len(set(seen)), 30, "different ids")
    check(max(seen) > 1 << 30 and len({i >> 24 for i in seen}) > 15, "they are spread: %s", seen)


@test("an own address only where a relayed TCP port is", not_coturn=WHY)
def own_addresses(t):
    t.server()
    a, b, u = stream(t), stream(t), t.client()
    a.allocate_tcp()
    b.allocate_tcp()
    u.allocate()
    a.connect(lab.RELAY, 3478, code=447)
    a.connect(*u.relayed, code=447)
    b.permit(lab.RELAY)
    cid = a.connect(*b.relayed)
    bid, peer = b.attempt()
    equal(peer, a.relayed, "the caller")
    d, e = stream(t).bind_to(cid), stream(t).bind_to(bid)
    d.put(b"to b")
    equal(e.get(4), b"to b", "data")


@test("no more than 64 connections of an allocation: 508", timeout=60, not_coturn=WHY)
def many_connections(t):
    t.server()
    c = stream(t)
    c.allocate_tcp()
    peers = [listener(t) for _ in range(65)]
    for p in peers[:64]:
        c.connect(*p.getsockname())
    c.connect(*peers[64].getsockname(), code=508)
    c.permit(lab.PEER)
    check(at_end(caller(t, c.relayed)), "a peer's connection is closed")
    equal(c.attempt(0.3), None, "ConnectionAttempt")


# --- s.5.3

@test("a permitted peer: ConnectionAttempt, and its bytes before the bind are kept", timeout=60, not_coturn=WHY)
def attempt_passes(t):
    t.net()
    for tls in (False, True):
        t.server(**certificate(t))
        for _ in range(4):
            c = stream(t, tls=tls)
            c.allocate_tcp()
            c.permit(lab.PEER)
            p = caller(t, c.relayed)
            p.sendall(b"early " * 100)
            cid, peer = c.attempt()
            equal(peer, p.getsockname(), "XOR-PEER-ADDRESS")
            d = stream(t, tls=tls).bind_to(cid, rest=b"at once")
            equal(d.get(600), b"early " * 100, "what was said before the bind")
            equal(exactly(p, 7), b"at once", "what came with the request")
        t.servers[-1].stop()


@test("a peer without a permission is closed at once, and the client hears nothing", not_coturn=WHY)
def attempt_not_permitted(t):
    t.server()
    c = stream(t)
    c.allocate_tcp()
    check(at_end(caller(t, c.relayed)), "no permission at all")
    c.permit(lab.PEER)
    check(at_end(caller(t, c.relayed, lab.PEER_B)), "another address is permitted")
    equal(c.attempt(0.3), None, "ConnectionAttempt")
    caller(t, c.relayed)
    check(c.attempt(), "the permitted one")


@test("what a peer says before the bind is bounded: it is stopped by its window", not_coturn=WHY)
def early_bounded(t):
    s = t.server()
    c = stream(t)
    c.allocate_tcp()
    c.permit(lab.PEER)
    for warm in (False, True):  # the first time touches pages that stay, a sanitizer's above all
        p = caller(t, c.relayed)
        cid, _ = c.attempt()
        rss = s.rss_kib()
        p.setblocking(False)
        sent, chunk = 0, b"x" * 65536
        while select.select([], [p], [], 0.5)[1]:
            sent += p.send(chunk)
            check(sent < 64 << 20, "it is not stopped")
        kept = s.rss_kib() - rss
        check(kept < 1024 or not warm, "the server keeps it: %d KiB more", kept)
        d = stream(t).bind_to(cid)
        equal(d.get(sent), b"x" * sent, "all of it")


@test("connections that nobody binds are closed after 30 seconds, not before", timeout=60, not_coturn=WHY)
def not_bound(t):
    s = t.server()
    l = listener(t)
    c = stream(t)
    c.allocate_tcp()
    c.permit(lab.PEER)
    began = time.monotonic()
    cid = c.connect(*l.getsockname())
    out, _ = accepted(l, t)
    inward = caller(t, c.relayed)
    late, _ = c.attempt()
    for p in (out, inward):
        p.settimeout(40)
        check(at_end(p), "closed")
        check(29.9 <= time.monotonic() - began < 33, "after %.1f s", time.monotonic() - began)
    stream(t).bind_to(cid, code=400)
    stream(t).bind_to(late, code=400)
    c.connect(*l.getsockname())  # it is no longer there: no 446


# --- s.5.4, s.4.3

@test("ConnectionBind: 400 over UDP, without an id, with a wrong one, on a control connection, twice", not_coturn=WHY)
def bind_refused(t):
    t.server()
    l = listener(t)
    c = stream(t)
    c.allocate_tcp()
    cid = c.connect(*l.getsockname())
    other = struct.pack("!I", struct.unpack("!I", cid)[0] ^ 0x10000)
    t.client().expect(400, CONNECTION_BIND, [(CONNECTION_ID, cid)])
    stream(t).expect(400, CONNECTION_BIND, [])
    stream(t).expect(400, CONNECTION_BIND, [(CONNECTION_ID, b"\0\0")])
    d = stream(t)
    for i in range(8):  # ids of both workers; it goes on being served
        d.bind_to(struct.pack("!I", struct.unpack("!I", other)[0] ^ i), code=400)
    c.bind_to(cid, code=400)
    d2 = stream(t)
    d2.bind_to(cid)
    stream(t).bind_to(cid, code=400)
    c.refresh()


@test("ConnectionBind needs the credentials of the allocation", not_coturn=WHY)
def bind_credentials(t):
    t.server()
    l = listener(t)
    c = stream(t)
    c.allocate_tcp()
    cid = c.connect(*l.getsockname())
    for _ in range(4):
        stream(t, user="bob", password="builder").bind_to(cid, code=441)
    wrong = stream(t, password="wrong")
    wrong.challenge()
    answer = wrong.ask(wrong.signed(CONNECTION_BIND, [(CONNECTION_ID, cid)]))
    equal(answer.code, 401, "a wrong password")
    plain = stream(t)
    equal(plain.ask(Message(CONNECTION_BIND, REQUEST, [(CONNECTION_ID, cid)]).encode()).code, 401, "none")
    plain.bind_to(cid)


@test("a data connection that arrives byte by byte is bound too", not_coturn=WHY)
def bind_in_bytes(t):
    t.server()
    l = listener(t)
    for _ in range(4):
        c = stream(t)
        c.allocate_tcp()
        cid = c.connect(*l.getsockname())
        p, _ = accepted(l, t)
        d = stream(t)
        d.challenge()
        for byte in d.signed(CONNECTION_BIND, [(CONNECTION_ID, cid)]) + b"tail":
            d.put(bytes([byte]))
        equal(Message.decode(d.recv_raw(5)).code, 0, "ConnectionBind")
        equal(exactly(p, 4), b"tail", "data")
        c.refresh(0)


# --- s.5.5, s.4.6, s.3

@test("either end closes the other; half-closed, the other direction goes on", timeout=60, not_coturn=WHY)
def closing(t):
    t.net()
    for tls in (False, True):
        s = t.server(**certificate(t))
        fds = s.n_fds()
        c, d, p = joined(t, tls=tls)
        p.sendall(b"last words")
        p.close()
        equal(d.get(10), b"last words", "data before the end")
        check(d.ended(), "the client hears of the peer's end")
        d.close()
        c.refresh(0)
        c.close()
        c, d, p = joined(t, tls=tls)
        d.put(b"last words")
        d.close()
        equal(exactly(p, 10), b"last words", "data before the end")
        check(at_end(p), "the peer hears of the client's end")
        p.close()
        c, d, p = joined(t, tls=tls)
        p.shutdown(socket.SHUT_WR)
        check(d.ended(), "the client hears that the peer has finished")
        d.put(b"still here")
        equal(exactly(p, 10), b"still here", "the other direction")
        if not tls:
            c2, d2, p2 = joined(t)
            d2.sock.sock.shutdown(socket.SHUT_WR)
            check(at_end(p2), "the peer hears that the client has finished")
            p2.sendall(b"answer")
            equal(d2.get(6), b"answer", "the other direction")
            p2.close()
            check(d2.ended(), "and the end of that")
        for x in t.clients:
            x.close()
        p.close()
        t.until(lambda: s.n_fds() <= fds, "all descriptors are given back")
        s.stop()


@test("a reset by the peer ends the client's data connection", not_coturn=WHY)
def reset(t):
    t.server()
    c, d, p = joined(t)
    p.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    p.close()
    check(d.ended(), "the end")
    c.refresh()


@test("all connections end with the allocation: deleted, or its control connection closed", not_coturn=WHY)
def ends_with_allocation(t):
    t.server()
    for how in (lambda c: c.refresh(0), lambda c: c.close()):
        c, d, p = joined(t)
        l = listener(t)
        c.connect(*l.getsockname())
        q, _ = accepted(l, t)
        how(c)
        check(d.ended(), "the data connection")
        check(at_end(p), "the peer's connection")
        check(at_end(q), "one that was not bound")
        try:
            caller(t, c.relayed)
            check(False, "nobody may listen at the relayed address")
        except OSError:
            pass


@test("a receiver that does not read stops the sender, both ways; nothing is lost", timeout=90, not_coturn=WHY)
def backpressure(t):
    t.net()
    for tls in (False, True):
        s = t.server(**certificate(t))
        c, d, p = joined(t, tls=tls)
        rss = s.rss_kib()
        for sender, reader in ((p, lambda n: d.get(n)), (d.sock.sock, lambda n: exactly(p, n))):
            sent, seed = 0, bytes(range(256)) * 256
            sender.setblocking(False)
            while True:
                try:
                    n = sender.send(seed[sent % 65536:])
                except (BlockingIOError, ssl.SSLWantWriteError):
                    if not select.select([], [sender], [], 0.5)[1]:
                        break
                    continue
                sent += n
                check(sent < 256 << 20, "it is not stopped")
            check(s.rss_kib() - rss < 2048, "%d KiB more", s.rss_kib() - rss)
            sender.settimeout(5 * t.scale)
            got = 0
            while got < sent:
                n = min(1 << 20, sent - got)
                data = reader(n)
                want = (seed * (n // 65536 + 2))[got % 65536:][:n]
                check(data == want, "bytes differ after %d", got)
                got += n
            if tls:
                break  # Python's TLS must finish what it began: one direction is enough
        s.stop()


@test("max-bps holds for data connections", timeout=60, not_coturn=WHY)
def bandwidth(t):
    t.server(max_bps=200000)
    c, d, p = joined(t)
    for sender, reader in ((d.put, lambda n: exactly(p, n)), (p.sendall, d.get)):
        began = time.monotonic()
        sender(b"x" * 600000)  # a burst of a second's worth, then two seconds
        reader(600000)
        took = time.monotonic() - began
        check(1.5 < took < 4 * t.scale, "600000 bytes at 200000 a second took %.2f s", took)


@test("the session's record counts the bytes of its data connections", not_coturn=WHY)
def accounting(t):
    s = t.server()
    c, d, p = joined(t)
    d.put(b"x" * 1234)
    exactly(p, 1234)
    p.sendall(b"y" * 4321)
    d.get(4321)
    c.refresh(0)
    s.wait_log(r"session_end.*rx_bytes=1234 .*tx_bytes=4321 ", 5)


# --- with coturn's client

def uclient(t, ns, server, *options):
    """Returns what it says of lost messages: of 40, in both directions."""
    status, out = t.run(ns, "turnutils_uclient", *options, "-u", "alice", "-w", "wonderland", "-p", "3478",
                        "-n", "20", "-m", "2", "-l", "170", "-z", "5", server, timeout=30)
    equal(status, 0, "exit status of turnutils_uclient %s" % (options,))
    equal(re.findall(r"tot_send_msgs=(\d+)", out)[-1:], ["40"], "messages")
    return re.findall(r"Total lost packets (-?\d+)", out)[-1:]


@test("turnutils_uclient -T: TCP relaying, over TCP and TLS", timeout=90, not_coturn=WHY)
def uclient_relays(t):
    t.server(**certificate(t))
    equal(uclient(t, t.lab.cli, lab.SRV, "-T"), ["0"], "lost")
    equal(uclient(t, t.lab.cli, lab.SRV, "-T", "-S"), ["0"], "lost, over TLS")


@test("turnutils_uclient -P: its peer connects to it, from loopback", timeout=60)
def uclient_passive(t):
    s = t.server(listening_ip="127.0.0.1", relay_ip="127.0.0.1", allow_loopback_peers=True)
    # it counts what the one end receives only, with any server
    equal(uclient(t, t.lab.srv, "127.0.0.1", "-P"), ["20"], "lost")
    if t.kind == "taciturn":
        s.wait_log(r"session_end.*rx_bytes=3400 .*tx_bytes=3400 ", 5)
