"""Data through an allocation: what passes, what does not, and how it looks at the other end."""
import socket
import struct

import lab
from harness import check, equal, test
from turnclient import (DATA, DONT_FRAGMENT, ICMP, INDICATION, IPV6, REQUESTED_FAMILY, SEND, XOR_PEER_ADDRESS,
                        Message, channel_data, peer_address)

FAMILIES = ((lab.CLI, lab.PEER), (lab.CLI6, lab.PEER), (lab.CLI, lab.PEER6), (lab.CLI6, lab.PEER6))
IP_RECVTOS = getattr(socket, "IP_RECVTOS", 13)


def session(t, cli=lab.CLI, peer_ip=lab.PEER):
    """An allocation of the peer's family, and the peer."""
    c = t.client(cli)
    if ":" in peer_ip:
        c.allocate((REQUESTED_FAMILY, IPV6))
        c.relayed = c.relayed6
    else:
        c.allocate()
    return c, t.peer(peer_ip)


def name(sock):
    return sock.getsockname()[:2]


def got(sock, data, source, what="what the peer got"):
    d, s = sock.recvfrom(65536)
    equal((d, s[:2]), (data, source), what)


@test("payloads of every size pass both ways, as indications and on a channel, over all families", timeout=60)
def sizes(t):
    t.server()
    for cli, peer_ip in FAMILIES:
        c, peer = session(t, cli, peer_ip)
        c.permit(peer_ip)
        for size in (1, 2, 3, 4, 5, 160, 1100, 1400, 4000, 8000):
            data = bytes((size + i) & 0xFF for i in range(size))
            c.send(*name(peer), data)
            got(peer, data, c.relayed)
            peer.sendto(data, c.relayed)
            c.expect_data(data, name(peer))
        c.bind(0x4000, *name(peer))
        for size in (1, 2, 3, 4, 5, 160, 1100, 1400, 4000, 8000):
            data = bytes((size * 7 + i) & 0xFF for i in range(size))
            c.send_channel(0x4000, data)
            got(peer, data, c.relayed)
            peer.sendto(data, c.relayed)
            c.expect_data(data, channel=0x4000)


@test("empty payloads pass both ways, as indications and on a channel")
def empty(t):
    t.server()
    for cli, peer_ip in FAMILIES:
        c, peer = session(t, cli, peer_ip)
        c.permit(peer_ip)
        c.send(*name(peer), b"")
        got(peer, b"", c.relayed)
        peer.sendto(b"", c.relayed)
        c.expect_data(b"", name(peer))
        c.bind(0x4000, *name(peer))
        c.send_channel(0x4000, b"")
        got(peer, b"", c.relayed)
        peer.sendto(b"", c.relayed)
        c.expect_data(b"", channel=0x4000)


@test("without a permission nothing passes; a permission is for the address, whatever the port")
def permissions(t):
    t.server()
    c, peer = session(t)
    other, stranger = t.peer(), t.peer(lab.PEER_B)
    c.send(*name(peer), b"no permission")
    peer.sendto(b"no permission", c.relayed)
    c.settle()
    c.permit(lab.PEER)
    for p in (stranger, peer, other):
        p.sendto(b"hello", c.relayed)
    c.expect_data(b"hello", name(peer))
    c.expect_data(b"hello", name(other))
    c.send(*name(stranger), b"no permission")
    for p in (peer, other):
        c.send(*name(p), b"permitted")
        got(p, b"permitted", c.relayed)
    c.settle()
    c.permit(lab.PEER_B)
    c.send(*name(stranger), b"now")
    got(stranger, b"now", c.relayed)
    equal(c.event(0.2), None, "a further event")


@test("CreatePermission for many peers at once")
def many_permissions(t):
    t.server()
    c, peer = session(t)
    c.permit(lab.PEER_B, lab.PEER, lab.PEER_PUB, "10.2.0.77")
    for ip in (lab.PEER, lab.PEER_B):
        p = t.peer(ip)
        p.sendto(ip.encode(), c.relayed)
        c.expect_data(ip.encode(), name(p))


@test("a channel answers with ChannelData to its peer, and with Data indications to other ports of it")
def channel_and_indication(t):
    t.server()
    c, peer = session(t)
    other = t.peer()
    c.bind(0x4ABC, *name(peer))
    peer.sendto(b"one", c.relayed)
    c.expect_data(b"one", channel=0x4ABC)
    other.sendto(b"two", c.relayed)
    c.expect_data(b"two", name(other))
    c.send(*name(peer), b"three")  # both forms may be mixed, RFC 8656 s.12.5
    got(peer, b"three", c.relayed)


@test("ChannelData: padding is cut off, an unbound channel or too long a length is dropped")
def channel_framing(t):
    t.server()
    c, peer = session(t)
    c.bind(0x4000, *name(peer))
    c.send_raw(channel_data(0x4001, b"unbound"))
    c.send_raw(struct.pack("!HH", 0x4000, 8) + b"shorter")
    c.send_raw(b"\x40\0\0")
    c.send_raw(channel_data(0x4FFF, b"unbound"))
    c.send_channel(0x4000, b"12345", pad=True)
    got(peer, b"12345", c.relayed)
    c.send_channel(0x4000, b"1234")
    got(peer, b"1234", c.relayed)


@test("a Send indication without DATA or without a peer is dropped")
def bad_indication(t):
    t.server()
    c, peer = session(t)
    c.permit(lab.PEER)
    c.send_raw(Message(SEND, INDICATION, [peer_address(*name(peer))]).encode())
    c.send_raw(Message(SEND, INDICATION, [(DATA, b"x")]).encode())
    c.send_raw(Message(SEND, INDICATION, [(XOR_PEER_ADDRESS, b"\0\1\0\0"), (DATA, b"x")]).encode())
    c.send_raw(Message(SEND, INDICATION, [(XOR_PEER_ADDRESS, b"\0\7" + bytes(6)), (DATA, b"x")]).encode())
    c.send(*name(peer), b"good")
    got(peer, b"good", c.relayed)


@test("after the end of an allocation its port is silent, both ways",
      not_coturn="lets an ended session linger")
def after_the_end(t):
    t.server()
    c, peer = session(t)
    c.bind(0x4000, *name(peer))
    c.refresh(0)
    c.send_channel(0x4000, b"late")
    c.send(*name(peer), b"late")
    peer.sendto(b"late", c.relayed)
    c.ask(Message(1, 0).encode())
    equal(c.event(0.3), None, "an event")
    peer.settimeout(0.3)
    try:
        data = peer.recv(100)
    except (TimeoutError, ConnectionRefusedError):
        data = None
    equal(data, None, "what the peer got")


@test("a peer without a listener: its ICMP error comes as a Data indication, channel or not",
      not_coturn="has no ICMP attribute")
def icmp_unreachable(t):
    t.server()
    for ip, kind in ((lab.PEER, b"\3\3"), (lab.PEER6, b"\1\4")):
        c, peer = session(t, peer_ip=ip)
        closed = t.peer(ip)
        address = name(closed)
        closed.close()
        c.permit(ip)
        c.send(*address, b"anybody there?")
        icmp_event(c, address, kind)
        c.bind(0x4000, *address)
        c.send_channel(0x4000, b"anybody there?")
        icmp_event(c, address, kind)
        # and data goes on
        c.send(*name(peer), b"here")
        got(peer, b"here", c.relayed)


def icmp_event(c, address, kind):
    e = c.event()
    check(e is not None and e.kind == "icmp", "got %s instead of an ICMP attribute", e)
    check(e.data is None, "DATA beside ICMP")
    equal(e.msg.get(ICMP), b"\0\0" + kind + bytes(4), "ICMP attribute")
    equal(e.peer[0], address[0], "address of the peer")
    check(e.peer[1] in (0, address[1]), "port of the peer: %d", e.peer[1])


def set_tos(sock, value):
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, value)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, value)


def want_tos(sock):
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)


def read_tos(sock):
    """Payload and traffic class of the next datagram."""
    data, control, _, _ = sock.recvmsg(2048, 256)
    for level, kind, value in control:
        if (level, kind) == (socket.IPPROTO_IP, socket.IP_TOS):
            return data, value[0]
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_TCLASS):
            return data, struct.unpack("=i", value)[0]
    raise AssertionError("no traffic class was received")


# expedited forwarding with ECT(1); AF41 with CE; ECT(0) alone; nothing, so that none sticks
CLASSES = (0xB9, 0x8B, 0x02, 0x00, 0x01, 0x00)


@test("DSCP and ECN are carried both ways, datagram by datagram")
def dscp_ecn(t):
    t.server()
    for cli, peer_ip in FAMILIES:
        c, peer = session(t, cli, peer_ip)
        c.sock.setblocking(True)
        c.sock.settimeout(5 * t.scale)
        want_tos(peer)
        want_tos(c.sock)
        c.permit(peer_ip)
        for bound in (False, True):
            if bound:
                c.bind(0x4000, *name(peer))
            for value in CLASSES:
                set_tos(c.sock, value)
                c.send_channel(0x4000, b"up") if bound else c.send(*name(peer), b"up")
                equal(read_tos(peer), (b"up", value), "class at the peer, %s to %s" % (cli, peer_ip))
                set_tos(peer, value)
                peer.sendto(b"down", c.relayed)
                equal(read_tos(c.sock)[1], value, "class at the client, %s to %s" % (peer_ip, cli))
            set_tos(c.sock, 0)


@test("a burst of datagrams with different classes keeps each one's")
def dscp_burst(t):
    t.server()
    c, peer = session(t)
    want_tos(peer)
    c.bind(0x4000, *name(peer))
    values = [CLASSES[n % len(CLASSES)] for n in range(60)]
    for n, value in enumerate(values):
        set_tos(c.sock, value)
        c.send_channel(0x4000, b"%04d" % n)
    equal([read_tos(peer) for _ in values], [(b"%04d" % n, v) for n, v in enumerate(values)], "classes")


def ip_header_of(sniffer, marker, timeout):
    """The IP header of the first packet that holds the marker."""
    sniffer.settimeout(timeout)
    while True:
        packet = sniffer.recv(65536)
        if marker in packet:
            return packet[:20]


@test("DONT-FRAGMENT in a Send indication sets DF; without it DF is what the client's datagram had",
      not_coturn="always sets it")
def dont_fragment(t):
    t.net(offload=False)
    t.server()
    c, peer = session(t)
    # IP_MTU_DISCOVER = IP_PMTUDISC_DONT: our own datagrams without DF
    c.sock.setsockopt(socket.IPPROTO_IP, 10, 0)
    c.permit(lab.PEER)
    sniffer = t.lab.peer.sniffer("p0")
    for n, (attrs, df) in enumerate((([], 0), ([(DONT_FRAGMENT, b"")], 1), ([], 0))):
        marker = b"fragment? %d" % n
        c.send(*name(peer), marker, *attrs)
        header = ip_header_of(sniffer, marker, 5 * t.scale)
        equal(header[6] >> 6 & 1, df, "DF of datagram %d" % n)
        got(peer, marker, c.relayed)


@test("DONT-FRAGMENT with more than the link takes: not sent; without it, sent in fragments",
      not_coturn="ends the session")
def too_big(t):
    t.net()
    t.lab.srv.ip("link", "set", "s1", "mtu", "1400")
    t.server()
    c, peer = session(t)
    c.sock.setsockopt(socket.IPPROTO_IP, 10, 0)  # see above
    c.permit(lab.PEER)
    c.send(*name(peer), bytes(1380), (DONT_FRAGMENT, b""))
    c.send(*name(peer), b"small", (DONT_FRAGMENT, b""))
    got(peer, b"small", c.relayed)
    c.send(*name(peer), bytes(1380))
    got(peer, bytes(1380), c.relayed, "in fragments")


@test("two sessions at once do not get each other's data, on the same channel number")
def two_sessions_apart(t):
    t.server()
    (a, pa), (b, pb) = session(t), session(t)
    a.bind(0x4000, *name(pa))
    b.bind(0x4000, *name(pb))
    for n in range(50):
        a.send_channel(0x4000, b"a%d" % n)
        b.send_channel(0x4000, b"b%d" % n)
        pa.sendto(b"A%d" % n, a.relayed)
        pb.sendto(b"B%d" % n, b.relayed)
    for n in range(50):
        got(pa, b"a%d" % n, a.relayed)
        got(pb, b"b%d" % n, b.relayed)
        a.expect_data(b"A%d" % n, channel=0x4000)
        b.expect_data(b"B%d" % n, channel=0x4000)
