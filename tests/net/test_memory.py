"""Memory comes back when a crowd has gone, and after a flood of credentials that are good."""
import lab
from dtlsclient import DtlsClient
from harness import check, equal, test
from test_flood import Pulse
from turnclient import ALLOCATE, CHANNEL_BIND, CHANNEL_NUMBER, CREATE_PERMISSION, UDP, peer_address

N = 500
WHY = "the subject is the server under test"


def gone_again(t, s, name, connect):
    before, crowd = s.rss_kib(), []
    for _ in range(N):
        c = connect()
        crowd.append(c)
        c.allocate()
        c.bind(0x4000, lab.PEER, 9)
    held = s.rss_kib() - before
    for c in crowd:
        c.refresh(0)
        t.clients.remove(c)
        c.close()
    # associations of DTLS without an allocation end at max-allocate-timeout; memory is looked at now and then
    t.until(lambda: t.tag != "plain" or s.rss_kib() - before < 2048 + held * 6 // 10,
            "memory of %s comes back: %d KiB were held" % (name, held), timeout=25, pace=0.5)
    print("%s: %d KiB held, %d KiB kept" % (name, held, s.rss_kib() - before))


@test("%d clients of TLS, then of DTLS, come and go: most of their memory is the system's again" % N, timeout=90,
      not_coturn=WHY)
def crowds(t):
    cert, pkey = t.certificate()
    s = t.server(cert=cert, pkey=pkey, dtls=True, max_allocate_timeout=2)
    pulse = Pulse(t)
    context = t.trusting()

    def dtls():
        c = DtlsClient(t.lab.cli.udp(lab.CLI, 0, connect=(lab.SRV, 3478)), "alice", "wonderland", scale=t.scale)
        t.clients.append(c)
        return c
    gone_again(t, s, "DTLS", dtls)
    pulse.beat()
    gone_again(t, s, "TLS", lambda: t.stream(tls=True, context=context))
    pulse.beat()


@test("Allocates with good credentials until 508, channels and permissions until they are too many: bounded, "
      "given back, nobody else notices", timeout=60, not_coturn=WHY)
def greedy(t):
    t.net()
    s = t.server(min_port=50000, max_port=50999, relay_ip=lab.RELAY, listening_ip=lab.SRV)
    pulse, rss, fds = Pulse(t), s.rss_kib(), s.n_fds()
    crowd, codes = [], []
    for n in range(1100):
        crowd.append(t.client())
        codes.append(crowd[-1].request(ALLOCATE, [UDP]).code)
        if n % 50 == 0:
            pulse.beat()
    equal((codes.count(0), codes.count(508)), (999, 101), "how many are let in and refused")
    equal(codes[:999], [0] * 999, "those who are let in")
    one, two = crowd[:2]
    batches = [[peer_address("51.16.%d.%d" % (k, n), 0) for n in range(1, 65)] for k in range(17)]
    equal([one.request(CREATE_PERMISSION, b).code for b in batches], [0] * 16 + [508], "permissions, 64 at a time")
    for n in range(0x4000, 0x5000):
        equal(two.request(CHANNEL_BIND, [(CHANNEL_NUMBER, n.to_bytes(2, "big") + b"\0\0"),
                                         peer_address(lab.PEER, n)]).code, 0, "channel 0x%x" % n)
    pulse.beat()
    if t.tag == "plain":
        check(s.rss_kib() - rss < 8192, "memory grew by %d KiB", s.rss_kib() - rss)
    for c, code in zip(crowd, codes):
        if code == 0:
            c.refresh(0)
    t.until(lambda: s.n_fds() <= fds, "the descriptors are given back")
    for c in crowd[-50:]:
        c.allocate()
    pulse.beat()
