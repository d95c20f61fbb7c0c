"""Allocate and Refresh: what they refuse, and what they give."""
import os
import struct

import lab
from harness import check, equal, minted, test
from turnclient import (ADDITIONAL_FAMILY, ADDRESS_ERROR_CODE, ALLOCATE, CHANNEL_BIND, CHANNEL_NUMBER,
                        CREATE_PERMISSION, DONT_FRAGMENT, IPV4, IPV6, REFRESH,
                        REQUESTED_FAMILY, REQUESTED_TRANSPORT, RESERVATION_TOKEN, UDP,
                        UNKNOWN_ATTRIBUTES, XOR_MAPPED_ADDRESS, XOR_PEER_ADDRESS, XOR_RELAYED_ADDRESS,
                        even_port, lifetime, peer_address, read_xor_address)

SECRET = "a-secret-for-quotas"
OWN_WAY = "answers in its own way"


@test("an allocation tells relayed and mapped address and a lifetime, and its port is in the range")
def success(t):
    t.server(min_port=50000, max_port=50099)
    for ip in (lab.CLI, lab.CLI6):
        c = t.client(ip)
        answer = c.allocate()
        equal(answer.address(XOR_MAPPED_ADDRESS), c.sock.getsockname()[:2], "mapped address")
        equal(answer.relayed[0], lab.RELAY, "relayed address")  # IPv4 unless asked, RFC 8656 s.7.2
        check(50000 <= answer.relayed[1] <= 50099, "port %d", answer.relayed[1])
        equal(answer.seconds(), 600, "lifetime")


@test("lifetimes: 600 s at least, max-allocate-lifetime at most, 0 ends",
      not_coturn="lets an ended session linger")
def lifetimes(t):
    t.server(max_allocate_lifetime=1800)
    for asked, got in ((1, 600), (600, 600), (1000, 1000), (1800, 1800), (7200, 1800), (0xFFFFFFFF, 1800)):
        c = t.client()
        equal(c.allocate(lifetime(asked)).seconds(), got, "allocated, asked for %d" % asked)
        equal(c.refresh(asked).seconds(), got, "refreshed, asked for %d" % asked)
        equal(c.refresh().seconds(), 600, "refreshed, asked for nothing")
        equal(c.refresh(0).seconds(), 0, "ended")
        c.refresh(code=437)
        c.allocate()


@test("437: requests without an allocation, and a second Allocate",
      not_coturn="looks at the attributes first")
def mismatch(t):
    t.server()
    c = t.client()
    c.refresh(code=437)
    c.permit(lab.PEER, code=437)
    c.bind(0x4000, lab.PEER, 9, code=437)
    first = c.allocate().relayed
    c.allocate(code=437)
    c.refresh()
    equal(c.relayed, first, "relayed address")


@test("442: a transport that cannot be relayed; 400: none, or one of the wrong size",
      not_coturn="answers 400")
def transports(t):
    t.server()
    c = t.client()
    c.expect(442, ALLOCATE, [(REQUESTED_TRANSPORT, b"\x84\0\0\0")])
    c.expect(400, ALLOCATE)
    if t.kind == "taciturn":
        c.expect(400, ALLOCATE, [(REQUESTED_TRANSPORT, b"\x11")])
    c.allocate()


@test("400: attributes of Allocate that exclude each other", not_coturn=OWN_WAY)
def contradictions(t):
    t.server()
    c = t.client()
    token = (RESERVATION_TOKEN, os.urandom(8))
    family, also = (REQUESTED_FAMILY, IPV4), (ADDITIONAL_FAMILY, IPV6)
    c.allocate(family, also, code=400)
    c.allocate((ADDITIONAL_FAMILY, IPV4), code=400)
    c.allocate(token, even_port(False), code=400)
    c.allocate(token, family, code=400)
    c.allocate(token, also, code=400)
    c.allocate(even_port(True), also, code=400)
    c.allocate()


@test("420: an attribute that must be understood is named, in every request; the optional is ignored")
def unknown_attribute(t):
    t.server()
    c = t.client()
    strange = (0x7F01, b"strange")
    for method, attrs in ((ALLOCATE, [UDP]), (REFRESH, []), (CREATE_PERMISSION, [peer_address(lab.PEER, 0)]),
                          (CHANNEL_BIND, [(CHANNEL_NUMBER, b"\x40\0\0\0"), peer_address(lab.PEER, 9)])):
        answer = c.expect(420, method, attrs + [strange])
        equal(struct.unpack("!H", answer.get(UNKNOWN_ATTRIBUTES)[:2])[0], 0x7F01, "named attribute")
        c.expect(0, method, attrs + [(0xFF01, b"optional")])


@test("440: a family that the relay does not have, or that nobody has")
def families(t):
    t.server(relay_ip=lab.RELAY)
    c = t.client()
    c.allocate((REQUESTED_FAMILY, IPV6), code=440)
    c.allocate((REQUESTED_FAMILY, b"\x03\0\0\0"), code=440)
    equal(c.allocate((REQUESTED_FAMILY, IPV4)).relayed[0], lab.RELAY, "relayed address")


@test("443: a peer of another family, and Refresh for another family")
def family_mismatch(t):
    t.server()
    for mine, peer, own, other in ((IPV4, lab.PEER6, lab.PEER, IPV6), (IPV6, lab.PEER, lab.PEER6, IPV4)):
        c = t.client()
        c.allocate((REQUESTED_FAMILY, mine))
        c.permit(peer, code=443)
        c.permit(own, peer, code=443)
        c.bind(0x4000, peer, 9, code=443)
        c.refresh(code=443, attrs=[(REQUESTED_FAMILY, other)])
        equal(c.refresh(attrs=[(REQUESTED_FAMILY, mine)]).seconds(), 600, "lifetime")


@test("400: CreatePermission without a peer or with half a one; nothing is granted on refusal")
def bad_permission(t):
    t.server()
    peer, c = t.peer(), t.client()
    c.allocate()
    c.expect(400, CREATE_PERMISSION)
    if t.kind == "taciturn":
        c.expect(400, CREATE_PERMISSION, [peer_address(lab.PEER, 0), (XOR_PEER_ADDRESS, b"\0\1\0")])
    c.permit(lab.PEER, lab.PEER6, code=443)
    peer.sendto(b"not permitted", c.relayed)
    c.settle()
    c.permit(lab.PEER)
    peer.sendto(b"permitted", c.relayed)
    c.expect_data(b"permitted", peer.getsockname())


@test("400: channel numbers out of range, or a channel or peer that is bound otherwise")
def bad_channel(t):
    s = t.server()
    c = t.client()
    c.allocate()
    numbers = (0, 0x3FFF, 0x5000, 0x7FFE, 0x7FFF, 0x8000, 0xFFFF)
    for number in numbers if t.kind == "taciturn" else (0, 0x3FFF, 0x8000):
        c.bind(number, lab.PEER, 9, code=400)
    c.bind(0x4000, lab.PEER, 9)
    c.bind(0x4000, lab.PEER, 9)
    c.bind(0x4000, lab.PEER, 10, code=400)
    c.bind(0x4001, lab.PEER, 9, code=400)
    c.expect(400, CHANNEL_BIND, [(CHANNEL_NUMBER, b"\x40\x02\0\0")])
    c.expect(400, CHANNEL_BIND, [peer_address(lab.PEER, 11)])
    if t.kind == "taciturn":
        c.bind(0x4FFF, lab.PEER, 12)
        s.wait_log(r"channel_denied .*number=0x5000 allow_with=rfc5766-channel-numbers", 2)


@test("rfc5766-channel-numbers: up to 0x7FFF, data included")
def wide_channels(t):
    t.server(rfc5766_channel_numbers=True)
    peer, c = t.peer(), t.client()
    c.allocate()
    for number in (0x5000, 0x7FFE):
        c.bind(number, lab.PEER, peer.getsockname()[1])
        c.send_channel(number, b"wide")
        equal(peer.recvfrom(100), (b"wide", c.relayed), "what the peer got")
        peer.sendto(b"back", c.relayed)
        c.expect_data(b"back", channel=number)
        peer = t.peer()
    c.bind(0x8000, lab.PEER, 9, code=400)


@test("a retransmitted Allocate gets the same answer and is one allocation")
def retransmitted(t):
    t.server(user_quota=1)
    for extra in ([], [even_port(True)], [(ADDITIONAL_FAMILY, IPV6)]):
        c = t.client()
        c.challenge()
        raw = c.signed(ALLOCATE, [UDP] + extra)
        answers = [c.ask(raw) for _ in range(3)]
        for a in answers:
            equal(a.code, 0, "code")
            for number in (XOR_RELAYED_ADDRESS, XOR_MAPPED_ADDRESS, RESERVATION_TOKEN):
                equal([read_xor_address(v, a.tid) if number != RESERVATION_TOKEN else v for v in a.all(number)],
                      [read_xor_address(v, a.tid) if number != RESERVATION_TOKEN else v
                       for v in answers[0].all(number)], "attribute 0x%04x" % number)
            check(a.verified(c.key), "integrity")
        t.client().allocate(code=486)
        c.refresh(0)
        if t.kind == "coturn":  # the stand-in gives quota back a little later
            break


@test("486: user-quota, given back at once", not_coturn="gives quota back a little later")
def user_quota(t):
    t.server(user_quota=2)
    a, b = t.client(), t.client()
    a.allocate()
    b.allocate()
    for _ in range(3):
        t.client().allocate(code=486)
    t.client(user="bob", password="builder").allocate()
    a.refresh(0)
    t.client().allocate()
    t.client().allocate(code=486)


@test("486: user-quota counts by user id, whatever the expiry in the name")
def user_quota_by_id(t):
    t.server(user=None, use_auth_secret=True, static_auth_secret=SECRET, user_quota=2)
    for code, user, ttl in ((0, "carol", 60), (0, "carol", 61), (486, "carol", 62), (0, "dave", 62),
                            (486, "carol", 63)):
        name, password = minted(SECRET, user, ttl)
        t.client(user=name, password=password).allocate(code=code)


@test("486: total-quota over all users")
def total_quota(t):
    t.server(total_quota=3)
    for n in range(3):
        t.client().allocate()
    t.client(user="bob", password="builder").allocate(code=486)


@test("508: the port range is used up, and a freed port is given again", not_coturn="lets freed ports rest")
def ports_used_up(t):
    t.server(min_port=50000, max_port=50003)
    held = [t.client() for _ in range(4)]
    equal(sorted(c.allocate().relayed[1] for c in held), [50000, 50001, 50002, 50003], "ports")
    late = t.client()
    late.allocate(code=508)
    # the other family has ports of its own
    t.client().allocate((REQUESTED_FAMILY, IPV6))
    held[2].refresh(0)
    equal(late.allocate().relayed, held[2].relayed, "the freed port")
    t.client().allocate(code=508)


@test("relayed ports are drawn over the whole range, in no order")
def random_ports(t):
    t.server()
    ports = [t.client().allocate().relayed[1] for _ in range(40)]
    check(all(49152 <= p <= 65535 for p in ports), "ports %s", ports)
    equal(len(set(ports)), 40, "different ports")
    check(max(ports) - min(ports) > 4000, "ports %s are close together", ports)
    steps = [b - a for a, b in zip(ports, ports[1:])]
    check(any(s > 0 for s in steps) and any(s < 0 for s in steps), "ports go one way: %s", ports)


@test("EVEN-PORT: even; with a reservation the token gives the next port, once, to whoever has it",
      not_coturn="answers a used token with 404")
def even_ports(t):
    t.server()
    for n in range(8):  # enough for the token to reach a worker that did not make it
        a, b, c = t.client(), t.client(lab.CLI_B), t.client()
        answer = a.allocate(even_port(True))
        token = answer.get(RESERVATION_TOKEN)
        equal(answer.relayed[1] % 2, 0, "parity of port %d" % answer.relayed[1])
        equal(len(token or b""), 8, "length of the token")
        got = b.allocate((RESERVATION_TOKEN, token)).relayed
        equal(got, (answer.relayed[0], answer.relayed[1] + 1), "reserved address")
        c.allocate((RESERVATION_TOKEN, token), code=508)
    a = t.client()
    answer = a.allocate(even_port(False))
    equal(answer.relayed[1] % 2, 0, "parity, without reservation")
    check(answer.get(RESERVATION_TOKEN) is None, "a token nobody asked for")
    t.client().allocate((RESERVATION_TOKEN, os.urandom(8)), code=508)


@test("EVEN-PORT 508: no pair is free, and a reserved port is nobody else's")
def even_ports_used_up(t):
    t.server(min_port=50000, max_port=50003)
    a = t.client()
    token = a.allocate(even_port(True)).get(RESERVATION_TOKEN)
    b = t.client()
    b.allocate()
    t.client().allocate(even_port(True), code=508)
    c = t.client()
    c.allocate()
    t.client().allocate(code=508)
    d = t.client()
    d.allocate((RESERVATION_TOKEN, token))
    equal({x.relayed[1] for x in (a, b, c, d)}, {50000, 50001, 50002, 50003}, "ports")


@test("ADDITIONAL-ADDRESS-FAMILY: one address of each family, and both carry data",
      not_coturn="knows the draft's number of it")
def dual(t):
    t.server()
    c = t.client()
    answer = c.allocate((ADDITIONAL_FAMILY, IPV6))
    got = [read_xor_address(v, answer.tid)[0] for v in answer.all(XOR_RELAYED_ADDRESS)]
    equal(sorted(got), sorted([lab.RELAY, lab.RELAY6]), "relayed addresses")
    c.permit(lab.PEER, lab.PEER6)
    for ip, relayed in ((lab.PEER, c.relayed), (lab.PEER6, c.relayed6)):
        peer = t.peer(ip)
        c.send(*peer.getsockname()[:2], b"to " + ip.encode())
        data, source = peer.recvfrom(100)
        equal((data, source[:2]), (b"to " + ip.encode(), relayed), "what the peer got")
        peer.sendto(b"back", source)
        c.expect_data(b"back", peer.getsockname()[:2])
    c.refresh(0)
    c.permit(lab.PEER6, code=437)


@test("ADDITIONAL-ADDRESS-FAMILY without IPv6: the IPv4 half, and ADDRESS-ERROR-CODE 440",
      not_coturn=OWN_WAY)
def dual_half(t):
    t.server(relay_ip=lab.RELAY)
    c = t.client()
    answer = c.allocate((ADDITIONAL_FAMILY, IPV6))
    equal([read_xor_address(v, answer.tid)[0] for v in answer.all(XOR_RELAYED_ADDRESS)], [lab.RELAY],
          "relayed addresses")
    value = answer.get(ADDRESS_ERROR_CODE)
    check(value is not None, "no ADDRESS-ERROR-CODE")
    equal((value[0], value[2] & 7, value[3]), (2, 4, 40), "family and code")


@test("DONT-FRAGMENT in Allocate is understood")
def dont_fragment(t):
    t.server()
    t.client().allocate((DONT_FRAGMENT, b""))


@test("several relay addresses are all used")
def relay_addresses(t):
    t.server(relay_ip=[lab.RELAY, lab.RELAY_ALT, lab.RELAY6])
    used = {t.client().allocate().relayed[0] for _ in range(24)}
    equal(used, {lab.RELAY, lab.RELAY_ALT}, "relay addresses")


@test("without relay-ip the relayed address is a listening address")
def default_relay(t):
    t.server(relay_ip=None)
    equal(t.client().allocate().relayed[0], lab.SRV, "relayed address")
    equal(t.client(lab.CLI6).allocate((REQUESTED_FAMILY, IPV6)).relayed[0], lab.SRV6, "relayed address")


@test("a Send indication with an unknown attribute that must be understood is dropped")
def unknown_in_indication(t):
    t.server()
    peer, c = t.peer(), t.client()
    c.allocate()
    c.permit(lab.PEER)
    c.send(*peer.getsockname(), b"dropped", (0x7F01, b"x"))
    c.send(*peer.getsockname(), b"passed", (0xFF01, b"x"))
    equal(peer.recvfrom(100)[0], b"passed", "what the peer got first")
