"""Many sessions: descriptors and memory come back."""
import os
import resource

import lab
from harness import check, equal, test
from turnclient import IPV6, REQUESTED_FAMILY

N = int(os.environ.get("TACITURN_TEST_SESSIONS", "2000"))
FILES = 3 * N


def room_for_sockets():
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, max(FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))


def hold(t, n):
    """n sessions, each with a permission and a channel."""
    out = []
    for i in range(n):
        c = t.client((lab.CLI, lab.CLI_B, lab.CLI6)[i % 3])
        c.allocate(*([(REQUESTED_FAMILY, IPV6)] if i % 5 == 0 else []))
        c.bind(0x4000, lab.PEER6 if i % 5 == 0 else lab.PEER, 9)
        out.append(c)
    return out


def give_back(t, clients):
    for c in clients:
        c.refresh(0)
        t.clients.remove(c)
        c.close()


@test("%d sessions held and ended, twice: descriptors and memory return" % N, timeout=120,
      not_coturn="lets ended sessions linger")
def held_and_ended(t):
    room_for_sockets()
    s = t.server(nofile=(FILES, FILES))
    give_back(t, hold(t, 50))
    fds, rss = s.n_fds(), [s.rss_kib()]
    for _ in range(2):
        clients = hold(t, N)
        check(s.n_fds() >= fds + N, "%d descriptors for %d sessions", s.n_fds() - fds, N)
        rss.append(s.rss_kib())
        give_back(t, clients)
        t.until(lambda: s.n_fds() <= fds + 4, "the descriptors are given back")
        rss.append(s.rss_kib())
    print("resident KiB: before %d, held %d, ended %d, held %d, ended %d" % tuple(rss))
    if t.tag != "plain":
        return
    check((rss[1] - rss[0]) / N < 4, "%.1f KiB for a session", (rss[1] - rss[0]) / N)
    check(rss[3] - rss[1] < 1024, "the second time takes %d KiB more", rss[3] - rss[1])
    left, grown = rss[4] - rss[0], rss[1] - rss[0]
    check(left < 1536 + grown / 4, "%d of %d KiB are not given back", left, grown)


@test("500 sessions at once relay, each to its own peer", timeout=90)
def all_relay(t):
    room_for_sockets()
    t.server(nofile=(FILES, FILES))
    peer = t.peer()
    clients = [t.client((lab.CLI, lab.CLI_B)[i % 2]) for i in range(500)]
    for c in clients:
        c.allocate()
        c.bind(0x4000, *peer.getsockname())
    for turn in range(3):
        for i, c in enumerate(clients):
            c.send_channel(0x4000, b"%d %d" % (turn, i))
            data, source = peer.recvfrom(100)
            equal((data, source), (b"%d %d" % (turn, i), c.relayed), "what the peer got")
            peer.sendto(data, source)
        for i, c in enumerate(clients):
            c.expect_data(b"%d %d" % (turn, i), channel=0x4000)


@test("ports of ended sessions are used again and again", timeout=60, not_coturn="lets freed ports rest")
def port_churn(t):
    t.server(min_port=50000, max_port=50015)
    for _ in range(40):
        clients = [t.client() for _ in range(16)]
        for c in clients:
            c.allocate()
        equal(len({c.relayed for c in clients}), 16, "different ports")
        give_back(t, clients)
