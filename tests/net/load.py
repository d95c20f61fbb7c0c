"""Load on a server while something happens to its databases: media of sessions that run, both ways and without a
lost packet, and sessions that come and go. What the clients have counted is there at the end."""
import threading
import time

import lab
from harness import check, equal
from turnclient import ALLOCATE, UDP

PACE = 0.02  # seconds between two rounds of media


class Load:
    """n sessions run; each round of media is a datagram each way on every one of them. churn: seconds between
    two sessions that come, relay a little and go; code: what they get while `away` is set."""

    def __init__(self, t, n=5, churn=0.25, code=0, server=lab.SRV, user="alice", password="wonderland"):
        self.t, self.code, self.churn = t, code, churn
        self.up = self.down = self.sessions = self.refused = 0
        self.slowest = self.slowest_answer = 0.0
        self.away = False  # the database is: code may be what newcomers get
        self.failure = None
        self.stopping = threading.Event()
        self.running = []
        for _ in range(n):
            c, peer = t.client(user=user, password=password, server=(server, 3478)), t.peer()
            c.allocate()
            c.bind(0x4000, *peer.getsockname())
            self.running.append((c, peer))
            self.sessions += 1
        self.make = lambda: t.client(user=user, password=password, server=(server, 3478))
        self.threads = [threading.Thread(target=self.guarded, args=(fn,)) for fn in (self.media, self.come_and_go)]
        for thread in self.threads:
            thread.start()

    def guarded(self, fn):
        try:
            fn()
        except BaseException as e:  # noqa: B902: told by stop(), in the thread of the test
            self.failure = self.failure or e
            self.stopping.set()

    def exchange(self, c, peer, n, up, down):
        c.send_channel(0x4000, bytes([n % 256]) * up)
        equal(peer.recv(2000), bytes([n % 256]) * up, "what the peer got")
        peer.sendto(bytes([n % 256]) * down, c.relayed)
        c.expect_data(bytes([n % 256]) * down, channel=0x4000)

    def media(self):
        n = 0
        while not self.stopping.wait(PACE):
            for c, peer in self.running:
                n += 1
                up, down = 1 + n % 1000, 1 + n % 700
                began = time.monotonic()
                self.exchange(c, peer, n, up, down)
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.up += up
                self.down += down

    def come_and_go(self):
        n = 0
        while not self.stopping.wait(self.churn):
            n += 1
            c, peer = self.make(), self.t.peer()
            c.challenge()
            was_away, began = self.away, time.monotonic()
            answer = c.request(ALLOCATE, [UDP])
            took = time.monotonic() - began
            self.slowest_answer = max(self.slowest_answer, took)
            if answer.code:
                check(self.code and answer.code == self.code and (was_away or self.away),
                      "a newcomer got %s", answer.code)
                self.refused += 1
                continue
            c.relayed = answer.relayed
            self.sessions += 1
            c.bind(0x4000, *peer.getsockname())
            self.exchange(c, peer, n, 100, 50)
            self.up += 100
            self.down += 50
            c.refresh(0)
            peer.close()
            c.close()

    def stop(self):
        """Ends the load, and its sessions; fails when anything of it failed."""
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        if self.failure:
            raise self.failure
        for c, _ in self.running:
            c.refresh(0)

    def counted(self):
        return self.up, self.down, self.sessions
