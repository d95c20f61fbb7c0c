"""A crowd that allocates at once, each with a socket and an account of its own, and a session whose media is timed
meanwhile, in a process of its own."""
import collections
import multiprocessing
import resource
import select
import time

import lab
from turnclient import ALLOCATE, UDP, Message

FILES = 16384
SOURCES = (lab.CLI, lab.CLI_B, lab.CLI_C)
FIRST_WAIT, LONGEST_WAIT = 0.5, 4.0  # between retransmissions of a client: RFC 8489 s.6.2.1
PACE = 0.002  # seconds between two rounds of media


def room_for_sockets():
    """This process may have FILES descriptors."""
    limit = max(FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, limit))


class Newcomers:
    """n clients, of users "u0", "u1" … with one password, who know their nonces. Their requests are made before, so
    that sending and receiving is all that is done while the clock runs."""

    def __init__(self, t, n, password):
        self.t, self.poll = t, select.epoll()
        self.sockets, self.requests, self.keys, self.again = {}, {}, {}, 0
        guides = [t.client(ip) for ip in SOURCES]
        for c in guides:
            c.challenge()  # a nonce is for an address, not for a port
        for i in range(n):
            guide = guides[i % len(guides)]
            s = t.lab.cli.udp(SOURCES[i % len(SOURCES)], connect=(lab.SRV, 3478))
            s.setblocking(False)
            guide.user, guide.password = "u%d" % i, password
            self.sockets[s.fileno()], self.requests[s.fileno()] = s, guide.signed(ALLOCATE, [UDP])
            self.keys[s.fileno()] = guide.key
            self.poll.register(s, select.EPOLLIN)

    def allocate(self, rate=None, timeout=60):
        """All ask once, `rate` of them a second, or as fast as they can; who hears nothing asks again. Returns the
        seconds from the first request to the last answer, and how many got which code; None: never answered."""
        began = time.monotonic()
        deadline, waiting = began + timeout * self.t.scale, list(self.sockets)
        asked, answers = collections.deque(), {}  # asked: (when to ask again, how long to wait then, whom), by time
        ended = began
        while len(answers) < len(self.sockets) and time.monotonic() < deadline:
            now = time.monotonic()
            due = len(waiting) if rate is None else int((now - began) * rate) - (len(self.sockets) - len(waiting))
            for fd in [waiting.pop() for _ in range(min(due, len(waiting), 64))]:
                self.sockets[fd].send(self.requests[fd])
                asked.append((now + FIRST_WAIT, FIRST_WAIT, fd))
            self._again(asked, answers, now)
            for fd, _ in self.poll.poll(0 if waiting and due > 0 else 0.001, 256):
                answers.setdefault(fd, self.sockets[fd].recv(2048))
                ended = time.monotonic()
        codes = collections.Counter(self._code(fd, answers.get(fd)) for fd in self.sockets)
        return ended - began, codes

    def _again(self, asked, answers, now):
        """Sends again what is due; a longer wait goes behind shorter ones, and is looked at when it is first."""
        while asked and asked[0][0] <= now:
            _, wait, fd = asked.popleft()
            if fd not in answers:
                self.again += 1
                self.sockets[fd].send(self.requests[fd])
                wait = min(2 * wait, LONGEST_WAIT)
                asked.append((now + wait, wait, fd))

    def _code(self, fd, raw):
        if raw is None:
            return None
        answer = Message.decode(raw)
        if answer.tid != self.requests[fd][8:20]:
            raise AssertionError("an answer to somebody else")
        if answer.code == 0 and not answer.verified(self.keys[fd]):
            raise AssertionError("an answer without right integrity")
        return answer.code

    def close(self):
        self.poll.close()
        for s in self.sockets.values():
            s.close()


def _media(client, peer, pipe):
    """A datagram each way, and again, until told to end; a lost one times out. Sends the seconds that each took."""
    took, n = [], 0
    while True:
        n += 1
        mark = b"media %d" % n
        began = time.monotonic()
        client.send_channel(0x4000, mark)
        if peer.recv(2000) != mark:
            raise AssertionError("lost datagram %d" % n)
        middle = time.monotonic()
        peer.sendto(mark, client.relayed)
        client.expect_data(mark, channel=0x4000)
        took += [middle - began, time.monotonic() - middle]
        if pipe.poll(PACE):
            word = pipe.recv()
            pipe.send(took)
            took = []
            if word == "end":
                return


class Media:
    """The session that must not notice. A lost datagram ends its process, and lap() fails."""

    def __init__(self, t, **account):
        client, peer = t.client(**account), t.peer()
        client.allocate()
        client.bind(0x4000, *peer.getsockname())
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=_media, args=(client, peer, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def lap(self, word="lap"):
        """The seconds that each datagram since the last lap took, sorted."""
        self.pipe.send(word)
        took = sorted(self.pipe.recv())
        if word == "end":
            self.process.join()
        return took
