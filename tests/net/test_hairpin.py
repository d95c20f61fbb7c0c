"""Two clients of one relay that relay to each other: the common call, with the defaults."""
import lab
from harness import check, equal, test
from turnclient import IPV6, REQUESTED_FAMILY

EXTERNAL, EXTERNAL6 = "198.41.0.4", "2001:503:ba3e::2:30"


def pair(t, family=None, ips=(lab.CLI, lab.CLI_B)):
    """Two clients, allocated."""
    out = []
    for ip in ips:
        c = t.client(ip)
        c.allocate(*([(REQUESTED_FAMILY, family)] if family else []))
        c.relayed = c.relayed6 or c.relayed
        out.append(c)
    return out


def talk(a, b):
    """First indications, then channels, both ways."""
    a.permit(b.relayed[0])
    b.permit(a.relayed[0])
    for n in range(5):
        a.send(*b.relayed, b"ping %d" % n)
        b.expect_data(b"ping %d" % n, a.relayed)
        b.send(*a.relayed, b"pong %d" % n)
        a.expect_data(b"pong %d" % n, b.relayed)
    a.bind(0x4000, *b.relayed)
    b.bind(0x4001, *a.relayed)
    for n in range(5):
        for size in (0, 1, 1200):
            data = bytes([n]) * size
            a.send_channel(0x4000, data)
            b.expect_data(data, channel=0x4001)
            b.send_channel(0x4001, data)
            a.expect_data(data, channel=0x4000)


@test("over the own relay address, with the defaults; every pair of workers")
def own_address(t):
    t.server(allow_private_peers=None)
    for _ in range(6):
        talk(*pair(t))
    talk(*pair(t, IPV6))


@test("over the address that was listened on, without relay-ip")
def listening_address(t):
    t.server(allow_private_peers=None, relay_ip=None)
    talk(*pair(t))


@test("two relay addresses of one server")
def two_addresses(t):
    t.server(allow_private_peers=None, relay_ip=[lab.RELAY, lab.RELAY_ALT])
    kinds = set()
    for _ in range(40):
        a, b = pair(t)
        talk(a, b)
        kinds.add(a.relayed[0] == b.relayed[0])
        if len(kinds) == 2:
            return
    raise AssertionError("40 pairs, all of one kind")


@test("over external-ip PUBLIC/PRIVATE: clients see and use the public address only")
def external_mapped(t):
    t.server(allow_private_peers=None, external_ip=["%s/%s" % (EXTERNAL, lab.RELAY), "%s/%s" % (EXTERNAL6, lab.RELAY6)])
    for _ in range(3):
        a, b = pair(t)
        equal((a.relayed[0], b.relayed[0]), (EXTERNAL, EXTERNAL), "relayed addresses")
        talk(a, b)
    a, b = pair(t, IPV6)
    equal((a.relayed[0], b.relayed[0]), (EXTERNAL6, EXTERNAL6), "relayed addresses")
    talk(a, b)


@test("over a bare external-ip")
def external_bare(t):
    t.server(allow_private_peers=None, external_ip=EXTERNAL)
    a, b = pair(t)
    equal((a.relayed[0], b.relayed[0]), (EXTERNAL, EXTERNAL), "relayed addresses")
    talk(a, b)


@test("a peer beyond the NAT of external-ip: it sees the public address and answers to it")
def external_peer(t):
    t.net()
    # the NAT, seen from the peer
    t.lab.peer.nft("table ip nat { chain out { type nat hook output priority -100; ip daddr %s dnat to %s; };"
                   "chain post { type nat hook postrouting priority 100; }; }" % (EXTERNAL, lab.RELAY))
    t.lab.srv.nft("table ip nat { chain post { type nat hook postrouting priority 100; "
                  "oif \"s1\" ip saddr %s snat to %s; }; }" % (lab.RELAY, EXTERNAL))
    t.server(external_ip="%s/%s" % (EXTERNAL, lab.RELAY))
    c, = pair(t, ips=(lab.CLI,))
    peer = t.peer()
    c.permit(lab.PEER)
    c.send(*peer.getsockname(), b"out")
    data, source = peer.recvfrom(100)
    equal((data, source), (b"out", c.relayed), "what the peer got")
    peer.sendto(b"back", source)
    c.expect_data(b"back", peer.getsockname())


@test("a permission is needed at both ends")
def permission_needed(t):
    t.server()
    a, b = pair(t)
    a.permit(b.relayed[0])
    a.send(*b.relayed, b"no permission")
    a.settle()
    b.settle()
    equal(b.event(0.2), None, "what b got")
    b.permit(a.relayed[0])
    a.send(*b.relayed, b"permitted")
    b.expect_data(b"permitted", a.relayed)


@test("a relayed port that is gone: silence, and nothing else on its address", not_coturn="lets it linger")
def gone(t):
    t.server()
    a, b = pair(t)
    talk(a, b)
    b.refresh(0)
    a.send(*b.relayed, b"anybody there?")
    a.send_channel(0x4000, b"anybody there?")
    a.settle()
    e = a.event(0.2)
    check(e is None or e.kind == "icmp", "got %s", e)


@test("a session may relay to itself")
def own_port(t):
    t.server()
    a, _ = pair(t)
    a.permit(a.relayed[0])
    a.send(*a.relayed, b"echo")
    a.expect_data(b"echo", a.relayed)


@test("a loop of two channels does not spin: what goes round once comes out at the client")
def no_loop(t):
    t.server()
    a, b = pair(t)
    a.bind(0x4000, *b.relayed)
    b.bind(0x4000, *a.relayed)
    a.send_channel(0x4000, b"once")
    b.expect_data(b"once", channel=0x4000)
    equal(a.event(0.2), None, "what came back")
