"""RFC 8656, sections 13 to 16: the IP header of what is relayed. Packets are looked at as they arrive."""
import os
import socket
import struct

import lab
from harness import test
from rawturn import DF, raw_icmp
from test_rfc8656 import STANDIN, Cases, same, try_all, want
from test_rfc8656_data import LEGS, gets, name, pair

DEFAULT_HOPS = 64  # of Linux
SIX = [x for x in LEGS if ":" in x[0] + x[1]]


class Header:
    """What a packet that holds the marker came with."""

    def __init__(self, packet):
        self.v6 = packet[0] >> 4 == 6
        if self.v6:
            first, self.proto, self.hops = struct.unpack("!I2xBB", packet[:8])
            self.tos, self.label, self.df, self.options = first >> 20 & 255, first & 0xFFFFF, None, 0
        else:
            self.tos, frag, self.hops, self.proto = struct.unpack("!xB4xHBB", packet[:10])
            self.label, self.df, self.options = None, frag >> 14 & 1, (packet[0] & 15) - 5


def arrival(sniffer, marker):
    sniffer.settimeout(5)
    while True:
        packet, about = sniffer.recvfrom(65536)
        if marker in packet and about[2] != socket.PACKET_OUTGOING:
            return Header(packet)


def set_hops(sock, n):
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, n)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, n)


def set_tos(sock, n):
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, n)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, n)


class Sight:
    """A client and a peer with a channel, and the headers that arrive at either."""

    def __init__(self, w, leg):
        self.c, self.p, self.relayed = pair(w, 0x4000, *leg)
        self.at_peer, self.at_client = w.t.lab.peer.sniffer("p0"), w.t.lab.cli.sniffer("c0")
        w.open += [self.at_peer, self.at_client]

    def up(self, *attrs, channel=False):
        marker = os.urandom(8).hex().encode()
        if channel:
            self.c.say(0x4000, marker)
        else:
            self.c.send(name(self.p), marker, *attrs)
        gets(self.p, marker, self.relayed)
        return arrival(self.at_peer, marker)

    def down(self):
        marker = os.urandom(8).hex().encode()
        self.p.sendto(marker, self.relayed)
        same(self.c.heard(), (0x4000, marker), "what the client got")
        return arrival(self.at_client, marker)


def every_way(s):
    """Whose socket sends, and a datagram on each way."""
    return ((s.c.sock, s.up), (s.c.sock, lambda: s.up(channel=True)), (s.p, s.down))


headers = Cases()


def hop_limits(w, leg, left):
    s = Sight(w, leg)
    for sock, go in every_way(s):
        for n in (255, 42, 2, 64):
            set_hops(sock, n)
            same(go().hops, left(n), "the hop limit of what came with %d" % n)


def rows(section, sentence, legs, left):
    return [(section, "%s, %s to %s" % (sentence, *leg[:2]), leg, left) for leg in legs]


headers.cases += [(s, text, lambda w, a=a: hop_limits(w, *a), "UDP") for s, text, *a in
                  rows("13", "translated: one hop less, as a router has it", SIX, lambda n: n - 1) +
                  rows("14", "IPv4 to IPv4: the system's", LEGS[:1], lambda n: DEFAULT_HOPS)]


def expires(w, leg):
    """The sender, with one hop left, is told by ICMP; the next datagram passes."""
    s = Sight(w, leg)
    ends = ((s.c.sock, w.t.lab.cli, lambda d: s.c.send(name(s.p), d), s.c.sock.getpeername()[:2]),
            (s.c.sock, w.t.lab.cli, lambda d: s.c.say(0x4000, d), s.c.sock.getpeername()[:2]),
            (s.p, w.t.lab.peer, lambda d: s.p.sendto(d, s.relayed), s.relayed))
    for sock, ns, go, to in ends:
        here, v6 = name(sock), sock.family == socket.AF_INET6
        ears = raw_icmp(ns, here[0])
        w.open.append(ears)
        set_hops(sock, 1)
        go(b"the last hop" * 8)
        ears.settimeout(5 * w.t.scale)
        while True:
            got, source = ears.recvfrom(2000)
            got = got if v6 else got[20:]
            if got[0] == (3 if v6 else 11):
                break
        same((got[1], got[4:8], source[0]), (0, bytes(4), to[0]), "code, unused, and who says it")
        inner = got[8:]
        at = 40 if v6 else 20
        a, b = (inner[8:24], inner[24:40]) if v6 else (inner[12:16], inner[16:20])
        same([socket.inet_ntop(sock.family, x) for x in (a, b)], [here[0], to[0]], "the addresses quoted")
        same(inner[6 if v6 else 9], 17, "the protocol quoted")
        same(struct.unpack("!HH", inner[at:at + 4]), (here[1], to[1]), "the ports quoted")
        want(b"the last hop" in inner[at + 8:], "no payload is quoted")
        set_hops(sock, 64)
    same(s.up().hops, 63, "the hop limit of the next")
    same(s.down().hops, 63, "the hop limit of the next")


headers.cases += [("13", "translated: no hop left is dropped, and told by ICMP, %s to %s" % leg[:2],
                   lambda w, leg=leg: expires(w, leg), "UDP") for leg in SIX]


@headers("13", "each datagram of a burst has its own", over="UDP")
def _(w):
    s = Sight(w, SIX[-1])
    v6 = socket.IPPROTO_IPV6
    s.p.setsockopt(v6, socket.IPV6_RECVHOPLIMIT, 1)
    for n in range(30):
        set_hops(s.c.sock, 10 + n % 3)
        s.c.say(0x4000, b"%04d" % n)
    for n in range(30):
        data, control, _, _ = s.p.recvmsg(100, 100)
        hops = [struct.unpack("=i", v)[0] for a, b, v in control if (a, b) == (v6, socket.IPV6_HOPLIMIT)]
        same((data, hops), (b"%04d" % n, [9 + n % 3]), "data and hop limit")


@headers("13.1, 13.3, 14", "DSCP and ECN: the outgoing value is the incoming one, both ways", over="UDP")
def _(w):
    for leg in LEGS:
        s = Sight(w, leg)
        for sock, go in every_way(s):
            for tos in (0xB8, 0xB9, 0x02, 0x03, 0x88, 0xFC, 0):
                set_tos(sock, tos)
                same(go().tos, tos, "the traffic class, %s to %s" % leg[:2])


@headers("13.2", "the flow label is the server's own: one to a flow, and not copied", over="UDP")
def _(w):
    s = Sight(w, SIX[-1])
    marker = os.urandom(8).hex().encode()
    came = w.t.lab.srv.sniffer("s0")
    w.open.append(came)
    s.c.say(0x4000, marker)
    gets(s.p, marker, s.relayed)
    came = arrival(came, marker)
    labels = {arrival(s.at_peer, marker).label, s.up().label, s.up(channel=True).label}
    same(len(labels), 1, "the number of labels of the flow to the peer")
    want(labels != {came.label} or came.label == 0, "the label is copied")


@headers("13 to 15", "there are no IPv4 options and no extension headers")
def _(w):
    for leg in LEGS:
        s = Sight(w, leg)
        for h in (s.up(), s.up(channel=True)):
            same((h.options, h.proto), (0, 17), "options and protocol")


@headers("13, 14, 15", "DONT-FRAGMENT in a Send indication sets DF; where IP versions change over UDP it is ignored")
def _(w):
    for leg in (LEGS[0], LEGS[1]):
        s = Sight(w, leg)
        if not w.stream:  # our own datagrams without DF: IP_MTU_DISCOVER = IP_PMTUDISC_DONT
            s.c.sock.setsockopt(*((socket.IPPROTO_IPV6, 23) if ":" in leg[0] else (socket.IPPROTO_IP, 10)), 0)
        obeyed = 1 if w.stream or leg == LEGS[0] else 0
        same([s.up().df, s.up(DF).df, s.up().df, s.up(channel=True).df], [0, obeyed, 0, 0], "DF")


@headers("13.2, 13.3, 14", "what is larger than the link is sent in fragments, for DONT-FRAGMENT is ignored", over="UDP")
def _(w):
    for leg in SIX:
        c, p, relayed = pair(w, None, *leg)
        c.send(name(p), bytes(1700), DF)
        gets(p, bytes(1700), relayed)
        p.sendto(bytes(1800), relayed)
        same(c.heard(), (name(p), bytes(1800)), "what the client got")


@headers("15", "from a stream: not ECN-capable, and the system's hop limit", over="TCP")
def _(w):
    for leg in LEGS:
        s = Sight(w, leg)
        set_hops(s.c.sock, 33)
        for channel in (False, True):
            h = s.up(channel=channel)
            same((h.tos, h.hops), (0, DEFAULT_HOPS), "class and hop limit")


@headers("16", "to a stream: the marks of a peer's datagrams are ignored, its hop limit too", over="TCP")
def _(w):
    for leg in LEGS:
        s = Sight(w, leg)
        set_tos(s.p, 0xBB)
        set_hops(s.p, 1)
        h = s.down()
        same((h.tos & 0xFC, h.hops), (0, DEFAULT_HOPS), "DSCP and hop limit")


@test("RFC 8656 s.13 to 16: hop limit, traffic class, flow label, DF, fragments", timeout=60, not_coturn=STANDIN)
def header(t):
    t.net(offload=False)
    t.server()
    try_all(t, headers)


@test("RFC 8656 s.13: without the privilege for ICMP the hop limit is the system's, and nothing else", not_coturn=STANDIN)
def no_privilege(t):
    t.net(offload=False)
    s = t.bare_server()
    s.binary = "/usr/bin/setpriv"
    real = t.binary
    conf = s.write_config(dict(s.DEFAULTS))
    s.listen = [(lab.SRV, 3478), (lab.SRV6, 3478)]
    s.spawn(["--bounding-set=-net_raw", real, "-c", conf])
    for at in s.listen:
        s._await_binding(at)
    alternate = Cases()
    alternate.cases = [("13", "%s to %s" % leg[:2], lambda w, leg=leg: hop_limits(w, leg, lambda n: DEFAULT_HOPS), "UDP")
                       for leg in SIX]

    @alternate("13", "the last hop is no matter then", over="UDP")
    def _(w):
        c, p, relayed = pair(w, None, *SIX[0])
        set_hops(c.sock, 1)
        c.send(name(p), b"passes")
        gets(p, b"passes", relayed)
    try_all(t, alternate)
