"""RFC 8489, with what RFC 7350, 7443 and 7983 add, sentence by sentence: every case is named by its section and
says what the sentence promises. One server serves all the cases of a test; each has a way to it of its own."""
import socket
import struct

import lab
from harness import check, equal
from rawstun import *  # noqa: F403: its names are the vocabulary of this file
from sentences import DATAGRAMS, STREAMS, UDP_ONLY, Cases, wire

case = Cases()
case.module = __name__


def first(w, *attrs):
    """A first request: without credentials."""
    return message(ALLOCATE, [UDP, *attrs])


# --- s.5: the header

@case("5", "the most significant 2 bits of every message MUST be zeroes", DATAGRAMS)
def _(w):
    w.silent(*(bytes([top | byte]) + message(BINDING)[1:] for top in (0x40, 0x80, 0xC0) for byte in (0, 1)))


@case("5", "the cookie MUST contain 0x2112A442 in network byte order", UDP_ONLY)
def _(w):
    good = int.from_bytes(COOKIE, "big")
    w.silent(*(message(BINDING, cookie=(good ^ 1 << bit).to_bytes(4, "big")) for bit in range(32)))
    w.silent(*(message(BINDING, cookie=c) for c in (bytes(4), b"\xff" * 4, COOKIE[::-1])))


@case("5", "a Binding request is 0x0001, its response 0x0101; the transaction id is echoed")
def _(w):
    for tid in (bytes(12), b"\xff" * 12, COOKIE * 3, bytes(range(12))):
        equal(w.ask(message(BINDING, tid=tid))[:2], (BINDING_OK, tid), "type and transaction")


@case("5", "error responses MUST carry the transaction id of their request")
def _(w):
    for tid in (bytes(12), b"\xff" * 12):
        for kind, attrs in ((BINDING, [(0x7001, b"")]), (ALLOCATE, [UDP])):
            a = w.ask(message(kind, attrs, tid=tid))
            equal((a.type, a.tid), (kind | 0x0110, tid), "type and transaction")


@case("5", "the length is the message's without its header", DATAGRAMS)
def _(w):
    whole = message(BINDING, [(A_SOFTWARE, b"test")])
    for length in (0, 4, 12, 16, 0xFFFC):
        w.silent(whole[:2] + struct.pack("!H", length) + whole[4:])
    w.silent(message(BINDING) + bytes(4), message(BINDING) + bytes(1), whole[:-1], whole[:-4], whole + bytes(1))


@case("5", "the last 2 bits of the length are always zero", DATAGRAMS)
def _(w):
    for n in (1, 2, 3, 5, 6, 7):
        w.silent(message(BINDING, [bytes(n)]))
    for n in (1, 2, 3):  # an attribute that is not padded
        w.silent(message(BINDING, [attr(A_SOFTWARE, b"x" * n, padding=b"")]))


@case("5", "what is shorter than a header is no message", DATAGRAMS)
def _(w):
    w.silent(*(message(BINDING)[:n] for n in range(1, 20)))


# --- s.6.2.2: streams

@case("6.2.2", "no framing: messages follow one another, wherever they are cut", STREAMS)
def _(w):
    sent = [message(BINDING, [(A_SOFTWARE, b"s" * n)]) for n in range(4)]
    for raw in sent:
        for i in range(len(raw)):
            w.send(raw[i:i + 1])
        equal(read(w.next()).tid, raw[8:20], "transaction")
    both = sent[0] + sent[3]
    for cut in range(1, len(both)):
        w.send(both[:cut])
        w.send(both[cut:])
        equal([read(w.next()).tid for _ in range(2)], [sent[0][8:20], sent[3][8:20]], "transactions")


@case("6.2.2", "the client MAY send another request before receiving a response to the previous one")
def _(w):
    sent = [message(BINDING) for _ in range(50)]
    if w.reliable:
        w.send(b"".join(sent))
    else:
        for raw in sent:
            w.send(raw)
    got = [read(w.next()).tid for _ in sent]
    equal(got if w.reliable else sorted(got), [r[8:20] for r in sent] if w.reliable else
          sorted(r[8:20] for r in sent), "transactions")


@case("6.2.2", "requests with and without credentials, good and bad ones, in one piece", STREAMS)
def _(w):
    w.challenge()
    sent = [w.signed(ALLOCATE, [UDP]), message(BINDING), w.signed(REFRESH), message(REFRESH),
            w.signed(REFRESH, [(0x7001, b"")]), w.signed(REFRESH, nonce=None), message(BINDING_IND),
            message(0x0FFF & 0x3EEF), w.signed(REFRESH, [(A_LIFETIME, bytes(4))]), w.signed(REFRESH)]
    w.send(b"".join(sent))
    got = [read(w.next()) for _ in range(8)]
    equal([code(a) for a in got], [0, 0, 0, 401, 420, 400, 0, 437], "codes")
    equal([a.tid for a in got], [sent[i][8:20] for i in (0, 1, 2, 3, 4, 5, 8, 9)], "transactions")


@case("6.2.2", "the server SHOULD NOT close a connection before it answered: a client that ends its side", ("TCP",))
def _(w):
    w.challenge()
    for raw in (message(BINDING), first(w), w.signed(ALLOCATE, [UDP]), w.signed(ALLOCATE, [TCP])):
        v = wire(w.t, w.name)
        v.send(raw + message(BINDING))
        v.sock.shutdown(socket.SHUT_WR)
        equal(read(v.next()).tid, raw[8:20], "transaction")
        equal(read(v.next()).type, BINDING_OK, "type")
        check(v.await_end(), "the connection stays open")


@case("6.2.2", "the server SHOULD keep the connection open: after answers, errors and what is dropped", STREAMS)
def _(w):
    w.silent(message(BINDING_IND), message(BINDING_OK), message(BINDING_ERR), message(0x0FFF & 0x3EEF),
             with_fingerprint(message(BINDING), off=1), message(SEND_IND))
    for _i in range(3):
        equal(code(w.ask(message(BINDING, [(0x7001, b"")]))), 420, "code")
        equal(code(w.ask(first(w))), 401, "code")
        equal(w.ask(message(BINDING)).type, BINDING_OK, "type")


@case("6.2.2", "the longest message there can be is cut out of the stream", STREAMS)
def _(w):
    body = attr(0xFF00, bytes(65528))
    equal(len(body), 65532, "length")
    equal(w.ask(message(BINDING, [body])).type, BINDING_OK, "type")
    equal(w.ask(message(BINDING)).type, BINDING_OK, "type")


# --- s.6.3: receiving

@case("6.3", "a method that is not supported: silently discarded, whatever the class")
def _(w):
    for kind in (0x0000, 0x0002, 0x0005, 0x000D, 0x000F, 0x002F, 0x00E0, 0x00EF, 0x0200, 0x0201, 0x0300):
        for cls in (0x0000, 0x0010, 0x0100, 0x0110):
            w.silent(message(kind | cls))


@case("6.3", "a class that is not allowed for the method: silently discarded")
def _(w):
    for method in (ALLOCATE, REFRESH, PERMIT, CHANNEL_BIND, CONNECT, CONNECTION_BIND):
        w.silent(*(message(method | cls, [UDP]) for cls in (0x0010, 0x0100, 0x0110)))
    w.silent(message(0x0006), message(0x0007), message(0x000C), message(0x0106), message(0x0117))


@case("6.3", "a response to no transaction in progress: silently discarded")
def _(w):
    w.silent(message(BINDING_OK, [(A_XOR_MAPPED, ("192.0.2.1", 1))]),
             message(BINDING_ERR, [(A_ERROR, b"\0\0\4\0")]), message(ALLOCATE_OK), message(ALLOCATE_ERR))


@case("6.3", "FINGERPRINT that is wrong: silently discarded, for any bit of it")
def _(w):
    w.silent(*(with_fingerprint(message(BINDING), off=1 << bit) for bit in range(32)))
    w.silent(*(with_fingerprint(first(w), off=1 << bit) for bit in range(0, 32, 5)))
    equal(w.ask(with_fingerprint(message(BINDING))).type, BINDING_OK, "type")


@case("6.3", "FINGERPRINT over other bytes than these: silently discarded")
def _(w):
    raw = with_fingerprint(message(BINDING, [(A_SOFTWARE, b"abcd")]))
    for at in list(range(8, 20)) + [24, 27]:
        w.silent(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1:])


@case("6.3", "an attribute that leaves the message: silently discarded", DATAGRAMS)
def _(w):
    for number in (A_SOFTWARE, A_USERNAME, 0x7001, 0xFF00, A_INTEGRITY, A_FINGERPRINT):
        for length in (1, 5, 8, 1000, 0xFFFF):
            w.silent(message(BINDING, [attr(number, b"", length=length)]))
    w.silent(message(BINDING, [attr(A_SOFTWARE, b"good"), attr(A_SOFTWARE, b"1234", length=5)]))


@case("6.3", "unknown comprehension-optional attributes MUST be ignored")
def _(w):
    for number in (0x8000 + 0x40, 0x80FF, 0x8029, 0x9000, 0xBFFF, 0xC000, 0xC001, 0xC057, 0xFFFF):
        for value in (b"", b"1", bytes(400)):
            equal(w.ask(message(BINDING, [(number, value)])).type, BINDING_OK, "type with 0x%04x" % number)
    equal(code(w.ask(first(w, *((0xE000 + n, b"") for n in range(60))))), 401, "code")


@case("6.3", "known-but-unexpected attributes SHOULD be ignored")
def _(w):
    known = [(A_MAPPED, b"\0\1\0\1\1\2\3\4"), (A_USERNAME, b"someone"), (A_ERROR, b"\0\0\4\0"),
             (A_UNKNOWN, b"\x70\1"), (A_REALM, b"elsewhere"), (A_NONCE, b"none"), (A_ALGORITHM, ALGO_MD5),
             (A_USERHASH, bytes(32)), (A_XOR_MAPPED, ("192.0.2.1", 9)), (A_XOR_MAPPED, ("2001:db8::1", 9)),
             (A_ALGORITHMS, ALGO_MD5 + ALGO_SHA256), (A_ALTERNATE_DOMAIN, b"turn.test"),
             (A_ALTERNATE_SERVER, b"\0\1\0\1\1\2\3\4"), (A_SOFTWARE, b"by hand"), (A_CHANNEL, b"\x40\0\0\0"),
             (A_LIFETIME, b"\0\0\0\1"), (A_PEER, ("192.0.2.1", 9)), (A_DATA, b"data"), UDP,
             (A_RELAYED, ("192.0.2.1", 9)), (A_DONT_FRAGMENT, b""), (A_CONNECTION_ID, bytes(4))]
    for a in known:
        equal(w.ask(message(BINDING, [a])).type, BINDING_OK, "type with 0x%04x" % a[0])
    equal(w.ask(message(BINDING, known)).type, BINDING_OK, "type with all")


@case("6.3", "first the credentials, then the unknown attributes")
def _(w):
    w.challenge()
    strange = [UDP, (0x7001, b"strange")]
    equal(code(w.ask(message(ALLOCATE, strange))), 401, "code without credentials")
    equal(code(w.ask(with_integrity(w.unsigned(ALLOCATE, strange), b"wrong"))), 401, "code of a wrong password")
    equal(code(w.ask(w.signed(ALLOCATE, strange, user=None))), 400, "code without a name")
    equal(code(w.ask(w.signed(ALLOCATE, strange, nonce=w.nonce[:-4] + b"AAAA"))), 438, "code of a bad nonce")
    a = w.request(ALLOCATE, strange, want=420)
    equal(get(a, A_UNKNOWN), b"\x70\1", "what is unknown")


# --- s.6.3.1: requests

@case("6.3.1", "420 lists the unknown comprehension-required attributes, and only these")
def _(w):
    for types in ([0x7001], [0x0002], [0x0000], [0x7FFF], [0x0024, 0x0025], [0x0004, 0x0005, 0x0007],
                  [0x000B, 0x7FFF, 0x7FFE, 0x0021], [0x000E], list(range(0x2000, 0x2040))):
        a = w.ask(message(BINDING, [(0xFF01, b"x")] + [(n, b"") for n in types] + [(A_SOFTWARE, b"x")]))
        equal((a.type, code(a)), (BINDING_ERR, 420), "answer to %r" % types)
        equal(get(a, A_UNKNOWN), struct.pack("!%dH" % len(types), *types), "UNKNOWN-ATTRIBUTES")


@case("6.3.1", "in a request that passed the checks, too; its answer is authenticated")
def _(w):
    for kind in (ALLOCATE, REFRESH, PERMIT, CHANNEL_BIND):
        a = w.request(kind, [(0x7001, b"1"), (0x7002, b"22")], want=420)
        equal(get(a, A_UNKNOWN), b"\x70\1\x70\2", "UNKNOWN-ATTRIBUTES")


@case("6.3.1", "a request that is repeated gets the same answer, as Binding is idempotent")
def _(w):
    raw = message(BINDING, [(A_SOFTWARE, b"again")])
    equal(len({w.ask(raw).raw for _i in range(5)}), 1, "number of different answers")


@case("6.3.1", "retransmissions leave the state as one request does", DATAGRAMS)
def _(w):
    w.challenge()
    raw = w.signed(ALLOCATE, [UDP])
    for _i in range(3):  # without waiting for an answer
        w.send(raw)
    got = [read(w.next()) for _i in range(3)]
    equal([code(a) for a in got], [0, 0, 0], "codes")
    equal(len({get(a, A_RELAYED)[2:] for a in got}), 1, "number of relayed addresses")
    raw = w.signed(REFRESH, [(A_LIFETIME, b"\0\0\3\x84")])
    equal([get(w.ask(raw), A_LIFETIME) for _i in range(3)], [b"\0\0\3\x84"] * 3, "lifetimes")
    w.request(REFRESH, [(A_LIFETIME, bytes(4))])


# --- s.6.3.1.1, s.6.3.1.2: responses

@case("6.3.1.1", "XOR-MAPPED-ADDRESS is the source of the request, once, and MAPPED-ADDRESS is not asked for")
def _(w):
    for _i in range(4):
        a = w.ask(message(BINDING))
        equal([unxored(v, a.tid) for n, v in a.attrs if n == A_XOR_MAPPED], [w.here], "mapped addresses")
        check(not {A_USERNAME, A_REALM, A_NONCE, A_INTEGRITY, A_SHA256} & set(numbers(a)), "%s", numbers(a))


@case("6.3.1.1", "an authenticated request's answer has the appropriate attributes, success and error")
def _(w):
    for kind, attrs, want in ((REFRESH, [], 437), (ALLOCATE, [], 400), (ALLOCATE, [(A_TRANSPORT, b"\x63\0\0\0")], 442),
                              (ALLOCATE, [UDP], 0), (ALLOCATE, [UDP], 437), (REFRESH, [], 0)):
        a = w.ask(w.signed(kind, attrs))
        equal((code(a), signature(a, w.key)), (want, "1"), "code and integrity")


@case("6.3.1.1", "a reason phrase that suits the error code, once the client has authenticated")
def _(w):
    for kind, attrs, phrase in ((REFRESH, [], b"\4\x25Allocation Mismatch"), (ALLOCATE, [], b"\4\0Bad Request"),
                                (ALLOCATE, [(0x7001, b"")], b"\4\x14Unknown Attribute"),
                                (ALLOCATE, [(A_TRANSPORT, bytes(4))], b"\4\x2aUnsupported Transport Protocol")):
        equal(get(w.ask(w.signed(kind, attrs)), A_ERROR)[2:], phrase, "ERROR-CODE")


@case("6.3.1.2", "the answer leaves from where the request went, to where it came from", UDP_ONLY)
def _(w):
    with w.t.lab.cli.entered():
        s = socket.socket(lab.family_of(w.ip), socket.SOCK_DGRAM)
    s.bind((w.ip, 0))
    s.settimeout(5 * w.scale)
    for raw in (message(BINDING), first(w), message(BINDING, [(0x7001, b"")])):
        s.sendto(raw, (w.server, 3478))
        got, source = s.recvfrom(2000)
        equal((source[:2], got[8:20]), ((w.server, 3478), raw[8:20]), "source and transaction")
    s.close()


# --- s.6.3.2: indications

@case("6.3.2", "no response is generated for an indication")
def _(w):
    w.silent(message(BINDING_IND), with_fingerprint(message(BINDING_IND)), message(BINDING_IND, [(0x7001, b"")]),
             message(BINDING_IND, [(A_USERNAME, b"x")]), with_integrity(message(BINDING_IND), b"k"),
             message(SEND_IND), message(SEND_IND, [(A_DATA, b"x")]),
             message(SEND_IND, [(A_PEER, (lab.PEER, 9)), (A_DATA, b"x"), (0x7001, b"")]), message(DATA_IND),
             message(CONNECTION_ATTEMPT))


@case("6.3.2", "an indication with unknown comprehension-required attributes is discarded, others are processed")
def _(w):
    peer = w.t.peer(lab.PEER)
    to = peer.getsockname()
    w.request(ALLOCATE, [UDP])
    w.request(PERMIT, [(A_PEER, to)])
    for strange in ((0x7001, b""), (0x0000, b"x"), (0x7FFF, bytes(8))):
        w.send(message(SEND_IND, [(A_PEER, to), (A_DATA, b"discarded"), strange]))
        w.send(message(SEND_IND, [strange, (A_PEER, to), (A_DATA, b"discarded")]))
    w.send(message(SEND_IND, [(0xFF00, b"optional"), (A_PEER, to), (A_DATA, b"processed"), (A_SOFTWARE, b"x")]))
    equal(peer.recv(100), b"processed", "what the peer got first")
    peer.close()
    w.request(REFRESH, [(A_LIFETIME, bytes(4))])


# --- s.7, s.14.7: FINGERPRINT

@case("7", "FINGERPRINT is optional, MAY be present in all messages, and comes last in the answer to one that has it")
def _(w):
    check(A_FINGERPRINT not in numbers(w.ask(message(BINDING))), "it is there unasked")
    check(A_FINGERPRINT not in numbers(w.ask(first(w))), "it is there unasked")
    for raw in (message(BINDING), first(w), message(BINDING, [(0x7001, b"")]), w.signed(ALLOCATE, [UDP]),
                w.signed(REFRESH), w.signed(REFRESH, nonce=None)):
        a = w.ask(with_fingerprint(raw))
        equal(numbers(a)[-1], A_FINGERPRINT, "last attribute")


@case("14.7", "FINGERPRINT MUST be the last attribute: what has it elsewhere is no message")
def _(w):
    fp = with_fingerprint(message(BINDING))
    for more in ((A_SOFTWARE, b"x"), (0xFF00, b""), (A_FINGERPRINT, bytes(4)), (0x7001, b"")):
        w.silent(plus(fp, more))
    w.silent(with_fingerprint(fp), with_integrity(fp, b"key"))


@case("14.7", "the value has 4 bytes")
def _(w):
    w.silent(*(message(BINDING, [(A_FINGERPRINT, bytes(n))]) for n in (0, 1, 3, 5, 8)))


@case("14.7", "the CRC covers the integrity attributes, and is behind them")
def _(w):
    w.challenge()
    good = with_sha256(w.signed(ALLOCATE, [UDP]), w.key)
    raw = with_fingerprint(good)
    w.silent(raw[:-30] + bytes([raw[-30] ^ 1]) + raw[-29:])
    a = w.ask(raw)
    equal((code(a), signature(a, w.key), numbers(a)[-1]), (0, "1", A_FINGERPRINT), "answer")


# --- s.11, s.12

@case("11", "without the cookie over DTLS: requests get 500, indications are ignored", ("DTLS",))
def _(w):
    tid = bytes(range(1, 17))
    for attrs in (b"", attr(0x0003, bytes(4)), attr(A_SOFTWARE, b"old")):
        w.send(struct.pack("!HH", BINDING, len(attrs)) + tid + attrs)
        got = w.next()
        equal((got[:2], got[4:20], got[20:22], got[26:28]), (b"\x01\x11", tid, b"\0\x09", b"\x05\0"), "answer")
    w.silent(struct.pack("!HH", BINDING_IND, 0) + tid, struct.pack("!HH", BINDING_OK, 0) + tid)


@case("12", "the server MUST support the Binding method, and SHOULD NOT ask for credentials")
def _(w):
    equal(w.ask(message(BINDING)).type, BINDING_OK, "type")
    w.challenge()
    for raw in (w.signed(BINDING), with_integrity(w.unsigned(BINDING), b"wrong"), w.signed(BINDING, nonce=b"stale"),
                with_sha256(message(BINDING, [(A_USERNAME, b"x")]), b"k"), message(BINDING, [(A_INTEGRITY, bytes(3))])):
        a = w.ask(raw)
        equal(a.type, BINDING_OK, "type")
        check(not {A_INTEGRITY, A_SHA256} & set(numbers(a)), "signed: %s", numbers(a))


def plain(value):
    """s.14.1"""
    equal((value[0], value[1]), (0, 1 if len(value) == 8 else 2), "first bytes")
    return socket.inet_ntop(socket.AF_INET if value[1] == 1 else socket.AF_INET6, value[4:]), \
        int.from_bytes(value[2:4], "big")


@case("12 old", "clients of RFC 3489: MAPPED-ADDRESS, and their own bytes in the cookie's place", UDP_ONLY)
def _(w):
    for tid in (bytes(16), bytes(range(16)), b"\xff" * 16):
        for attrs in (b"", attr(A_USERNAME, b"old1"), attr(0xFF00, b"optional")):
            w.send(struct.pack("!HH", BINDING, len(attrs)) + tid + attrs)
            got = w.next()
            equal((got[:2], got[4:20]), (b"\1\1", tid), "type and transaction")
            a = read(got[:4] + COOKIE + got[8:])
            equal((numbers(a), plain(a.attrs[0][1])), ([A_MAPPED], w.here), "answer")
        w.send(message(BINDING, [(0x0003, b"\0\0\0\6")], tid=tid[4:], cookie=tid[:4]))
        a = read(w.next().replace(tid[:4], COOKIE, 1))
        equal((code(a), get(a, A_UNKNOWN)), (420, b"\0\3"), "answer to CHANGE-REQUEST")


@case("12 old", "… and nothing else without a cookie", UDP_ONLY)
def _(w):
    w.silent(*(struct.pack("!HH", kind, 0) + bytes(16) for kind in (2, 3, 0x11, 0x101, 0x111)),
             struct.pack("!HH", BINDING, 4) + bytes(16), struct.pack("!HH", BINDING, 0) + bytes(17))


@case("14.1", "MAPPED-ADDRESS beside XOR-MAPPED-ADDRESS, where clients of RFC 3489 are to be served")
def _(w):
    a = w.ask(message(BINDING))
    equal((plain(get(a, A_MAPPED)), unxored(get(a, A_XOR_MAPPED), a.tid)), (w.here, w.here), "addresses")


# --- s.14: attributes

@case("14", "the padding MUST be ignored by the receiver")
def _(w):
    w.challenge()
    for pad in (b"\xff", b" ", b"\x80"):
        names = [attr(n, v, pad) for n, v in w.names()]
        for more in (b"1", b"22", b"333"):
            raw = message(ALLOCATE, [UDP, attr(0xFF00, more, pad)] + names)
            equal(code(w.ask(with_integrity(raw, w.key))), 0, "code")
            w.request(REFRESH, [(A_LIFETIME, bytes(4))])


@case("14", "of several attributes of a type the first occurrence needs to be processed")
def _(w):
    w.challenge()
    equal(code(w.ask(with_integrity(message(ALLOCATE, [UDP, (A_TRANSPORT, b"\x63\0\0\0")] + w.names() + [
        (A_USERNAME, b"bob"), (A_NONCE, b"stale"), (A_REALM, b"elsewhere")]), w.key))), 0, "code")
    a = w.request(REFRESH, [(A_LIFETIME, b"\0\0\3\x84"), (A_LIFETIME, bytes(4))])
    equal(get(a, A_LIFETIME), b"\0\0\3\x84", "LIFETIME")


@case("14", "attributes may come in any order before the integrity")
def _(w):
    w.challenge()
    attrs = [UDP, (A_SOFTWARE, b"x"), (0xFF00, b"y")] + w.names()
    for turn in range(len(attrs)):
        equal(code(w.ask(with_integrity(message(ALLOCATE, attrs[turn:] + attrs[:turn]), w.key))), 0, "code")
        w.request(REFRESH, [(A_LIFETIME, bytes(4))])


@case("14", "values of no length: of optional attributes, known and unknown")
def _(w):
    equal(w.ask(message(BINDING, [(A_SOFTWARE, b""), (0xFF00, b""), (A_ALGORITHMS, b"")])).type, BINDING_OK, "type")


@case("14.8", "the reserved bits are 0, the class is 3 to 6, the phrase UTF-8 of fewer than 128 characters")
def _(w):
    w.challenge()
    for raw in (first(w), message(BINDING, [(0x7001, b"")]), w.signed(REFRESH), w.signed(ALLOCATE),
                w.signed(ALLOCATE, [UDP], nonce=b"stale"), w.signed(ALLOCATE, [UDP], nonce=None)):
        value = get(w.ask(raw), A_ERROR)
        equal((value[:2], value[2]), (b"\0\0", 4), "reserved bits and class")


@case("14.13", "UNKNOWN-ATTRIBUTES is padded by the normal rules, not by repeating the last one")
def _(w):
    for n in range(1, 8):
        a = w.ask(message(BINDING, [(0x7000 + i, b"") for i in range(n)]))
        equal(len(get(a, A_UNKNOWN)), 2 * n, "length")


@case("14.13", "UNKNOWN-ATTRIBUTES is present only where the code is 420")
def _(w):
    for raw in (message(BINDING), first(w, (0x7001, b"")), w.signed(REFRESH), w.signed(REFRESH, nonce=b"stale")):
        check(A_UNKNOWN not in numbers(w.ask(raw)), "it is there")


# --- RFC 7983, RFC 7350, RFC 7443

@case("RFC 7983 7", "the first byte tells STUN from others; what matches no range MUST be dropped", UDP_ONLY)
def _(w):
    for byte in [b for b in range(4, 256) if b not in range(64, 80)]:
        w.silent(bytes([byte]) + message(BINDING)[1:], bytes([byte]))


@case("RFC 7983 7", "64 to 79 is a TURN channel, and nobody's data without an allocation", UDP_ONLY)
def _(w):
    for byte in range(64, 80):
        w.silent(bytes([byte, 0]) + struct.pack("!H", 8) + b"data" * 2, bytes([byte]), bytes([byte, 0, 0, 1]))


@case("RFC 7983 7", "0 to 3 is STUN: 2 and 3 are methods that there are not yet", UDP_ONLY)
def _(w):
    w.silent(*(bytes([byte, low]) + message(BINDING)[2:] for byte in (2, 3) for low in range(0, 256, 17)))


@case("RFC 7350 3", "TURN over DTLS is what it is over UDP: no TCP allocations", ("DTLS",))
def _(w):
    w.request(ALLOCATE, [TCP], want=400)
    w.request(ALLOCATE, [UDP])


@case("RFC 7443 2", "stun.turn and stun.nat-discovery are agreed on, and only what was offered", ("TLS6",))
def _(w):
    for offer, chosen in ((["stun.turn"], "stun.turn"), (["stun.nat-discovery"], "stun.nat-discovery"),
                          (["h2", "stun.turn"], "stun.turn"), ([], None),
                          (["other", "stun.nat-discovery"], "stun.nat-discovery")):
        context = w.t.trusting()
        if offer:
            context.set_alpn_protocols(offer)
        sock = w.t.lab.cli.tcp(w.ip, (w.server, 5349), timeout=10 * w.scale)
        v = Wire(context.wrap_socket(sock, server_hostname=w.server), "TLS6", w.scale)
        equal(v.sock.selected_alpn_protocol(), chosen, "protocol of %s" % offer)
        equal(v.ask(message(BINDING)).type, BINDING_OK, "type")
        v.close()


# --- the tests

case.test("header: what is a message at all, and what a stream is cut into", "5", "6.2.2")
case.test("receiving: what is discarded, what is ignored, in which order", "6.3", "6.3.1", "6.3.2")
case.test("answers: addresses, error codes, phrases", "6.3.1.1", "6.3.1.2", "14.8", "14.13")
case.test("fingerprint: FINGERPRINT is optional, last, right, and mirrored", "7", "14.7")
case.test("attributes: padding, order and repetition; Binding for everybody", "11", "12", "14")
case.test("transports: demultiplexing, DTLS, ALPN", "RFC 7983 7", "RFC 7350 3", "RFC 7443 2")
case.test("classic: clients of RFC 3489, where they are to be served", "12 old", "14.1", rfc3489_compatibility=True,
          stun_backward_compatibility=True)
