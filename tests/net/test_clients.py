"""coturn's own test programs against the server: nothing may be lost."""
import re

import lab
from harness import check, equal, minted, test

SECRET = "a-secret-for-tests"


def start_load(t, *options, server=lab.SRV, credentials=("-u", "alice", "-w", "wonderland"), messages=50,
               clients=2, size=170, port=3478, pause=5):
    """turnutils_uclient at work; end_load() judges it."""
    p = t.spawn(t.lab.cli, "turnutils_uclient", *options, *credentials, "-p", str(port), "-n", str(messages),
                "-m", str(clients), "-l", str(size), "-z", str(pause), server)
    p.messages, p.clients, p.size = messages * clients, clients, size
    return p


def end_load(t, p, may_miss=0):
    """Its summary must report every message back, but for as many as it may miss through its own fault."""
    status, out = t.end(p, timeout=30)
    equal(status, 0, "exit status of turnutils_uclient")
    sent = re.findall(r"tot_send_msgs=(\d+)", out)
    lost = re.findall(r"Total lost packets (-?\d+)", out)
    check(sent and int(sent[-1]) >= p.messages, "too few messages sent: %s", sent[-1:])
    check(lost and 0 <= int(lost[-1]) <= may_miss, "lost packets: %s", lost[-1:])


def load(t, *options, **kw):
    end_load(t, start_load(t, *options, **kw))


def with_peer(t, ip):
    """turnutils_peer, ready when it answers on its port and on the one for RTCP."""
    t.spawn(t.lab.peer, "turnutils_peer", "-L", ip, "-p", "3480")
    for port in (3480, 3481):
        probe = t.lab.peer.udp(ip)
        probe.connect((ip, port))
        probe.settimeout(0.2)

        def echoes():
            try:
                probe.send(b"there?")
                return probe.recv(64)
            except OSError:
                return False
        t.until(echoes, "turnutils_peer answers on %d" % port, timeout=10)


def served(t, **conf):
    return t.server(rfc5766_channel_numbers=True, **conf)


@test("a static user, client to client, both ends relayed")
def client_to_client(t):
    served(t)
    load(t, "-y")


@test("a static user, client to client without RTCP ports")
def client_to_client_no_rtcp(t):
    served(t)
    load(t, "-y", "-c", clients=4)


@test("a minted time-limited credential, client to client")
def minted_credential(t):
    served(t, user=None, use_auth_secret=True, static_auth_secret=SECRET)
    name, password = minted(SECRET, "carol", ttl=120)
    load(t, "-y", credentials=("-u", name, "-w", password))


@test("a credential that turnutils_uclient mints itself")
def uclient_mints(t):
    served(t, user=None, use_auth_secret=True, static_auth_secret=SECRET)
    load(t, "-y", credentials=("-u", "dave", "-W", SECRET))


@test("to a peer over channels")
def peer_channels(t):
    served(t)
    with_peer(t, lab.PEER)
    load(t, "-e", lab.PEER, "-r", "3480")


@test("to a peer over Send and Data indications")
def peer_indications(t):
    served(t)
    with_peer(t, lab.PEER)
    load(t, "-s", "-e", lab.PEER, "-r", "3480")


@test("to a peer with DONT-FRAGMENT")
def peer_dont_fragment(t):
    served(t)
    with_peer(t, lab.PEER)
    load(t, "-g", "-s", "-e", lab.PEER, "-r", "3480")


@test("with extra requests between the data (-G)")
def peer_extra_requests(t):
    served(t)
    with_peer(t, lab.PEER)
    load(t, "-G", "-e", lab.PEER, "-r", "3480")


@test("with padded ChannelData (-D)")
def peer_padded(t):
    served(t)
    with_peer(t, lab.PEER)
    load(t, "-D", "-e", lab.PEER, "-r", "3480", size=171)


@test("an IPv4 client relays to an IPv6 peer")
def v4_client_v6_peer(t):
    served(t)
    with_peer(t, lab.PEER6)
    load(t, "-x", "-e", lab.PEER6, "-r", "3480")


@test("an IPv6 client relays to an IPv6 peer")
def v6_client_v6_peer(t):
    served(t)
    with_peer(t, lab.PEER6)
    load(t, "-x", "-e", lab.PEER6, "-r", "3480", server=lab.SRV6)


@test("an IPv6 client relays to an IPv4 peer")
def v6_client_v4_peer(t):
    served(t)
    with_peer(t, lab.PEER)
    load(t, "-X", "-e", lab.PEER, "-r", "3480", server=lab.SRV6)


@test("dual allocation (-Z): a relayed address of each family, over UDP and TCP", timeout=60)
def dual_allocation(t):
    s = served(t)
    with_peer(t, lab.PEER)
    loads = [start_load(t, *options, clients=1) for options in (
        ("-Z", "-e", lab.PEER, "-r", "3480"), ("-Z", "-s", "-y"), ("-Z", "-t", "-e", lab.PEER, "-r", "3480"))]
    for p in loads:
        end_load(t, p)
    if t.kind == "taciturn":
        both = re.findall(r"alloc_open .* transport=(\w+) relay4=10\S+ relay6=\[fd", s.log())
        equal(set(both), {"udp", "tcp"}, "transports with both families")


@test("mobility (-M), an origin (-o) and a bandwidth (-a) that are asked for in vain disturb nothing", timeout=60)
def extras(t):
    served(t)
    loads = [start_load(t, "-y", *options, clients=1) for options in (
        ("-M",), ("-M", "-t"), ("-o", "https://example.org", "-a", "100000"))]
    for p in loads:
        end_load(t, p)


@test("IPv6 client to client")
def v6_client_to_client(t):
    served(t)
    load(t, "-y", "-x", server=lab.SRV6)


@test("large datagrams, in bursts")
def large_datagrams(t):
    served(t)
    load(t, "-y", "-c", clients=4, messages=100, size=1200)


@test("wires that carry single datagrams only")
def without_offload(t):
    t.net(offload=False)
    served(t)
    load(t, "-y", clients=4, size=1200)


@test("one worker")
def one_worker(t):
    served(t, relay_threads=1)
    load(t, "-y", clients=4)


@test("without GRO and GSO")
def without_gro_gso(t):
    served(t, udp_gro="no", udp_gso="no")
    load(t, "-y", clients=4, size=1200)


@test("negative tests of uclient (-N) leave the server serving")
def negative(t):
    served(t)
    t.run(t.lab.cli, "turnutils_uclient", "-N", "-y", "-u", "alice", "-w", "wonderland",
          "-n", "5", "-m", "1", lab.SRV, timeout=25)
    load(t, "-y")


@test("turnutils_stunclient learns its address over IPv4 and IPv6")
def stunclient(t):
    t.server()
    for server, own in ((lab.SRV, lab.CLI), (lab.SRV6, lab.CLI6)):
        status, out = t.run(t.lab.cli, "turnutils_stunclient", "-p", "3478", "-L", own, server)
        equal(status, 0, "exit status of turnutils_stunclient")
        check(re.search(r"UDP reflexive addr: \[?%s\b" % re.escape(own), out), "no reflexive address")
