"""RFC 6062, sentence by sentence: every case is named by its section and says what the sentence promises. What
takes its 30 seconds is in test_tcp_relay.py."""
import contextlib
import socket
import struct

import lab
from harness import check, equal
from rawstun import *  # noqa: F403: its names are the vocabulary of this file
from sentences import DATAGRAMS, EVERYWHERE, STREAMS, Cases, wire

case = Cases()
case.module = __name__
NOBODY = b"\x12\x34\x56\x78"  # a CONNECTION-ID that nobody has


def gone(w):
    w.request(REFRESH, [(A_LIFETIME, bytes(4))])


@contextlib.contextmanager
def listening(t, ip=lab.PEER):
    """A peer that waits for connections."""
    with t.lab.peer.entered():
        s = socket.socket(lab.family_of(ip), socket.SOCK_STREAM)
    s.bind((ip, 0))
    s.listen(16)
    s.settimeout(5 * t.scale)
    yield s
    s.close()


@contextlib.contextmanager
def control(w):
    """A TCP allocation on this wire; yields its relayed address."""
    a = w.request(ALLOCATE, [TCP])
    yield unxored(get(a, A_RELAYED), a.tid)
    gone(w)


def bind(w, ident, want=0, attrs=()):
    """Another connection of the same client, that is to be bound; the answer, and the connection."""
    v = wire(w.t, w.name)
    a = v.request(CONNECTION_BIND, [(A_CONNECTION_ID, ident), *attrs], want=want)
    return a, v


def connected(w, peer):
    """The id that a Connect brings, and the peer's end of the connection."""
    a = w.request(CONNECT, [(A_PEER, peer.getsockname()[:2])])
    equal([n for n, _v in a.attrs if n != A_INTEGRITY], [A_CONNECTION_ID], "attributes")
    s, source = peer.accept()
    s.settimeout(5 * w.scale)
    return get(a, A_CONNECTION_ID), s, source[:2]


def attempt(w, s):
    """The id that the next ConnectionAttempt brings; it is for this connection of a peer's."""
    got = w.next()
    check(got is not None, "no ConnectionAttempt")
    a = read(got)
    equal(a.type, CONNECTION_ATTEMPT, "type")
    equal(unxored(get(a, A_PEER), a.tid), s.getsockname()[:2], "XOR-PEER-ADDRESS")
    equal(len(get(a, A_CONNECTION_ID)), 4, "length of CONNECTION-ID")
    return get(a, A_CONNECTION_ID)


def calling(w, relayed, ip=lab.PEER):
    """A connection of a peer's to the relayed address."""
    return w.t.lab.peer.tcp(ip, relayed, timeout=5 * w.scale)


def passes(v, s, text=b"as it is"):
    """Both ways, without any encapsulation."""
    v.send(text)
    equal(taken(s, len(text)), text, "what the peer got")
    s.sendall(text[::-1])
    equal(v.stream(len(text)), text[::-1], "what the client got")


def taken(s, n):
    """What the peer gets: n bytes, or fewer and the end of the connection."""
    out = b""
    with contextlib.suppress(ConnectionResetError):
        while len(out) < n:
            got = s.recv(n - len(out))
            if not got:
                break
            out += got
    return out


# --- s.5.1: Allocate

@case("5.1", "(1) a protocol other than UDP or TCP: 442", EVERYWHERE)
def _(w):
    for proto in [p for p in range(256) if p not in (6, 17)][::5] + [255, 132, 58]:
        w.request(ALLOCATE, [(A_TRANSPORT, bytes([proto, 0, 0, 0]))], want=442)


@case("5.1", "(1) UDP: the procedures of TURN", STREAMS)
def _(w):
    w.request(ALLOCATE, [UDP])
    gone(w)
    w.request(ALLOCATE, [UDP, (A_DONT_FRAGMENT, b""), (A_EVEN_PORT, b"\0")])
    gone(w)


@case("5.1", "(2) the client's transport is not TCP or TLS: 400", DATAGRAMS)
def _(w):
    w.request(ALLOCATE, [TCP], want=400)
    w.request(ALLOCATE, [TCP, (A_LIFETIME, b"\0\0\3\0")], want=400)
    w.request(REFRESH, want=437)


@case("5.1", "(3) DONT-FRAGMENT, EVEN-PORT or RESERVATION-TOKEN: 400", STREAMS)
def _(w):
    for attrs in ([(A_DONT_FRAGMENT, b"")], [(A_EVEN_PORT, b"\0")], [(A_EVEN_PORT, b"\x80")], [(A_TOKEN, bytes(8))],
                  [(A_DONT_FRAGMENT, b""), (A_EVEN_PORT, b"\0")], [(A_TOKEN, bytes(8)), (A_DONT_FRAGMENT, b"")]):
        w.request(ALLOCATE, [TCP] + attrs, want=400)
        w.request(ALLOCATE, attrs + [TCP], want=400)
    w.request(REFRESH, want=437)


@case("5.1", "(4) a TCP relayed transport address is allocated, (5) without RESERVATION-TOKEN; it is listened on", STREAMS)
def _(w):
    a = w.request(ALLOCATE, [TCP])
    equal([n for n, _v in a.attrs if n != A_INTEGRITY], [A_RELAYED, A_LIFETIME, A_XOR_MAPPED], "attributes")
    equal(unxored(get(a, A_XOR_MAPPED), a.tid), w.here, "mapped address")
    relayed = unxored(get(a, A_RELAYED), a.tid)
    equal(relayed[0], lab.RELAY, "relayed address")
    calling(w, relayed).close()
    with w.t.lab.peer.entered():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5 * w.scale)
    s.connect(relayed)
    s.send(b"x")
    try:
        s.recv(10)
        check(False, "the UDP port is open")
    except ConnectionRefusedError:
        pass
    s.close()
    gone(w)


@case("4.1", "a LIFETIME MAY be included, with semantics identical to the UDP case", STREAMS)
def _(w):
    for asked, given in ((900, 900), (1, 600), (100000, 3600)):
        a = w.request(ALLOCATE, [TCP, (A_LIFETIME, struct.pack("!I", asked))])
        equal(get(a, A_LIFETIME), struct.pack("!I", given), "lifetime")
        equal(get(w.request(REFRESH, [(A_LIFETIME, struct.pack("!I", 1200))]), A_LIFETIME), struct.pack("!I", 1200),
              "lifetime after Refresh, s.4.2")
        gone(w)


@case("5.1 policy", "(1) UDP where local policy forbids it: 403", EVERYWHERE)
def _(w):
    w.request(ALLOCATE, [UDP], want=403)
    if w.reliable:
        w.request(ALLOCATE, [TCP])


# --- s.5.2: Connect

@case("5.2", "no allocation: 437", EVERYWHERE)
def _(w):
    w.request(CONNECT, [(A_PEER, (lab.PEER, 9))], want=437)
    w.request(CONNECT, want=437)


@case("5.2", "no XOR-PEER-ADDRESS, or an invalid one: 400", STREAMS)
def _(w):
    with control(w):
        for attrs in ([], [(A_PEER, b"")], [(A_PEER, bytes(4))], [(A_PEER, b"\0\1\x21\x13" + bytes(3))],
                      [(A_PEER, b"\0\1\x21\x13" + bytes(16))], [(A_PEER, b"\0\2\x21\x13" + bytes(4))],
                      [(A_PEER, b"\0\0\x21\x13" + bytes(4))], [(A_PEER, b"\0\3\x21\x13" + bytes(4))],
                      [(A_CONNECTION_ID, NOBODY)]):
            w.request(CONNECT, attrs, want=400)


@case("5.2", "forbidden by local policy: 403", STREAMS)
def _(w):
    with control(w):
        for ip in (lab.PEER_B, "127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"):
            w.request(CONNECT, [(A_PEER, (ip, 9))], want=403)


@case("5.2", "the connection attempt fails: 447, and it may be tried again", STREAMS)
def _(w):
    with control(w):
        with listening(w.t) as peer:
            to = peer.getsockname()
        for _i in range(3):
            w.request(CONNECT, [(A_PEER, to)], want=447)


@case("5.2", "the local endpoint is the relayed transport address, the remote one XOR-PEER-ADDRESS", STREAMS)
def _(w):
    with control(w) as relayed, listening(w.t) as one, listening(w.t) as other:
        for peer in (one, other):
            _id, s, source = connected(w, peer)
            equal(source, relayed, "where the connection comes from")
            s.close()


@case("5.2", "the same XOR-PEER-ADDRESS while the connections are pending or active: 446; afterwards not", STREAMS)
def _(w):
    with control(w), listening(w.t) as peer, listening(w.t) as other:
        to = (A_PEER, peer.getsockname())
        ident, s, _from = connected(w, peer)
        w.request(CONNECT, [to], want=446)
        _a, v = bind(w, ident)
        w.request(CONNECT, [to], want=446)
        passes(v, s)
        second = connected(w, other)
        check(second[0] != ident, "the same CONNECTION-ID twice")
        second[1].close()
        v.close()
        equal(s.recv(10), b"", "what the peer got")
        s.close()
        w.t.until(lambda: code(w.ask(w.signed(CONNECT, [to]))) == 0, "a new connection to the same peer")


@case("5.2", "the same XOR-PEER-ADDRESS while a Connect is being processed: 446", STREAMS)
def _(w):
    with control(w):
        silent = (A_PEER, ("10.2.0.99", 9))  # a host that there is not: its address is asked for in vain
        sent = [w.signed(CONNECT, [silent]) for _i in range(2)]
        w.send(sent[0])
        a = w.ask(sent[1])
        equal((code(a), signature(a, w.key)), (446, "1"), "answer to the second")


@case("5.2", "requests MAY be sent simultaneously, for different peers (s.4.3); each answer is that of its request", STREAMS)
def _(w):
    with control(w), contextlib.ExitStack() as stack:
        peers = [stack.enter_context(listening(w.t)) for _i in range(8)]
        sent = [w.signed(CONNECT, [(A_PEER, p.getsockname())]) for p in peers]
        w.send(b"".join(sent))
        got = [read(w.next()) for _p in peers]
        equal({a.tid: code(a) for a in got}, {raw[8:20]: 0 for raw in sent}, "answers")
        equal(len({get(a, A_CONNECTION_ID) for a in got}), 8, "number of ids")


@case("5.2", "the peer's data before the bind is buffered", STREAMS)
def _(w):
    with control(w), listening(w.t) as peer:
        ident, s, _from = connected(w, peer)
        s.sendall(b"early" * 1000)
        _a, v = bind(w, ident)
        equal(v.stream(5000), b"early" * 1000, "what came before the bind")
        passes(v, s)
        s.close()


# --- s.5.3: connections from peers

@case("5.3", "without a permission the connection is closed at once, and nothing is sent to the client", STREAMS)
def _(w):
    with control(w) as relayed:
        w.request(PERMIT, [(A_PEER, (lab.PEER, 0))])
        stranger = calling(w, relayed, lab.PEER_B)
        equal(stranger.recv(10), b"", "what the stranger got")
        stranger.close()
        w.silent()


@case("5.3", "with one: ConnectionAttempt with XOR-PEER-ADDRESS and a CONNECTION-ID for each connection", STREAMS)
def _(w):
    with control(w) as relayed:
        w.request(PERMIT, [(A_PEER, (lab.PEER, 5))])
        ids = set()
        for _i in range(4):
            s = calling(w, relayed)
            ids.add(attempt(w, s))
        equal(len(ids), 4, "number of ids")


@case("5.3", "data is buffered from the accept on, and passed after the bind", STREAMS)
def _(w):
    with control(w) as relayed:
        w.request(PERMIT, [(A_PEER, (lab.PEER, 0))])
        s = calling(w, relayed)
        s.sendall(b"hello from the peer")
        _a, v = bind(w, attempt(w, s))
        equal(v.stream(19), b"hello from the peer", "what came before the bind")
        passes(v, s)
        s.close()


# --- s.5.4: ConnectionBind

@case("5.4", "the client's transport is not TCP or TLS: 400", DATAGRAMS)
def _(w):
    w.request(CONNECTION_BIND, [(A_CONNECTION_ID, NOBODY)], want=400)
    w.request(CONNECTION_BIND, want=400)


@case("5.4", "… also for an id that waits", ("TCP",))
def _(w):
    with control(w), listening(w.t) as peer:
        ident, s, _from = connected(w, peer)
        for name in DATAGRAMS:
            wire(w.t, name).request(CONNECTION_BIND, [(A_CONNECTION_ID, ident)], want=400)
        passes(bind(w, ident)[1], s)


@case("5.4", "no CONNECTION-ID, or none of a pending connection: 400; the connection can be bound after that", STREAMS)
def _(w):
    with control(w), listening(w.t) as peer:
        ident, s, _from = connected(w, peer)
        v = wire(w.t, w.name)
        other = bytes([ident[0] ^ 0x80]) + ident[1:]
        for attrs in ([], [(A_CONNECTION_ID, b"")], [(A_CONNECTION_ID, ident[:3])], [(A_CONNECTION_ID, ident + b"\0")],
                      [(A_CONNECTION_ID, ident * 2)], [(A_CONNECTION_ID, other)], [(A_CONNECTION_ID, ident[::-1])],
                      [(A_CONNECTION_ID, other), (A_CONNECTION_ID, ident)]):
            v.request(CONNECTION_BIND, attrs, want=400)
        a = v.request(CONNECTION_BIND, [(A_CONNECTION_ID, ident)])
        equal((a.type, numbers(a)), (CONNECTION_BIND_OK, [A_INTEGRITY]), "answer")
        passes(v, s)
        bind(w, ident, want=400)  # it is active, no longer pending


@case("5.4", "an id whose peer has gone is bound and ends, or refers to nothing", STREAMS)
def _(w):
    with control(w), listening(w.t) as peer:
        ident, s, _from = connected(w, peer)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
        v = wire(w.t, w.name)
        v.challenge()
        a = v.ask(v.signed(CONNECTION_BIND, [(A_CONNECTION_ID, ident)]))
        check(code(a) in (0, 400), "%d", code(a))
        check(code(a) or v.await_end(), "the data connection stays open")


@case("5.4", "it is authenticated as any request: 401, 400, 401, 438, 420", STREAMS)
def _(w):
    with control(w), listening(w.t) as peer:
        ident, s, _from = connected(w, peer)
        v, want = wire(w.t, w.name), (A_CONNECTION_ID, ident)
        equal(code(v.ask(message(CONNECTION_BIND, [want]))), 401, "code without credentials")
        v.challenge()
        equal(code(v.ask(v.signed(CONNECTION_BIND, [want], user=None))), 400, "code without a name")
        equal(code(v.ask(with_integrity(v.unsigned(CONNECTION_BIND, [want]), b"k"))), 401, "code of a wrong password")
        equal(code(v.ask(v.signed(CONNECTION_BIND, [want], nonce=b"stale"))), 438, "code of a stale nonce")
        v.request(CONNECTION_BIND, [want, (0x7001, b"")], want=420)
        v.user, v.password = b"bob", b"builder"
        check(code(v.ask(v.signed(CONNECTION_BIND, [want]))) in (400, 401, 441), "another user may bind, s.4.4")
        v.user, v.password = b"alice", b"wonderland"
        v.request(CONNECTION_BIND, [want])
        passes(v, s)


@case("5.4", "a control connection cannot become a data connection", STREAMS)
def _(w):
    with control(w), listening(w.t) as peer:
        ident, s, _from = connected(w, peer)
        w.request(CONNECTION_BIND, [(A_CONNECTION_ID, ident)], want=400)
        passes(bind(w, ident)[1], s)


@case("5.4", "data received on it MUST be sent as-is: STUN, ChannelData, and what comes in one piece with the request",
      STREAMS)
def _(w):
    with control(w), listening(w.t) as peer:
        ident, s, _from = connected(w, peer)
        v = wire(w.t, w.name)
        v.challenge()
        raw = v.signed(CONNECTION_BIND, [(A_CONNECTION_ID, ident)])
        text = message(BINDING) + b"\x40\0\0\4data" + b"GET / HTTP/1.0\r\n\r\n" + bytes(range(256)) + \
            v.signed(CONNECTION_BIND, [(A_CONNECTION_ID, ident)]) + b"\x16\x03\x01"
        v.send(raw + text)
        equal(read(v.next()).type, CONNECTION_BIND_OK, "type")
        equal(taken(s, len(text)), text, "what the peer got")
        passes(v, s, message(BINDING))
        passes(v, s, bytes(100000))


# --- s.5.5: the end

@case("5.5", "the client closes: the peer data connection MUST be closed, after all that was sent", STREAMS)
def _(w):
    with control(w), listening(w.t) as peer:
        ident, s, _from = connected(w, peer)
        _a, v = bind(w, ident)
        v.send(b"last words")
        v.close()
        equal(taken(s, 100), b"last words", "what the peer got until the end")


@case("5.5", "the peer closes: the client data connection MUST be closed, after all that was sent", STREAMS)
def _(w):
    with control(w), listening(w.t) as peer:
        ident, s, _from = connected(w, peer)
        _a, v = bind(w, ident)
        s.sendall(b"last words")
        s.close()
        equal(v.stream(100), b"last words", "what the client got until the end")
        check(v.ended, "the data connection stays open")


@case("5.5", "the allocation ends: the data connection MUST be closed, pending ones too; the control connection stays",
      STREAMS)
def _(w):
    with control(w), listening(w.t) as peer, listening(w.t) as other:
        ident, s, _from = connected(w, peer)
        waiting = connected(w, other)[1]
        _a, v = bind(w, ident)
        gone(w)
        equal((taken(s, 10), taken(waiting, 10)), (b"", b""), "what the peers got")
        equal(v.stream(1), b"", "what the client got")
        check(v.ended, "the data connection stays open")
        w.request(CONNECT, [(A_PEER, peer.getsockname())], want=437)
        w.request(ALLOCATE, [TCP])


@case("5.5", "the control connection ends, and the allocation and all its connections with it", STREAMS)
def _(w):
    with listening(w.t) as peer:
        v = wire(w.t, w.name)
        v.request(ALLOCATE, [TCP])
        ident, s, _from = connected(v, peer)
        _a, data = bind(v, ident)
        passes(data, s)
        v.close()
        equal(s.recv(10), b"", "what the peer got")
        equal(data.stream(1), b"", "what the client got")


@case("3", "only application data on a data connection, only TURN messages on a control connection", STREAMS)
def _(w):
    peer = w.t.peer(lab.PEER)
    with control(w):
        w.request(PERMIT, [(A_PEER, peer.getsockname())])
        w.silent(message(SEND_IND, [(A_PEER, peer.getsockname()), (A_DATA, b"x")]), b"\x40\0\0\4data")
    peer.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        check(False, "the peer got %r", peer.recv(100))
    peer.close()


case.test("allocate: a TCP allocation", "4.1", "5.1")
case.test("policy: UDP is forbidden", "5.1 policy", no_udp_relay=True)
case.test("connect: to peers", "5.2", denied_peer_ip=lab.PEER_B)
case.test("attempts: from peers", "5.3")
case.test("bind: who may, and what passes then", "3", "5.4")
case.test("ends: each end closes the other, the allocation both", "5.5")
