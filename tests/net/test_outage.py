"""Databases that go away, hang, are full and come back, under load: media of sessions that run loses no packet, new
allocations get their answer, and afterwards every byte and session is counted once, over a restart too."""
import select
import signal
import time

import lab
import stores
from harness import check, equal, test
from load import Load
from server import REALM
from turnclient import ALLOCATE, UDP, Message

NOT_THERE = "is another program's way"


def rest(seconds):
    """Load goes on meanwhile: it is time that is under test."""
    select.select([], [], [], seconds)


def settle(t, store, load, records=True):
    """All was counted, once."""
    t.until(lambda: store.used("alice") == load.counted(), "usage of %r; it is %r" % (load.counted(), store.used("alice")),
            timeout=30, pace=0.5)
    if records:
        t.until(lambda: len(store.records()) >= load.sessions, "a record of each session", timeout=30, pace=0.5)
        ids = store.records()
        equal((len(ids), len(set(ids))), (load.sessions, load.sessions), "records, and different ones")


def outage(t, store, begin, end, seconds, rule="allow"):
    """The load, with that outage in the middle of it."""
    s = t.server(quota_on_store_failure=rule, **store.conf)
    load = Load(t, code=508 if rule == "deny" else 0)
    rest(2)
    load.away = True
    began = time.monotonic()
    begin()
    rest(seconds)
    end()
    took = time.monotonic() - began
    if not load.stopping.is_set():
        rest(8)  # until it is found again
    load.away = False
    rest(2)
    if store.name == "redis":  # who was let in meanwhile counts, too
        t.until(lambda: store.leases("alice") in (5, 6), "leases of those that run", timeout=20, pace=0.3)
    load.stop()
    settle(t, store, load)
    check(load.slowest_answer < 1.0 * t.scale, "an allocation took %.2f s", load.slowest_answer)
    if store.name == "redis" and rule == "deny":
        check(load.refused > 0, "nobody was refused in %.0f s without Redis", took)
    print("# away %.0f s; %d sessions, %d refused, %d bytes; slowest allocation %.0f ms, slowest packet %.1f ms"
          % (took, load.sessions, load.refused, load.up + load.down, 1000 * load.slowest_answer, 1000 * load.slowest))
    s.stop()
    equal(store.used("alice"), load.counted(), "usage after the end")
    if store.name == "redis":
        equal(store.leases("alice"), 0, "leases after the end")


@test("Redis is killed and away for 30 s: no packet is lost, every byte is counted once", timeout=150,
      not_coturn=NOT_THERE)
def redis_killed(t):
    store = stores.Redis(t, keeps=True)
    outage(t, store, store.kill, store.start, 30)


@test("Redis hangs, with quota-on-store-failure=deny: newcomers get 508 within a second", timeout=120,
      not_coturn=NOT_THERE)
def redis_hangs(t):
    store = stores.Redis(t, keeps=True)
    outage(t, store, store.stop, store.go_on, 12, rule="deny")


@test("Redis is full: newcomers are let in and count when there is room again", timeout=120, not_coturn=NOT_THERE)
def redis_full(t):
    store = stores.Redis(t, keeps=True)
    outage(t, store, lambda: store.fill(True), lambda: store.fill(False), 12)


@test("PostgreSQL is killed and away for 30 s: no packet is lost, every byte is counted once", timeout=180,
      not_coturn=NOT_THERE)
def postgresql_killed(t):
    store = stores.Postgres(t).init()
    outage(t, store, store.kill, store.start, 30)


@test("PostgreSQL hangs", timeout=150, not_coturn=NOT_THERE)
def postgresql_hangs(t):
    store = stores.Postgres(t).init()
    outage(t, store, store.stop, store.go_on, 12)


@test("the server is restarted while its database is away: what it had to tell comes from the spool, once",
      timeout=150, not_coturn=NOT_THERE)
def restart(t):
    for store in (stores.Redis(t, keeps=True), stores.Postgres(t).init()):
        conf = dict(store.conf, store_spool_dir=t.dir)
        totals = [0, 0, 0]
        for life in range(3):
            s = t.server(**conf)
            load = Load(t, n=3)
            rest(2)
            if life == 0:
                store.kill()
                rest(4)
            load.stop()
            totals = [a + b for a, b in zip(totals, load.counted())]
            if life == 2:
                store.start()
                t.until(lambda: store.used("alice") == tuple(totals), "usage of %r" % (totals,), timeout=40, pace=0.5)
            s.stop()
        equal(store.used("alice"), tuple(totals), "usage in " + store.name)
        ids = store.records()
        equal((len(ids), len(set(ids))), (totals[2], totals[2]), "records in %s, and different ones" % store.name)
        store.kill()


def flood(t, clients):
    """All ask at once; their answers' codes."""
    for c in clients:
        c.challenge()
    for c in clients:
        c.tid = None
        raw, c.tid = first(c)
        c.send_raw(raw)
    return [answer_of(c).code for c in clients]


def first(c):
    raw = c.signed(ALLOCATE, [UDP])
    return raw, raw[8:20]


def answer_of(c):
    deadline = time.monotonic() + 10 * c.scale
    while time.monotonic() < deadline:
        m = Message.decode(c.recv_raw(deadline - time.monotonic()))
        if m.tid == c.tid:
            return m
    raise AssertionError("no answer")


@test("of 200 attempts at once 10 are allowed over two servers on one Redis; a kill -9 gives its leases back",
      timeout=240, not_coturn=NOT_THERE)
def quota_at_once(t):
    store = stores.Redis(t)
    servers = [t.server(user_quota=10, **store.conf),
               t.server(user_quota=10, listening_ip=[lab.SRV_ALT, lab.SRV6_ALT], **store.conf)]
    clients = [t.client(server=((lab.SRV, lab.SRV_ALT)[i % 2], 3478)) for i in range(200)]
    codes = flood(t, clients)
    equal((codes.count(0), codes.count(486)), (10, 190), "allowed and refused")
    equal(store.leases("alice"), 10, "leases")
    of_each = [codes[i::2].count(0) for i in range(2)]
    dead = of_each.index(max(of_each))
    servers[dead].kill()
    t.servers.remove(servers[dead])
    other = ((lab.SRV_ALT, lab.SRV)[dead], 3478)
    newcomer = t.client(server=other)
    newcomer.challenge()
    equal(newcomer.request(ALLOCATE, [UDP]).code, 486, "code while the dead one's leases last")
    began = time.monotonic()
    got = []

    def more():
        if is_allowed(t, other):
            got.append(1)
        return len(got) == of_each[dead]
    t.until(more, "the dead one's %d leases" % of_each[dead], timeout=70, pace=0.5)
    check(time.monotonic() - began < 70, "they came back after %.0f s", time.monotonic() - began)
    check(not is_allowed(t, other), "one more than ten is allowed")


def is_allowed(t, server):
    c = t.client(server=server)
    c.challenge()
    return c.request(ALLOCATE, [UDP]).code == 0


@test("leases that are asked for while the server ends are given back", timeout=60, not_coturn=NOT_THERE)
def end(t):
    store = stores.Redis(t)
    for _ in range(5):
        s = t.server(**store.conf)
        clients = [t.client() for _ in range(60)]
        for c in clients:
            c.challenge()
        for c in clients:
            c.send_raw(c.signed(ALLOCATE, [UDP]))
        s.signal(signal.SIGTERM)
        equal(s.wait(10 * t.scale), 0, "status")
        equal(store.leases("alice"), 0, "leases after the end")
        equal(int(store.do("ZCARD", "taciturn:{%s}:alloc" % REALM)), 0, "leases of the realm")
