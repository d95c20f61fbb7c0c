"""RFC 8656, sentence by sentence: what a server answers to requests. A row is one sentence; each is tried
over UDP and over TCP against one server, by the encoder of rawturn.py. Data is in test_rfc8656_data.py."""
import struct

import lab
from harness import test
from rawturn import (A_ADDITIONAL, A_ADDRESS_ERROR, A_CHANNEL, A_DATA, A_DF, A_ERROR, A_EVEN, A_FAMILY, A_LIFETIME,
                     A_MAPPED, A_NONCE, A_PEER, A_REALM, A_RELAYED, A_SOFTWARE, A_TOKEN, A_TRANSPORT, A_UNKNOWN,
                     ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, DF, EVEN, EVEN_R, REFRESH, UDP, additional, attr,
                     bound, channel, connect, family, lifetime, message, peer, transport)

STANDIN = "is not the one to be judged"
WRONG = attr(A_PEER, b"\0\1\0\0\0")  # of no family's length
P = (lab.PEER, 4000)


class World:
    """What a case is given: clients over one transport, and peers."""

    def __init__(self, t, stream, port=3478):
        self.t, self.stream, self.port, self.open = t, stream, port, []

    def wire(self, ip=lab.CLI, stream=None, server=None):
        server = server or (lab.SRV6 if ":" in ip else lab.SRV)
        c = connect(self.t.lab.cli, ip, (server, self.port), self.stream if stream is None else stream, self.t.scale)
        self.open.append(c)
        return c

    def client(self, *attrs, ip=lab.CLI, **kw):
        """One that has an allocation."""
        c = self.wire(ip, **kw)
        c.allocate(*attrs)
        return c

    def peer(self, ip=lab.PEER, port=0):
        s = bound(self.t.lab.peer, ip, self.t.scale, port)
        self.open.append(s)
        return s

    def close(self):
        for x in self.open:
            x.close()
        self.open = []


def want(condition, text, *args):
    if not condition:
        raise AssertionError(text % args if args else text)


def same(got, wanted, what="it"):
    want(got == wanted, "%s is %r, not %r", what, got, wanted)


class Cases:
    """Sentences of one subject. They are all tried before the first that failed is told."""

    def __init__(self):
        self.cases = []

    def rows(self, run, table):
        self.cases += [(row[0], row[1], lambda w, row=row: run(w, *row[2:]), "UDP TCP") for row in table]

    def __call__(self, section, sentence, over="UDP TCP"):
        def add(fn):
            self.cases.append((section, sentence, fn, over))
            return fn
        return add

    def failures(self, t):
        """What became of them with the server that is there."""
        bad = []
        for section, sentence, fn, over in self.cases:
            for name in over.split():
                w = World(t, name == "TCP")
                try:
                    fn(w)
                except (AssertionError, OSError, struct.error, TypeError) as e:
                    bad.append("s.%s over %s: %s: %s" % (section, name, sentence, str(e) or type(e).__name__))
                finally:
                    w.close()
        return bad


def try_all(t, *subjects):
    bad = [text for cases in subjects for text in cases.failures(t)]
    want(not bad, "%d of %d sentences fail:\n%s", len(bad), sum(len(c.cases) for c in subjects), "\n".join(bad))


# --- section 7.2, 18: Allocate

def try_allocate(w, attrs, code, **more):
    """One Allocate of a new client."""
    c = w.wire(more.pop("ip", lab.CLI))
    answer = c.ask(ALLOCATE, *attrs)
    same(answer.code, code, "the code")
    judge(answer, c, **more)
    if code:
        same(c.ask(REFRESH).code, 437, "the code of a Refresh, for there must be no allocation,")


def judge(answer, c, families=None, seconds=None, even=None, token=None, half=None):
    if answer.code:
        want(not any(answer.has(A_RELAYED, A_LIFETIME, A_TOKEN, A_MAPPED)), "an error with %r", answer)
        return
    relayed = answer.addresses(A_RELAYED)
    same(sorted(6 if ":" in ip else 4 for ip, _ in relayed), list(families or [4]), "the families")
    same(answer.addresses(A_MAPPED), [c.me], "XOR-MAPPED-ADDRESS")
    same(answer.seconds, seconds or 600, "LIFETIME")
    want(all(49152 <= port <= 65535 for _, port in relayed), "a port outside the dynamic range")
    same(len(answer.all(A_TOKEN)), 1 if token else 0, "the number of tokens")
    want(not token or len(answer.get(A_TOKEN)) == 8, "a token that has not 8 bytes")
    want(not even or not any(port % 2 for _, port in relayed), "an odd port")
    value = answer.get(A_ADDRESS_ERROR)
    same(value and (value[0], value[1], value[2], value[3]), half and (half[0], 0, half[1] // 100, half[1] % 100),
         "ADDRESS-ERROR-CODE")


def row(section, sentence, attrs, code, **more):
    return section, sentence, attrs, code, more


def allocate_row(w, attrs, code, more):
    try_allocate(w, attrs, code, **dict(more))


TOKEN = attr(A_TOKEN, b"no token")
allocations = Cases()
allocations.rows(allocate_row, [
    row("7.2(2)", "a request that is in order makes an allocation", [UDP], 0),
    row("7.2(3)", "REQUESTED-TRANSPORT is not included: 400", [], 400),
    row("7.2(3)", "it is not included, beside others: 400", [lifetime(700), family(1)], 400),
    row("7.2(3)", "it has no value: 400", [attr(A_TRANSPORT)], 400),
    row("7.2(3)", "it has one byte: 400", [attr(A_TRANSPORT, b"\x11")], 400),
    row("7.2(3)", "it has three bytes: 400", [attr(A_TRANSPORT, b"\x11\0\0")], 400),
    row("7.2(3)", "it has eight bytes: 400", [attr(A_TRANSPORT, b"\x11\0\0\0\0\0\0\0")], 400),
    row("7.2(3)", "the first of two counts", [UDP, transport(99)], 0),
    row("7.2(3)", "the first of two counts, and is not supported: 442", [transport(99), UDP], 442),
    *[row("7.2(3)", "protocol %d is not supported: 442" % n, [transport(n)], 442)
      for n in (0, 1, 2, 16, 18, 33, 58, 132, 136, 255)],
    *[row("18.8", "RFFU is ignored on reception: %s" % r.hex(), [transport(17, r)], 0)
      for r in (b"\0\0\1", b"\xff\xff\xff", b"\x80\0\0")],
    row("18.8", "RFFU is ignored where the protocol is not supported", [transport(18, b"\xff\xff\xff")], 442),
    row("7.2(3)", "442 before the families' 440", [transport(99), family(9)], 442),
    row("7.2(3)", "442 before the token's 508", [transport(99), TOKEN], 442),
    row("7.2(3)", "400 before the families' 440", [family(9)], 400),
    row("7.2(4)", "DONT-FRAGMENT is supported", [UDP, DF], 0),
    row("7.2(4)", "DONT-FRAGMENT for IPv6 from IPv6 is supported", [UDP, DF, family(2)], 0, families=[6], ip=lab.CLI6),
    row("7.2(4)", "DONT-FRAGMENT for IPv4 from IPv6 is supported", [UDP, DF], 0, ip=lab.CLI6),
    row("18.9", "DONT-FRAGMENT has no value part", [UDP, attr(A_DF, b"\0\0\0\0")], 400),
    row("7.2(5)", "a token that was never given: 508", [UDP, TOKEN], 508),
    row("7.2(5)", "a token of zeros: 508", [UDP, attr(A_TOKEN, bytes(8))], 508),
    row("7.2(5)", "a token beside EVEN-PORT: 400", [UDP, TOKEN, EVEN], 400),
    row("7.2(5)", "a token beside EVEN-PORT with R: 400", [UDP, EVEN_R, TOKEN], 400),
    row("7.2(5)", "a token beside REQUESTED-ADDRESS-FAMILY: 400", [UDP, TOKEN, family(1)], 400),
    row("7.2(5)", "a token beside REQUESTED-ADDRESS-FAMILY IPv6: 400", [UDP, family(2), TOKEN], 400),
    row("7.2(5)", "a token beside ADDITIONAL-ADDRESS-FAMILY: 400", [UDP, TOKEN, additional(2)], 400),
    row("18.10", "a token has 8 bytes: 4", [UDP, attr(A_TOKEN, bytes(4))], 400),
    row("18.10", "a token has 8 bytes: 12", [UDP, attr(A_TOKEN, bytes(12))], 400),
    row("7.2(6)", "both family attributes: 400", [UDP, family(1), additional(2)], 400),
    row("7.2(6)", "both family attributes, the other way round: 400", [UDP, additional(2), family(2)], 400),
    row("7.2(6)", "both, and a family nobody has: 400 before 440", [UDP, family(9), additional(2)], 400),
    row("7.2(7)", "IPv4 where nothing is asked", [UDP], 0),
    row("7.2(7)", "IPv4 where nothing is asked over IPv6", [UDP], 0, ip=lab.CLI6),
    row("7.2(7)", "IPv4 as asked", [UDP, family(1)], 0),
    row("7.2(7)", "IPv6 as asked", [UDP, family(2)], 0, families=[6]),
    row("7.2(7)", "IPv4 as asked over IPv6", [UDP, family(1)], 0, ip=lab.CLI6),
    row("7.2(7)", "IPv6 as asked over IPv6", [UDP, family(2)], 0, ip=lab.CLI6, families=[6]),
    *[row("7.2(7)", "family %d is not supported: 440" % n, [UDP, family(n)], 440) for n in (0, 3, 4, 16, 255)],
    row("7.2(7)", "440 beside EVEN-PORT", [UDP, family(3), EVEN], 440),
    *[row("18.6", "Reserved is ignored: %s" % r.hex(), [UDP, family(2, r)], 0, families=[6])
      for r in (b"\0\0\1", b"\xff\xff\xff")],
    row("18.6", "REQUESTED-ADDRESS-FAMILY has 4 bytes: 1", [UDP, attr(A_FAMILY, b"\1")], 400),
    row("18.6", "REQUESTED-ADDRESS-FAMILY has 4 bytes: 8", [UDP, attr(A_FAMILY, b"\1" + bytes(7))], 400),
    row("7.1", "of two REQUESTED-ADDRESS-FAMILY the first counts", [UDP, family(2), family(1)], 0, families=[6]),
    row("7.2(8)", "EVEN-PORT without R: an even port, no token", [UDP, EVEN], 0, even=True),
    row("7.2(8)", "EVEN-PORT with R: an even port and a token", [UDP, EVEN_R], 0, even=True, token=True),
    row("7.2(8)", "EVEN-PORT for IPv6", [UDP, EVEN, family(2)], 0, even=True, families=[6]),
    row("7.2(8)", "EVEN-PORT with R for IPv6", [UDP, EVEN_R, family(2)], 0, even=True, token=True, families=[6]),
    row("7.2(8)", "R beside ADDITIONAL-ADDRESS-FAMILY: 400", [UDP, EVEN_R, additional(2)], 400),
    row("7.2(8)", "EVEN-PORT without R beside ADDITIONAL-ADDRESS-FAMILY", [UDP, EVEN, additional(2)], 0, even=True,
        families=[4, 6]),
    row("18.7", "RFFU is ignored: 7f", [UDP, attr(A_EVEN, b"\x7f")], 0, even=True),
    row("18.7", "RFFU is ignored: ff", [UDP, attr(A_EVEN, b"\xff")], 0, even=True, token=True),
    row("18.7", "EVEN-PORT has one byte, and padding of any kind", [UDP, attr(A_EVEN, b"\0", pad=b"\xff")], 0, even=True),
    row("18.7", "EVEN-PORT has one byte: none", [UDP, attr(A_EVEN)], 400),
    row("18.7", "EVEN-PORT has one byte: four", [UDP, attr(A_EVEN, bytes(4))], 400),
    row("7.2(9)", "ADDITIONAL-ADDRESS-FAMILY IPv6: one address of each", [UDP, additional(2)], 0, families=[4, 6]),
    row("7.2(9)", "the same over IPv6", [UDP, additional(2)], 0, families=[4, 6], ip=lab.CLI6),
    row("7.2(9)", "ADDITIONAL-ADDRESS-FAMILY IPv4: 400", [UDP, additional(1)], 400),
    *[row("18.11", "ADDITIONAL-ADDRESS-FAMILY %d is not valid: 400" % n, [UDP, additional(n)], 400) for n in (0, 3, 255)],
    row("18.11", "Reserved is ignored", [UDP, additional(2, b"\xff\xff\xff")], 0, families=[4, 6]),
    row("18.11", "ADDITIONAL-ADDRESS-FAMILY has 4 bytes", [UDP, attr(A_ADDITIONAL, b"\2")], 400),
    *[row("7.2", "LIFETIME %d gives %d" % (n, s), [UDP, lifetime(n)], 0, seconds=s)
      for n, s in ((0, 600), (1, 600), (599, 600), (600, 600), (601, 601), (1800, 1800), (3599, 3599), (3600, 3600),
                   (3601, 3600), (86400, 3600), (0x7FFFFFFF, 3600), (0x80000000, 3600), (0xFFFFFFFF, 3600))],
    row("18.2", "LIFETIME has 4 bytes: 2", [UDP, attr(A_LIFETIME, b"\3\0")], 400),
    row("18.2", "LIFETIME has 4 bytes: 8", [UDP, attr(A_LIFETIME, bytes(8))], 400),
    row("18", "the order of attributes has no meaning", [DF, EVEN, family(2), lifetime(1000), UDP], 0, even=True,
        families=[6], seconds=1000, ip=lab.CLI6),
    row("18", "attributes of other requests have no meaning", [UDP, peer(*P), channel(0x4000), attr(A_DATA, b"x")], 0),
    row("18", "0x0010, reserved, was BANDWIDTH: 420", [UDP, attr(0x0010, bytes(4))], 420),
    row("18", "0x0021, reserved, was TIMER-VAL: 420", [UDP, attr(0x0021, bytes(4))], 420),
    row("5", "SOFTWARE may be there", [UDP, attr(A_SOFTWARE, b"Example client, version 1.03")], 0),
    row("5", "an unknown attribute that need not be understood is ignored", [UDP, attr(0xC0DE, b"abc")], 0),
])


@allocations("7.2(2)", "a 5-tuple in use is 437, whatever is asked")
def _(w):
    c = w.client()
    for attrs in ([UDP], [UDP, lifetime(0)], [], [transport(99)], [UDP, family(9)], [UDP, TOKEN], [UDP, EVEN_R, additional(2)]):
        answer = c.ask(ALLOCATE, *attrs)
        same(answer.code, 437, "the code")
    same(c.must(REFRESH).seconds, 600, "LIFETIME")


@allocations("7.2(1)", "without credentials: 401 with REALM and NONCE, and no allocation")
def _(w):
    c = w.wire()
    for attrs in ([UDP], [], [transport(99)], [UDP, family(9)], [UDP, attr(0x7F00)]):
        answer = c.exchange(message(ALLOCATE, attrs))
        same(answer.code, 401, "the code")
        same(answer.has(A_REALM, A_NONCE), [True, True], "REALM and NONCE")
    same(c.ask(REFRESH).code, 437, "the code")


@allocations("5", "each first attempt gets a new nonce")
def _(w):
    nonces = set()
    for _ in range(5):
        c = w.wire()
        c.challenge()
        nonces.add(c.nonce)
    same(len(nonces), 5, "the number of nonces")


@allocations("7.2", "a retransmitted Allocate gets the answer of the first, and makes no second allocation")
def _(w):
    for attrs in ([UDP], [UDP, EVEN_R], [UDP, additional(2)], [UDP, lifetime(2000)]):
        c = w.wire()
        raw = c.form(ALLOCATE, attrs)
        first, again = c.ask(ALLOCATE, raw=raw), c.ask(ALLOCATE, raw=raw)
        same(again.code, 0, "the code")
        for number in (A_TOKEN, A_LIFETIME):
            same(again.get(number), first.get(number), "attribute 0x%04x" % number)
        for number in (A_RELAYED, A_MAPPED):
            same(again.addresses(number), first.addresses(number), "attribute 0x%04x" % number)
        c.must(REFRESH, lifetime(0))
        same(c.ask(REFRESH).code, 437, "the code")


@allocations("7.2", "a retransmitted Allocate that failed fails again")
def _(w):
    c = w.wire()
    for attrs, code in (([], 400), ([transport(99)], 442), ([UDP, family(9)], 440), ([UDP, TOKEN], 508)):
        raw = c.form(ALLOCATE, attrs)
        same([c.ask(ALLOCATE, raw=raw).code for _ in range(2)], [code, code], "the codes")


@allocations("6", "relayed transport addresses are unique")
def _(w):
    out = [a for _ in range(20) for a in w.client(additional(2)).relayed.items()]
    same(len(set(out)), 40, "the number of addresses")


@allocations("7.2", "the token gives the next port of the same address, to any user, transport and address, once")
def _(w):
    for attrs, leg in (([EVEN_R], 4), ([EVEN_R, family(2)], 6)):
        for ip, stream, user in ((lab.CLI_B, w.stream, "alice"), (lab.CLI6, not w.stream, "bob")):
            first = w.wire()
            answer = first.allocate(*attrs)
            token = attr(A_TOKEN, answer.get(A_TOKEN))
            second = w.wire(ip, stream)
            second.user, second.password = (user, {"alice": "wonderland", "bob": "builder"}[user])
            answer = second.allocate(token)
            host, port = first.relayed[leg]
            same(second.relayed, {leg: (host, port + 1)}, "the second's address")
            same(answer.has(A_TOKEN), [False], "a token in the answer")
            same(w.wire().ask(ALLOCATE, UDP, token).code, 508, "the code of the token's second use")
            second.must(REFRESH, lifetime(0))
            same(w.wire().ask(ALLOCATE, UDP, token).code, 508, "the code of its use when the port is free again")


@allocations("7.2", "a reservation is held when the allocation that made it is deleted")
def _(w):
    first = w.wire()
    token = attr(A_TOKEN, first.allocate(EVEN_R).get(A_TOKEN))
    first.must(REFRESH, lifetime(0))
    same(w.client(token).relayed[4][1], first.relayed[4][1] + 1, "the port")


@allocations("7.2(5)", "a request refused for what stands beside the token does not use it up")
def _(w):
    first, second = w.wire(), w.wire()
    token = attr(A_TOKEN, first.allocate(EVEN_R).get(A_TOKEN))
    for beside in (EVEN, family(1), additional(2)):
        same(second.ask(ALLOCATE, UDP, token, beside).code, 400, "the code")
    second.allocate(token)
    same(second.relayed[4][1], first.relayed[4][1] + 1, "the port")


@allocations("7.2", "a retransmitted Allocate with a token gets its answer again")
def _(w):
    first, second = w.wire(), w.wire()
    token = attr(A_TOKEN, first.allocate(EVEN_R).get(A_TOKEN))
    raw = second.form(ALLOCATE, [UDP, token])
    same([second.ask(ALLOCATE, raw=raw).addresses(A_RELAYED)[0][1] for _ in range(2)], [first.relayed[4][1] + 1] * 2,
         "the ports")


@allocations("8.2", "after its deletion the 5-tuple is free again, and the new allocation has nothing of the old")
def _(w):
    c, p = w.client(), w.peer()
    c.permit(lab.PEER)
    c.bind(0x4000, p.getsockname())
    c.must(REFRESH, lifetime(0))
    c.allocate(family(2))
    same(c.ask(CREATE_PERMISSION, peer(lab.PEER)).code, 443, "the code")
    c.must(REFRESH, lifetime(0))
    c.allocate()
    other = w.peer()
    c.bind(0x4000, other.getsockname())  # 400 if 0x4000 still were the first peer's
    c.say(0x4000, b"new")
    same(other.recvfrom(100), (b"new", c.relayed[4]), "what the peer got")
    p.sendto(b"was permitted, and is by this ChannelBind", c.relayed[4])
    same(c.heard()[0], p.getsockname(), "who is named: no channel, for this allocation has none for it,")


@allocations("14.8 of RFC 8489, 19", "the reason phrases are those of section 19")
def _(w):
    c = w.client()
    for kind, attrs, code, text in (
            (ALLOCATE, [UDP], 437, b"Allocation Mismatch"),
            (CREATE_PERMISSION, [peer(lab.PEER6)], 443, b"Peer Address Family Mismatch"),
            (CREATE_PERMISSION, [peer("127.0.0.1")], 403, b"Forbidden"),
            (CREATE_PERMISSION, [], 400, b"Bad Request")):
        same(c.ask(kind, *attrs).get(A_ERROR), bytes([0, 0, code // 100, code % 100]) + text, "ERROR-CODE")
    for attrs, code, text in (([UDP, family(9)], 440, b"Address Family not Supported"),
                              ([transport(99)], 442, b"Unsupported Transport Protocol"),
                              ([UDP, TOKEN], 508, b"Insufficient Capacity")):
        same(w.wire().ask(ALLOCATE, *attrs).get(A_ERROR), bytes([0, 0, code // 100, code % 100]) + text, "ERROR-CODE")
    c.user, c.password = "bob", "builder"
    same(c.ask(REFRESH).get(A_ERROR), b"\0\0\x04\x29Wrong Credentials", "ERROR-CODE")


@allocations("3.7", "DONT-FRAGMENT for what is translated from IPv4 to IPv6, where DF is not seen: 420; not over TCP")
def _(w):
    for ip, wanted in ((lab.CLI, 0 if w.stream else 420), (lab.CLI6, 0)):
        for attrs in ([family(2)], [additional(2)]):
            answer = w.wire(ip).ask(ALLOCATE, UDP, DF, *attrs)
            same((answer.code, answer.get(A_UNKNOWN)), (wanted, b"\0\x1a" if wanted else None), "code and names")
    c = w.client(family(2))
    same(c.ask(ALLOCATE, UDP, DF, family(2)).code, 437, "the code in an allocation")


@allocations("7.2(4)", "420 names what is not understood")
def _(w):
    answer = w.wire().ask(ALLOCATE, UDP, attr(0x0010, bytes(4)), attr(0x7ABC), DF)
    same((answer.code, answer.get(A_UNKNOWN)), (420, b"\0\x10\x7a\xbc"), "code and UNKNOWN-ATTRIBUTES")


# --- sections 5, 8, 10, 12: requests in an allocation

def steps(w, first, todo):
    """`first`: what is allocated with, None for nothing. Each step: type, attributes, code, and LIFETIME."""
    c = w.wire() if first is None else w.client(*first)
    for n, (kind, attrs, code, *seconds) in enumerate(todo):
        answer = c.ask(kind, *attrs)
        same(answer.code, code, "the code of step %d" % (n + 1))
        if kind == REFRESH and not code:
            same(answer.seconds, (seconds or [600])[0], "LIFETIME of step %d" % (n + 1))
        if code:
            want(not any(answer.has(A_LIFETIME, A_RELAYED)), "an error with %r", answer)


V4, V6, BOTH = [], [family(2)], [additional(2)]
OTHER4, OTHER6 = (lab.PEER, 4001), (lab.PEER6, 4000)

refreshes = Cases()
refreshes.rows(steps, [
    ("5", "no allocation: 437", None, [(REFRESH, [], 437), (REFRESH, [lifetime(0)], 437), (REFRESH, [family(1)], 437)]),
    ("8.2", "no LIFETIME: the default", V4, [(REFRESH, [], 0)]),
    *[("8.2", "LIFETIME %d gives %d" % (n, s), V4, [(REFRESH, [lifetime(n)], 0, s)])
      for n, s in ((1, 600), (599, 600), (600, 600), (601, 601), (3600, 3600), (3601, 3600), (0x80000000, 3600),
                   (0xFFFFFFFF, 3600))],
    ("8.2", "LIFETIME 0: success with LIFETIME 0, and the allocation is deleted", V4,
     [(REFRESH, [lifetime(0)], 0, 0), (REFRESH, [], 437)]),
    ("8.2", "a longer time can be made shorter", [lifetime(3600)], [(REFRESH, [lifetime(700)], 0, 700), (REFRESH, [], 0)]),
    ("8.2", "of two LIFETIME the first counts", V4, [(REFRESH, [lifetime(900), lifetime(0)], 0, 900), (REFRESH, [], 0)]),
    ("18.2", "LIFETIME has 4 bytes: 400, and nothing is deleted", V4,
     [(REFRESH, [attr(A_LIFETIME, v)], 400) for v in (b"", b"\0\0", bytes(8))] + [(REFRESH, [], 0)]),
    ("8.2", "the family of the allocation", V4, [(REFRESH, [family(1)], 0), (REFRESH, [family(1), lifetime(800)], 0, 800)]),
    ("8.2", "the family of the allocation, IPv6", V6, [(REFRESH, [family(2), lifetime(800)], 0, 800)]),
    ("8.2", "another family: 443", V4, [(REFRESH, [family(2)], 443), (REFRESH, [family(2), lifetime(0)], 443),
                                        (REFRESH, [], 0)]),
    ("8.2", "another family: 443, IPv6", V6, [(REFRESH, [family(1)], 443), (REFRESH, [lifetime(0), family(1)], 443),
                                              (REFRESH, [], 0)]),
    ("8.2", "a family that nobody has: 443", V4, [(REFRESH, [family(n)], 443) for n in (0, 3, 255)] + [(REFRESH, [], 0)]),
    ("18.6", "Reserved is ignored", V4, [(REFRESH, [family(1, b"\xff\xff\xff")], 0)]),
    ("18.6", "a family of one byte: 400", V4, [(REFRESH, [attr(A_FAMILY, b"\1")], 400), (REFRESH, [], 0)]),
    ("8.1", "two families: none named is all", BOTH, [(REFRESH, [lifetime(900)], 0, 900), (REFRESH, [lifetime(0)], 0, 0),
                                                     (REFRESH, [], 437)]),
    ("8.1", "two families: each by itself", BOTH, [(REFRESH, [family(1), lifetime(900)], 0, 900),
                                                  (REFRESH, [family(2), lifetime(1200)], 0, 1200)]),
    ("8.1", "two families, IPv4 deleted: IPv6 lives on", BOTH,
     [(REFRESH, [family(1), lifetime(0)], 0, 0), (REFRESH, [family(1)], 443), (REFRESH, [family(1), lifetime(0)], 443),
      (REFRESH, [family(2)], 0), (REFRESH, [], 0), (CREATE_PERMISSION, [peer(lab.PEER)], 443),
      (CREATE_PERMISSION, [peer(lab.PEER6)], 0), (ALLOCATE, [UDP], 437)]),
    ("8.1", "two families, IPv6 deleted: IPv4 lives on", BOTH,
     [(REFRESH, [family(2), lifetime(0)], 0, 0), (REFRESH, [family(2)], 443), (REFRESH, [family(1)], 0),
      (CHANNEL_BIND, [channel(0x4000), peer(*OTHER6)], 443), (CHANNEL_BIND, [channel(0x4000), peer(*P)], 0)]),
    ("8.1", "two families, one after the other deleted", BOTH,
     [(REFRESH, [family(2), lifetime(0)], 0, 0), (REFRESH, [family(1), lifetime(0)], 0, 0), (REFRESH, [], 437)]),
    ("18", "attributes of other requests have no meaning", V4,
     [(REFRESH, [UDP, EVEN_R, DF, peer(*P), channel(1), attr(A_DATA, b"x"), additional(2)], 0)]),
    ("7.2", "an allocation's LIFETIME is not less for a peer's traffic or requests of other kinds", [lifetime(3600)],
     [(CREATE_PERMISSION, [peer(lab.PEER)], 0), (CHANNEL_BIND, [channel(0x4000), peer(*P)], 0), (REFRESH, [], 0)]),
])


@refreshes("8.2", "what is deleted is deleted for good: the retransmission of a Refresh with LIFETIME 0 is 437")
def _(w):
    c = w.client()
    raw = c.form(REFRESH, [lifetime(0)])
    same([c.ask(REFRESH, raw=raw).code for _ in range(3)], [0, 437, 437], "the codes")


@refreshes("8.2", "the answer has LIFETIME, and nothing of an Allocate's")
def _(w):
    answer = w.client().must(REFRESH)
    same(answer.has(A_LIFETIME, A_RELAYED, A_MAPPED, A_TOKEN), [True, False, False, False], "what it has")


@refreshes("5", "another user's Refresh, CreatePermission and ChannelBind: 441, signed with that user's key")
def _(w):
    c = w.client()
    c.user, c.password = "bob", "builder"
    for kind, attrs in ((REFRESH, []), (REFRESH, [lifetime(0)]), (REFRESH, [family(2)]), (CREATE_PERMISSION, [peer(lab.PEER)]),
                        (CREATE_PERMISSION, []), (CHANNEL_BIND, [channel(0x4000), peer(*P)]), (CHANNEL_BIND, [])):
        same(c.ask(kind, *attrs).code, 441, "the code")
    c.user, c.password = "alice", "wonderland"
    c.must(REFRESH)


@refreshes("5", "an unauthenticated request in an allocation: 401, and nothing changes")
def _(w):
    c = w.client()
    for kind, attrs in ((REFRESH, [lifetime(0)]), (CREATE_PERMISSION, [peer(lab.PEER)]),
                        (CHANNEL_BIND, [channel(0x4000), peer(*P)]), (ALLOCATE, [UDP])):
        same(c.exchange(message(kind, attrs)).code, 401, "the code")
    c.must(REFRESH)


@refreshes("6", "the 5-tuple identifies the allocation: another address, port or server address has none")
def _(w):
    first = w.client()
    for c in (w.wire(), w.wire(lab.CLI_B), w.wire(lab.CLI6)):
        same(c.ask(REFRESH).code, 437, "the code")
    first.must(REFRESH)


permissions = Cases()
permissions.rows(steps, [
    ("5", "no allocation: 437", None, [(CREATE_PERMISSION, [peer(lab.PEER)], 437), (CREATE_PERMISSION, [], 437)]),
    ("10.2", "no XOR-PEER-ADDRESS: 400", V4, [(CREATE_PERMISSION, [], 400), (CREATE_PERMISSION, [lifetime(9)], 400)]),
    ("10.2", "one", V4, [(CREATE_PERMISSION, [peer(lab.PEER)], 0)]),
    ("10.2", "the port is ignored", V4, [(CREATE_PERMISSION, [peer(lab.PEER, n)], 0) for n in (0, 1, 53, 65535)]),
    ("10.2", "several", V4, [(CREATE_PERMISSION, [peer("10.2.%d.9" % n, n) for n in range(40)], 0)]),
    ("10.2", "the same twice", V4, [(CREATE_PERMISSION, [peer(lab.PEER, 1), peer(lab.PEER, 2)], 0)]),
    ("10.2", "again, which refreshes", V4, [(CREATE_PERMISSION, [peer(lab.PEER)], 0)] * 3),
    *[("10.2", "an invalid one of %d bytes: 400" % len(v), V4, [(CREATE_PERMISSION, [attr(A_PEER, v)], 400)])
      for v in (b"", b"\0\1", bytes(4), b"\0\1" + bytes(5), b"\0\1" + bytes(8), b"\0\2" + bytes(6), b"\0\1" + bytes(18),
                b"\0\2" + bytes(14), b"\0\2" + bytes(22))],
    *[("10.2", "a family of %d: 400" % n, V4, [(CREATE_PERMISSION, [attr(A_PEER, bytes([0, n]) + bytes(6))], 400)])
      for n in (0, 3, 255)],
    ("10.2", "an invalid one among good ones: 400", V4,
     [(CREATE_PERMISSION, a, 400) for a in ([peer(lab.PEER), WRONG], [WRONG, peer(lab.PEER)],
                                           [peer(lab.PEER), WRONG, peer(lab.PEER_B)])]),
    ("10.2", "an invalid one beside another family's and a forbidden one: 400", V4,
     [(CREATE_PERMISSION, [peer(lab.PEER6), peer("127.0.0.1"), WRONG], 400)]),
    ("10.2", "another family: 443", V4, [(CREATE_PERMISSION, [peer(lab.PEER6)], 443),
                                         (CREATE_PERMISSION, [peer(lab.PEER), peer(lab.PEER6)], 443),
                                         (CREATE_PERMISSION, [peer(lab.PEER6), peer(lab.PEER)], 443)]),
    ("10.2", "another family: 443, IPv6", V6, [(CREATE_PERMISSION, [peer(lab.PEER)], 443),
                                               (CREATE_PERMISSION, [peer(lab.PEER6)], 0)]),
    ("10.1", "two families: each, and both at once", BOTH,
     [(CREATE_PERMISSION, [peer(lab.PEER)], 0), (CREATE_PERMISSION, [peer(lab.PEER6)], 0),
      (CREATE_PERMISSION, [peer(lab.PEER6), peer(lab.PEER)], 0)]),
    *[("10.2", "%s is not allowed: 403" % ip, V6 if ":" in ip else V4,
       [(CREATE_PERMISSION, [peer(ip)], 403), (CHANNEL_BIND, [channel(0x4000), peer(ip, 9)], 403)])
      for ip in ("127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "169.254.1.1", "::1", "::", "ff02::1", "fe80::1")],
    ("21.4", "Teredo and 6to4 are not allowed: 403", V6,
     [(kind, [*more, peer(ip, 9)], 403) for ip in ("2001::1", "2001:0:5333::9", "2002:3300:1::1", "2002:330f:2::1")
      for kind, more in ((CREATE_PERMISSION, []), (CHANNEL_BIND, [channel(0x4001)]))]),
    ("10.2", "a forbidden one among good ones: 403", V4,
     [(CREATE_PERMISSION, [peer(lab.PEER), peer("127.0.0.1")], 403),
      (CREATE_PERMISSION, [peer("127.0.0.1"), peer(lab.PEER)], 403)]),
    ("10.2", "more than there is room for: 508", V4,
     [(CREATE_PERMISSION, [peer("51.%d.%d.9" % (b, n)) for n in range(100)], 0) for b in range(10)] +
     [(CREATE_PERMISSION, [peer("51.99.%d.9" % n) for n in range(100)], 508), (CREATE_PERMISSION, [peer("51.0.0.9")], 0)]),
    ("18", "attributes of other requests have no meaning", V4,
     [(CREATE_PERMISSION, [peer(lab.PEER), UDP, lifetime(0), channel(1), attr(A_DATA, b"x"), DF], 0), (REFRESH, [], 0)]),
])


@permissions("10.2", "a refused request installs none of its permissions")
def _(w):
    for wrong in (WRONG, peer(lab.PEER6), peer("127.0.0.1")):
        c, p, q = w.client(), w.peer(), w.peer(lab.PEER_B)
        for attrs in ([peer(lab.PEER), wrong], [wrong, peer(lab.PEER)]):
            want(c.ask(CREATE_PERMISSION, *attrs).code, "it is granted")
        c.send(p.getsockname(), b"not permitted")
        p.sendto(b"not permitted", c.relayed[4])
        c.permit(lab.PEER_B)
        q.sendto(b"permitted", c.relayed[4])
        same(c.heard(), (q.getsockname(), b"permitted"), "what the client heard")
        c.permit(lab.PEER)
        c.send(p.getsockname(), b"permitted")
        same(p.recvfrom(100)[0], b"permitted", "what the peer got")


@permissions("10.2", "a success answer has no attribute that must be understood but the integrity")
def _(w):
    for answer in (w.client().permit(lab.PEER), w.client().bind(0x4000, P)):
        same([n for n, _ in answer.attrs if n < 0x8000], [0x0008], "its attributes")


channels = Cases()
N = channel(0x4000)
channels.rows(steps, [
    ("5", "no allocation: 437", None, [(CHANNEL_BIND, [N, peer(*P)], 437), (CHANNEL_BIND, [], 437)]),
    ("12.2", "both attributes", V4, [(CHANNEL_BIND, [N, peer(*P)], 0)]),
    ("12.2", "no XOR-PEER-ADDRESS: 400", V4, [(CHANNEL_BIND, [N], 400)]),
    ("12.2", "no CHANNEL-NUMBER: 400", V4, [(CHANNEL_BIND, [peer(*P)], 400)]),
    ("12.2", "neither: 400", V4, [(CHANNEL_BIND, [], 400)]),
    *[("12.2", "number 0x%04x is in the range" % n, V4, [(CHANNEL_BIND, [channel(n), peer(*P)], 0)])
      for n in (0x4000, 0x4001, 0x4ABC, 0x4FFE, 0x4FFF)],
    *[("12.2", "number 0x%04x is not in the range: 400" % n, V4, [(CHANNEL_BIND, [channel(n), peer(*P)], 400)])
      for n in (0, 1, 0x3FFF, 0x5000, 0x5001, 0x7FFE, 0x7FFF, 0x8000, 0xC000, 0xFFFF)],
    ("12.2", "the number is bound to another address: 400", V4,
     [(CHANNEL_BIND, [N, peer(*P)], 0), (CHANNEL_BIND, [N, peer(lab.PEER_B, 4000)], 400)]),
    ("12.2", "the number is bound to another port of the address: 400", V4,
     [(CHANNEL_BIND, [N, peer(*P)], 0), (CHANNEL_BIND, [N, peer(*OTHER4)], 400)]),
    ("12.2", "the address is bound to another number: 400", V4,
     [(CHANNEL_BIND, [N, peer(*P)], 0), (CHANNEL_BIND, [channel(0x4001), peer(*P)], 400)]),
    ("12.2", "two bindings crossed: 400", V4,
     [(CHANNEL_BIND, [N, peer(*P)], 0), (CHANNEL_BIND, [channel(0x4001), peer(*OTHER4)], 0),
      (CHANNEL_BIND, [N, peer(*OTHER4)], 400), (CHANNEL_BIND, [channel(0x4001), peer(*P)], 400)]),
    ("12.2", "the same binding again", V4, [(CHANNEL_BIND, [N, peer(*P)], 0)] * 3),
    ("12.2", "another family: 443", V4, [(CHANNEL_BIND, [N, peer(*OTHER6)], 443), (CHANNEL_BIND, [N, peer(*P)], 0)]),
    ("12.2", "another family: 443, IPv6", V6, [(CHANNEL_BIND, [N, peer(*P)], 443), (CHANNEL_BIND, [N, peer(*OTHER6)], 0)]),
    ("12.2", "two families: a number is one's only", BOTH,
     [(CHANNEL_BIND, [N, peer(*P)], 0), (CHANNEL_BIND, [N, peer(*OTHER6)], 400),
      (CHANNEL_BIND, [channel(0x4001), peer(*OTHER6)], 0)]),
    ("12.2", "400 before 443", V4, [(CHANNEL_BIND, [channel(0x5000), peer(*OTHER6)], 400)]),
    ("12.2", "400 before 403", V4, [(CHANNEL_BIND, [channel(0x5000), peer("127.0.0.1", 9)], 400)]),
    ("12.2", "a refused binding binds nothing", V4,
     [(CHANNEL_BIND, [N, peer("127.0.0.1", 9)], 403), (CHANNEL_BIND, [N, peer(*OTHER6)], 443), (CHANNEL_BIND, [N, peer(*P)], 0)]),
    *[("18.1", "RFFU is ignored: %s" % r.hex(), V4, [(CHANNEL_BIND, [channel(0x4000, r), peer(*P)], 0)])
      for r in (b"\0\1", b"\xff\xff")],
    *[("18.1", "CHANNEL-NUMBER has 4 bytes, not %d: 400" % n, V4,
       [(CHANNEL_BIND, [attr(A_CHANNEL, b"\x40\0" + bytes(n - 2)), peer(*P)], 400)]) for n in (2, 3, 6, 8)],
    ("12.2", "an invalid XOR-PEER-ADDRESS: 400", V4, [(CHANNEL_BIND, [N, WRONG], 400)]),
    ("12.2", "of two the first counts", V4,
     [(CHANNEL_BIND, [N, channel(0x4001), peer(*P), peer(*OTHER4)], 0), (CHANNEL_BIND, [channel(0x4001), peer(*OTHER4)], 0)]),
    ("12", "every number of the range can be bound", V4,
     [(CHANNEL_BIND, [channel(0x4000 + 64 * n), peer(lab.PEER, 1000 + n)], 0) for n in range(64)]),
    ("18", "attributes of other requests have no meaning", V4, [(CHANNEL_BIND, [N, peer(*P), UDP, lifetime(0)], 0),
                                                                (REFRESH, [], 0)]),
])


@channels("12", "a channel of one allocation has nothing to do with another's")
def _(w):
    a, b, p, q = w.client(), w.client(), w.peer(), w.peer()
    a.bind(0x4000, p.getsockname())
    b.bind(0x4000, q.getsockname())
    a.bind(0x4001, q.getsockname())
    b.say(0x4001, b"not bound here")
    b.say(0x4000, b"b")
    a.say(0x4000, b"a")
    same((p.recvfrom(9), q.recvfrom(99)), ((b"a", a.relayed[4]), (b"b", b.relayed[4])), "what the peers got")


@channels("12.1", "a ChannelBind makes a permission for the address, whatever the port")
def _(w):
    c, p, q = w.client(), w.peer(), w.peer()
    c.bind(0x4000, p.getsockname())
    q.sendto(b"from another port", c.relayed[4])
    same(c.heard(), (q.getsockname(), b"from another port"), "what the client heard")
    c.send(q.getsockname(), b"to another port")
    same(q.recvfrom(99), (b"to another port", c.relayed[4]), "what the peer got")


@channels("8.1", "of two families one is deleted: its channels and permissions go, the other's do not")
def _(w):
    for gone, kept in ((4, 6), (6, 4)):
        c = w.client(additional(2))
        ends = {4: w.peer(), 6: w.peer(lab.PEER6)}
        names = {n: p.getsockname()[:2] for n, p in ends.items()}
        for n in ends:
            c.bind(0x4000 + n, names[n])
        relayed = dict(c.relayed)
        c.must(REFRESH, family({4: 1, 6: 2}[gone]), lifetime(0))
        c.say(0x4000 + gone, b"gone")
        c.send(names[gone], b"gone")
        ends[gone].sendto(b"gone", relayed[gone])
        c.say(0x4000 + kept, b"kept")
        same(ends[kept].recvfrom(99)[0], b"kept", "what the peer got")
        c.send(names[kept], b"kept, by indication")
        same(ends[kept].recvfrom(99)[0], b"kept, by indication", "what the peer got")
        ends[kept].sendto(b"back", relayed[kept])
        same(c.heard(), (0x4000 + kept, b"back"), "what the client heard")


@test("RFC 8656 s.5 to 8, 10, 12.2, 18, 19: Allocate, Refresh, CreatePermission, ChannelBind", timeout=60,
      not_coturn=STANDIN)
def requests(t):
    t.server()
    try_all(t, allocations, refreshes, permissions, channels)


# --- what needs a server of its own

@test("RFC 8656 s.7.2(7, 9): a server without IPv6, and one without IPv4", not_coturn=STANDIN)
def one_family(t):
    t.net()
    for ips, has, lacks in (([lab.RELAY], 4, 6), ([lab.RELAY6], 6, 4)):
        s = t.server(relay_ip=ips)
        wire = {4: 1, 6: 2}
        for stream in (False, True):
            w = World(t, stream)
            for attrs, code, more in (([family(wire[lacks])], 440, {}), ([family(wire[has])], 0, {"families": [has]}),
                                      ([], 0 if has == 4 else 440, {}), ([EVEN], 0 if has == 4 else 440, {}),
                                      ([additional(1)], 400, {}), ([additional(2), EVEN_R], 400, {})):
                try_allocate(w, [UDP, *attrs], code, **more)
            if has == 4:  # check 7 refuses what names no family where there is no IPv4
                try_allocate(w, [UDP, additional(2)], 0, half=(2, 440))
                c = w.client(additional(2))
                same(c.ask(CREATE_PERMISSION, peer(lab.PEER6)).code, 443, "the code")
                c.permit(lab.PEER)
            w.close()
        s.stop()


@test("RFC 8656 s.7.2(8, 9): no port of a kind is left: 508, or half of a dual allocation", not_coturn=STANDIN)
def used_up(t):
    t.net()
    for stream in (False, True):
        server = t.server(min_port=50000, max_port=50003)
        w = World(t, stream)
        pairs = [w.client(EVEN_R) for _ in range(2)]
        same(sorted(c.relayed[4][1] for c in pairs), [50000, 50002], "the ports")
        for attrs in ([], [EVEN], [EVEN_R]):
            try_allocate(w, [UDP, *attrs], 508)
        half = w.client(additional(2))  # IPv4 has none, IPv6 has all
        same(sorted(half.relayed), [6], "the families")
        half.must(REFRESH, lifetime(0))
        answer = w.wire().ask(ALLOCATE, UDP, additional(2))
        same(answer.get(A_ADDRESS_ERROR), b"\1\0\5\x08Insufficient Capacity", "ADDRESS-ERROR-CODE")
        w.close()
        server.stop()


@test("RFC 8656 s.7.2(10): 486 is by user, and a deleted allocation counts no more", not_coturn=STANDIN)
def quota(t):
    t.server(user_quota=2)
    for stream in (False, True):
        w = World(t, stream)
        held = [w.client(), w.client(ip=lab.CLI_B)]
        c = w.wire(lab.CLI_C)
        same(c.ask(ALLOCATE, UDP).code, 486, "the code, from another address too")
        bob = w.wire()
        bob.user, bob.password = "bob", "builder"
        bob.allocate()
        held[0].must(REFRESH, lifetime(0))
        c.allocate()
        for x in (held[1], bob, c):
            x.must(REFRESH, lifetime(0))
        w.close()


@test("RFC 8656 s.21.4: no allocation for Teredo and 6to4 addresses", not_coturn=STANDIN)
def tunnels(t):
    t.net()
    for ip in ("2002:330f:2::2", "2001:0:330f:2::2"):
        t.lab.cli.ip("addr", "add", ip + "/128", "dev", "c0", "nodad")
        t.lab.srv.ip("-6", "route", "add", ip + "/128", "dev", "s0")
        lab.await_reachable(t.lab.cli, ip, t.lab.srv, lab.SRV6)
    t.server()
    for stream in (False, True):
        w = World(t, stream)
        for ip in ("2002:330f:2::2", "2001:0:330f:2::2"):
            try_allocate(w, [UDP], 403, ip=ip)
        w.close()
