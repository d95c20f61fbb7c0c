"""RFC 8656, sentence by sentence: what a server does with data: sections 9, 11 and 12, over UDP and over TCP,
by the encoder of rawturn.py. That something is dropped shows by what comes next."""
import select
import socket
import struct
import time

import lab
from harness import test
from rawturn import (A_DATA, A_FINGERPRINT, A_ICMP, A_PEER, A_USERNAME, BINDING, CHANNEL_BIND, DATA, DF, REFRESH,
                     SEND, Answer, additional, attr, channel_data, family, icmp_about, lifetime, message, peer,
                     raw_icmp)
from rawturn import channel as chan
from test_rfc8656 import STANDIN, Cases, same, try_all

SIZES = (0, 1, 2, 3, 4, 5, 63, 64, 1199, 1200, 4000)
LEGS = ((lab.CLI, lab.PEER, 1), (lab.CLI6, lab.PEER, 1), (lab.CLI, lab.PEER6, 2), (lab.CLI6, lab.PEER6, 2))


def name(p):
    return p.getsockname()[:2]


def bytes_of(n):
    return bytes((7 * k + n) & 255 for k in range(n))


def pair(w, bind=None, cli=lab.CLI, ip=lab.PEER, kind=1):
    """A client and a permitted peer; the client's channel to it."""
    c, p = w.client(family(kind), ip=cli), w.peer(ip)
    c.permit(ip)
    if bind:
        c.bind(bind, name(p))
    return c, p, next(iter(c.relayed.values()))


def gets(p, data, source):
    got, who = p.recvfrom(65536)
    same((got, who[:2]), (data, source), "what the peer got")


def alive(c):
    """What the client gets next is the answer to this."""
    c.exchange(message(BINDING))
    same(c.inbox, [], "what the client got")


def settle(c):
    """The server has dealt with what other sockets sent before: each answer is from a later pass of the loop
    that owns the allocation."""
    for _ in range(3):
        c.must(REFRESH)


sends = Cases()


@sends("11.2", "the datagram goes from the relayed address to XOR-PEER-ADDRESS with the value of DATA")
def _(w):
    for cli, ip, kind in LEGS:
        c, p, relayed = pair(w, None, cli, ip, kind)
        for n in SIZES:
            c.send(name(p), bytes_of(n))
            gets(p, bytes_of(n), relayed)


@sends("11.2", "it may go to any port of the permitted address")
def _(w):
    c, p, relayed = pair(w)
    for q in (w.peer(), w.peer(), p):
        c.send(name(q), b"here")
        gets(q, b"here", relayed)


DROPPED = [
    ("11.2", "without DATA", lambda p: [peer(*name(p))]),
    ("11.2", "without XOR-PEER-ADDRESS", lambda p: [attr(A_DATA, b"x")]),
    ("11.2", "with neither", lambda p: []),
    ("11.2", "with an XOR-PEER-ADDRESS that is too short", lambda p: [attr(A_PEER, b"\0\1\0\0\0\0\0"), attr(A_DATA, b"x")]),
    ("11.2", "with an XOR-PEER-ADDRESS of no family", lambda p: [attr(A_PEER, b"\0\3" + bytes(6)), attr(A_DATA, b"x")]),
    ("11.2", "to an address without permission", lambda p: [peer(lab.PEER_B, 9), attr(A_DATA, b"x")]),
    ("11.2", "to an address of another family", lambda p: [peer(lab.PEER6, name(p)[1]), attr(A_DATA, b"x")]),
    ("11.2", "to an address that is not allowed", lambda p: [peer("127.0.0.1", name(p)[1]), attr(A_DATA, b"x")]),
    ("11.2", "to port 0", lambda p: [peer(lab.PEER, 0), attr(A_DATA, b"x")]),
    ("6.3.2 of RFC 8489", "with an unknown attribute that must be understood",
     lambda p: [peer(*name(p)), attr(A_DATA, b"x"), attr(0x7ABC)]),
    ("18", "with 0x0010, reserved", lambda p: [peer(*name(p)), attr(A_DATA, b"x"), attr(0x0010, bytes(4))]),
    ("18.9", "with a DONT-FRAGMENT that has a value", lambda p: [peer(*name(p)), attr(A_DATA, b"x"), attr(0x001A, bytes(4))]),
    ("14.7 of RFC 8489", "with a wrong FINGERPRINT",
     lambda p: [peer(*name(p)), attr(A_DATA, b"x"), attr(A_FINGERPRINT, bytes(4))]),
]


def dropped(w, attrs):
    c, p, relayed = pair(w)
    c.put(message(SEND, attrs(p)))
    c.send(name(p), b"the next")
    gets(p, b"the next", relayed)
    alive(c)


sends.rows(dropped, [(s, "a Send indication %s is discarded" % text, attrs) for s, text, attrs in DROPPED])

PASSED = [
    ("11.2", "DATA before XOR-PEER-ADDRESS", lambda p: [attr(A_DATA, b"passed"), peer(*name(p))]),
    ("11.2", "DONT-FRAGMENT", lambda p: [peer(*name(p)), DF, attr(A_DATA, b"passed")]),
    ("5", "credentials, for indications are not authenticated",
     lambda p: [peer(*name(p)), attr(A_DATA, b"passed"), attr(A_USERNAME, b"eve"), attr(0x0014, b"r"), attr(0x0015, b"n"),
                attr(0x0008, bytes(20))]),
    ("14 of RFC 8489", "an unknown attribute that need not be understood",
     lambda p: [attr(0xC0DE, b"abc"), peer(*name(p)), attr(A_DATA, b"passed")]),
    ("14 of RFC 8489", "a second peer and a second DATA, of which the first count",
     lambda p: [peer(*name(p)), peer(lab.PEER_B, 9), attr(A_DATA, b"passed"), attr(A_DATA, b"second")]),
    ("14 of RFC 8489", "padding of any kind", lambda p: [peer(*name(p)), attr(A_DATA, b"passed", pad=b"\xff")]),
    ("18", "attributes of requests", lambda p: [lifetime(0), peer(*name(p)), attr(A_DATA, b"passed")]),
]


def passed(w, attrs):
    c, p, relayed = pair(w)
    c.put(message(SEND, attrs(p)))
    gets(p, b"passed", relayed)
    alive(c)


sends.rows(passed, [(s, "a Send indication may have %s" % text, attrs) for s, text, attrs in PASSED])


@sends("7 of RFC 8489", "a Send indication with a right FINGERPRINT")
def _(w):
    c, p, relayed = pair(w)
    c.put(message(SEND, [peer(*name(p)), attr(A_DATA, b"passed")], fingerprint=True))
    gets(p, b"passed", relayed)


@sends("17", "Send and Data have indications only, and Data comes from servers only")
def _(w):
    c, p, relayed = pair(w)
    for kind in (0x0006, 0x0106, 0x0116, 0x0007, 0x0017, 0x0107, 0x0117):
        c.put(message(kind, [peer(*name(p)), attr(A_DATA, b"not served")]))
    c.send(name(p), b"the next")
    gets(p, b"the next", relayed)
    alive(c)


@sends("17", "the other methods have requests only")
def _(w):
    c, p, relayed = pair(w)
    for kind in (0x0013, 0x0014, 0x0018, 0x0019, 0x0103, 0x0114, 0x0108, 0x0119):
        c.put(message(kind, [lifetime(0)]))
    alive(c)
    c.must(REFRESH)


@sends("5", "without an allocation indications and ChannelData are ignored")
def _(w):
    c, p = w.wire(), w.peer()
    for _ in range(2):
        c.send(name(p), b"no allocation")
        c.say(0x4000, b"no allocation")
        alive(c)
        c.allocate()
        c.permit(lab.PEER)
        c.bind(0x4000, name(p))
        c.must(REFRESH, lifetime(0))
    other, relayed = w.client(), None
    other.permit(lab.PEER)
    relayed = other.relayed[4]
    other.send(name(p), b"the first that comes")
    gets(p, b"the first that comes", relayed)


@sends("9", "the permissions of one allocation are no other's")
def _(w):
    a, p, _ = pair(w, 0x4000)
    b = w.client()
    b.send(name(p), b"no permission")
    p.sendto(b"no permission", b.relayed[4])
    settle(b)
    b.permit(lab.PEER)
    b.send(name(p), b"the next")
    gets(p, b"the next", b.relayed[4])
    p.sendto(b"the next", b.relayed[4])
    same(b.heard(), (name(p), b"the next"), "what the client got")
    alive(a)


datas = Cases()


@datas("11.3", "without a channel: a Data indication with the sender in XOR-PEER-ADDRESS and the octets in DATA")
def _(w):
    for cli, ip, kind in LEGS:
        c, p, relayed = pair(w, None, cli, ip, kind)
        for n in SIZES:
            p.sendto(bytes_of(n), relayed)
            same(c.heard(), (name(p), bytes_of(n)), "what the client got")


@datas("11.3", "a Data indication has these two attributes only, is an indication, and is not authenticated")
def _(w):
    c, p, relayed = pair(w)
    tids = set()
    for _ in range(4):
        p.sendto(b"odd", relayed)
        answer = Answer(c.next())
        same((answer.kind, sorted(n for n, _ in answer.attrs)), (DATA, [A_PEER, A_DATA]), "what it is")
        tids.add(answer.tid)
    same(len(tids), 4, "the number of transaction ids")


@datas("9", "the permission is for the address; the port does not matter")
def _(w):
    c, p, relayed = pair(w)
    for q in (w.peer(), w.peer(), p):
        q.sendto(b"from any port", relayed)
        same(c.heard(), (name(q), b"from any port"), "what the client got")


@datas("9", "a sender without permission is silently discarded")
def _(w):
    c, p, relayed = pair(w)
    stranger = w.peer(lab.PEER_B)
    for _ in range(3):
        stranger.sendto(b"not permitted", relayed)
    p.sendto(b"permitted", relayed)
    same(c.heard(), (name(p), b"permitted"), "what the client got")
    c.permit(lab.PEER_B)
    stranger.sendto(b"permitted", relayed)
    same(c.heard(), (name(stranger), b"permitted"), "what the client got")


@datas("9", "port 0 is a port like others for one who is permitted")
def _(w):
    c, p, relayed = pair(w)
    with w.t.lab.peer.entered():
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    raw.bind((lab.PEER, 0))
    raw.sendto(struct.pack("!HHHH", 0, relayed[1], 12, 0) + b"zero", (relayed[0], 0))
    raw.close()
    same(c.heard(), ((lab.PEER, 0), b"zero"), "what the client got")


@datas("11.3", "after the allocation is deleted nothing is relayed to its client")
def _(w):
    c, p, relayed = pair(w, 0x4000)
    c.must(REFRESH, lifetime(0))
    p.sendto(b"too late", relayed)
    c.say(0x4000, b"too late")
    c.send(name(p), b"too late")
    alive(c)


talks = Cases()


@talks("12.5, 12.6", "a bound channel carries data of any length both ways, over every pair of families")
def _(w):
    for n, (cli, ip, kind) in enumerate(LEGS):
        number = (0x4000, 0x4FFF, 0x4ABC, 0x4001)[n]
        c, p, relayed = pair(w, number, cli, ip, kind)
        for size in SIZES:
            c.say(number, bytes_of(size))
            gets(p, bytes_of(size), relayed)
            p.sendto(bytes_of(size), relayed)
            same(c.heard(), (number, bytes_of(size)), "what the client got")


@talks("12.5", "the server uses the channel where one is bound; other ports of the peer have none")
def _(w):
    c, p, relayed = pair(w, 0x4000)
    q = w.peer()
    for n in range(3):
        p.sendto(b"bound", relayed)
        same(c.heard(), (0x4000, b"bound"), "what the client got")
        q.sendto(b"not bound", relayed)
        same(c.heard(), (name(q), b"not bound"), "what the client got")


@talks("12.5", "a client may use Send indications to a peer with a channel, and mix them with ChannelData")
def _(w):
    c, p, relayed = pair(w, 0x4000)
    for n in range(4):
        c.send(name(p), b"sent %d" % n)
        c.say(0x4000, b"said %d" % n)
        gets(p, b"sent %d" % n, relayed)
        gets(p, b"said %d" % n, relayed)


@talks("12.6", "a number that is not bound is discarded")
def _(w):
    c, p, relayed = pair(w, 0x4000)
    for number in (0x4001, 0x4FFF, 0x4100):
        c.say(number, b"not bound")
    c.say(0x4000, b"bound")
    gets(p, b"bound", relayed)
    alive(c)


@talks("12", "reserved numbers are discarded")
def _(w):
    c, p, relayed = pair(w, 0x4000)
    for number in (0x5000, 0x6001, 0x7FFF, 0x8000, 0xC000, 0xFFFF):
        c.say(number, bytes(16))
    c.say(0x4000, b"bound")
    gets(p, b"bound", relayed)
    alive(c)


@talks("12.6", "a datagram shorter than its length is discarded", over="UDP")
def _(w):
    c, p, relayed = pair(w, 0x4000)
    for data, length in ((b"", 1), (b"abc", 4), (b"abcd", 5), (b"abcd", 0xFFFF)):
        c.put(channel_data(0x4000, data, length))
    for raw in (b"\x40", b"\x40\0", b"\x40\0\0"):
        c.put(raw)
    c.say(0x4000, b"whole")
    gets(p, b"whole", relayed)
    alive(c)


@talks("12.5", "over UDP there may be padding, which is not relayed", over="UDP")
def _(w):
    c, p, relayed = pair(w, 0x4000)
    for n in range(9):
        for more in (-n % 4, 4, 100):
            c.put(channel_data(0x4000, bytes_of(n) + b"\xee" * more, n))
            gets(p, bytes_of(n), relayed)


@talks("12.5", "over TCP messages are padded to four bytes, and follow each other", over="TCP")
def _(w):
    c, p, relayed = pair(w, 0x4000)
    whole = b"".join(channel_data(0x4000, bytes_of(n)) + b"\xee" * (-n % 4) for n in range(20))
    c.sock.sendall(whole + message(SEND, [peer(*name(p)), attr(A_DATA, b"last")]))
    for n in range(20):
        gets(p, bytes_of(n), relayed)
    gets(p, b"last", relayed)
    for n in range(0, len(whole), 7):  # and in pieces that are none
        c.sock.sendall(whole[n:n + 7])
    for n in range(20):
        gets(p, bytes_of(n), relayed)


@talks("12.7, 18.4", "messages to a TCP client are aligned too, whatever their length", over="TCP")
def _(w):
    c, p, relayed = pair(w, 0x4000)
    q = w.peer()
    for n in range(12):
        p.sendto(bytes_of(n), relayed)
        same(c.heard(), (0x4000, bytes_of(n)), "what the client got")
        q.sendto(bytes_of(n), relayed)
        same(c.heard(), (name(q), bytes_of(n)), "what the client got")
    alive(c)


@talks("11.3", "two allocations of one server relay to each other")
def _(w):
    for kind, leg in ((1, 4), (2, 6)):
        a, b = w.client(family(kind)), w.client(family(kind), ip=lab.CLI6)
        a.permit(b.relayed[leg][0])
        a.send(b.relayed[leg], b"b does not permit it")
        alive(a)
        settle(b)
        b.permit(a.relayed[leg][0])
        a.send(b.relayed[leg], b"to b")
        same(b.heard(), (a.relayed[leg], b"to b"), "what b got")
        a.bind(0x4000, b.relayed[leg])
        b.bind(0x4001, a.relayed[leg])
        b.say(0x4001, b"to a")
        same(a.heard(), (0x4000, b"to a"), "what a got")
        a.say(0x4000, b"to b again")
        same(b.heard(), (0x4001, b"to b again"), "what b got")


@talks("9", "an address of the other family is permitted by a permission of its own only")
def _(w):
    c, p, p6 = w.client(additional(2)), w.peer(), w.peer(lab.PEER6)
    c.permit(lab.PEER)
    p6.sendto(b"not permitted", c.relayed[6])
    p.sendto(b"permitted", c.relayed[4])
    same(c.heard(), (name(p), b"permitted"), "what the client got")
    settle(c)
    c.permit(lab.PEER6)
    p6.sendto(b"permitted", c.relayed[6])
    same(c.heard(), (name(p6), b"permitted"), "what the client got")
    c.send(name(p6), b"by IPv6")
    gets(p6, b"by IPv6", c.relayed[6])
    c.send(name(p), b"by IPv4")
    gets(p, b"by IPv4", c.relayed[4])


# --- section 11.5: ICMP. Type, code, the four bytes behind the checksum, and what the client is told of them.

MTU4, MTU6 = struct.pack("!HH", 0, 1300), struct.pack("!I", 1300)
ICMP4 = [(3, n, bytes(4), 0) for n in (0, 1, 2, 3, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15)] + \
    [(3, 4, MTU4, 1300), (11, 0, bytes(4), 0)]  # of 11, 1 Linux tells no socket
ICMP6 = [(1, n, bytes(4), 0) for n in range(7)] + [(2, 0, MTU6, 1300), (3, 0, bytes(4), 0), (3, 1, bytes(4), 0)]
SILENT4 = [(4, 0), (5, 0), (5, 1), (12, 0), (0, 0), (8, 0), (42, 0)]
SILENT6 = [(4, 0), (4, 1), (128, 0), (129, 0), (100, 0)]

errors = Cases()


def icmp_heard(c):
    """Who it is about, type, code and data."""
    answer = Answer(c.next())
    same((answer.kind, sorted(n for n, _ in answer.attrs)), (DATA, [A_PEER, A_ICMP]), "what it is")
    value = answer.get(A_ICMP)
    same((len(value), value[:2]), (8, b"\0\0"), "length and Reserved")
    return answer.addresses(A_PEER)[0], value[2], value[3], struct.unpack("!I", value[4:])[0]


def icmp_case(w, ip, kind, told, silent, bind, router):
    c, p, relayed = pair(w, bind, ip=ip, kind=kind)
    s = raw_icmp(w.t.lab.peer, router)  # that it is not the peer is as it should be
    w.open.append(s)
    for n, code, rest, data in told:
        s.sendto(icmp_about(n, code, rest, relayed, name(p)), (relayed[0], 0))
        try:
            same(icmp_heard(c), (name(p), n, code, data))
        except AssertionError as e:
            raise AssertionError("type %d, code %d: %s" % (n, code, e)) from None
    for n, code in silent:
        s.sendto(icmp_about(n, code, bytes(4), relayed, name(p)), (relayed[0], 0))
    n, code, rest, data = told[0]
    for source, to, protocol in ((relayed, (lab.PEER_B if kind == 1 else lab.PEER6_B, 9), 17),
                                 ((relayed[0], relayed[1] ^ 1), name(p), 17), (relayed, name(p), 6)):
        s.sendto(icmp_about(n, code, rest, source, to, protocol), (relayed[0], 0))
    p.sendto(b"the next", relayed)
    same(c.heard(), (bind or name(p), b"the next"), "what the client got next")
    # another port of the peer that is permitted: the address alone counts
    s.sendto(icmp_about(n, code, rest, relayed, (name(p)[0], 9)), (relayed[0], 0))
    same(icmp_heard(c), ((name(p)[0], 9), n, code, data), "what the client got")
    c.send(name(p), b"and it goes on")
    gets(p, b"and it goes on", relayed)


errors.rows(icmp_case, [
    ("11.5, 18.13", "ICMPv4: types 3 and 11 of a permitted peer are told, and no others", lab.PEER, 1, ICMP4, SILENT4,
     None, lab.PEER_B),
    ("11.5, 12.5", "the same where a channel is bound", lab.PEER, 1, ICMP4, SILENT4, 0x4000, lab.PEER_PUB),
    ("11.5, 18.13", "ICMPv6: types 1, 2 and 3 of a permitted peer are told, and no others", lab.PEER6, 2, ICMP6, SILENT6,
     None, lab.PEER6_B),
    ("11.5, 12.5", "the same for ICMPv6 where a channel is bound", lab.PEER6, 2, ICMP6, SILENT6, 0x4000, lab.PEER6),
])


@errors("11.5", "a port without a listener: the peer's ICMP comes back to the client")
def _(w):
    for cli, ip, kind in LEGS:
        c, p, relayed = pair(w, None, cli, ip, kind)
        gone = w.peer(ip)
        to = name(gone)
        gone.close()
        c.send(to, b"nobody there")
        same(icmp_heard(c), (to, 3, 3, 0) if kind == 1 else (to, 1, 4, 0), "what the client got")


@test("RFC 8656 s.5, 9, 11, 12, 18.13: Send and Data indications, ChannelData, ICMP", timeout=60, not_coturn=STANDIN)
def data(t):
    t.server()
    try_all(t, sends, datas, talks, errors)


@test("RFC 8656 s.11.3: two allocations of one server relay to each other by its external addresses", not_coturn=STANDIN)
def external(t):
    hairpins = Cases()
    outer = {4: "198.41.0.4", 6: "2001:503:ba3e::2:30"}

    @hairpins("7.2, 11.3", "the external address is told, and reached")
    def _(w):
        for kind, leg in ((1, 4), (2, 6)):
            a, b = w.client(family(kind)), w.client(family(kind))
            same((a.relayed[leg][0], b.relayed[leg][0]), (outer[leg], outer[leg]), "the relayed addresses")
            a.permit(outer[leg])
            b.permit(outer[leg])
            a.send(b.relayed[leg], b"by indication")
            same(b.heard(), (a.relayed[leg], b"by indication"), "what b got")
            b.bind(0x4000, a.relayed[leg])
            b.say(0x4000, b"by channel")
            same(a.heard(), (b.relayed[leg], b"by channel"), "what a got")
    t.server(external_ip=["%s/%s" % (outer[4], lab.RELAY), "%s/%s" % (outer[6], lab.RELAY6)])
    try_all(t, hairpins)


lifetimes, PERMISSION_S, CHANNEL_S = Cases(), 2, 6


def gone(fn, text):
    """What was there has ended, which no event announces."""
    end = time.monotonic() + 4 * CHANNEL_S
    while fn():
        if time.monotonic() > end:
            raise AssertionError("never: " + text)
        select.select([], [], [], 0.1)


def passes(c, p, relayed):
    """Whether a datagram of the peer's comes to the client, and how it comes."""
    p.sendto(b"still?", relayed)
    settle(c)
    c.exchange(message(BINDING))
    return bool(c.inbox) and c.heard()[0]


@lifetimes("9", "a permission expires by its time, is not refreshed by data, and comes back by CreatePermission")
def _(w):
    c, p, relayed = pair(w)
    same(passes(c, p, relayed), name(p), "who is heard")
    gone(lambda: [c.send(name(p), b"data refreshes nothing"), passes(c, p, relayed)][1], "the permission expires")
    q = w.peer()
    c.send(name(q), b"not permitted")
    c.permit(lab.PEER)
    c.send(name(q), b"permitted")
    gets(q, b"permitted", relayed)
    same(passes(c, p, relayed), name(p), "who is heard")


@lifetimes("9", "a CreatePermission of another address refreshes nothing")
def _(w):
    c, p, relayed = pair(w)
    gone(lambda: [c.permit(lab.PEER_B), passes(c, p, relayed)][1], "the permission expires")


@lifetimes("9, 12", "a channel outlives its permission, and carries nothing then; ChannelBind refreshes both")
def _(w):
    c, p, relayed = pair(w, 0x4000)
    gone(lambda: [c.say(0x4000, b"data refreshes nothing"), passes(c, p, relayed)][1], "the permission expires")
    same(c.ask(CHANNEL_BIND, chan(0x4000), peer(lab.PEER, 9)).code, 400, "the code: it is bound still")
    q = w.peer()
    c.bind(0x4001, name(q))
    c.say(0x4001, b"permitted")
    gets(q, b"permitted", relayed)
    same(passes(c, p, relayed), 0x4000, "the channel, for the address is permitted again,")


@lifetimes("12", "a channel expires by its time; then number and address are free, and data comes as an indication",
           over="UDP")
def _(w):
    c, p, relayed = pair(w, 0x4000)

    def bound():
        c.permit(lab.PEER)  # which is not to expire, and does not refresh the channel
        return passes(c, p, relayed) == 0x4000
    gone(bound, "the channel expires")
    same(passes(c, p, relayed), name(p), "who is heard")
    c.say(0x4000, b"not bound")
    c.bind(0x4001, name(p))
    c.bind(0x4000, (lab.PEER, 9))
    same(passes(c, p, relayed), 0x4001, "the channel")


@lifetimes("12", "rebinding the same channel resets its time", over="UDP")
def _(w):
    c, p, relayed = pair(w, 0x4000)
    end = time.monotonic() + CHANNEL_S + 1
    while time.monotonic() < end:
        c.bind(0x4000, name(p))
        same(passes(c, p, relayed), 0x4000, "the channel")
        select.select([], [], [], 0.2)


@test("RFC 8656 s.9, 12: permissions and channels expire, with their times made shorter", timeout=120,
      not_coturn=STANDIN)
def expiry(t):
    t.server(permission_lifetime=PERMISSION_S, channel_lifetime=CHANNEL_S)
    try_all(t, lifetimes)
