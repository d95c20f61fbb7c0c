"""Cases that are named after sentences of an RFC. One server serves all the cases of a test; each has a way to
the server of its own, over each transport that the sentence is about."""
import lab
from dtlsclient import Association
from harness import check, test
from rawstun import Wire

STANDIN = "is not the one to be judged"
UDP_ONLY, STREAMS, DATAGRAMS = ("UDP", "UDP6"), ("TCP", "TLS6"), ("UDP", "UDP6", "DTLS")
EVERYWHERE = ("UDP", "UDP6", "TCP", "TLS6", "DTLS")


def wire(t, name, ip=None):
    """A new way to the server: name is of EVERYWHERE."""
    v6 = name.endswith("6")
    ip, server = ip or (lab.CLI6 if v6 else lab.CLI), lab.SRV6 if v6 else lab.SRV
    if name in UDP_ONLY:
        sock = t.lab.cli.udp(ip, 0, connect=(server, 3478))
    elif name == "DTLS":
        sock = Association(t.lab.cli.udp(ip, 0, connect=(server, 3478)), 10 * t.scale)
    else:
        tls = name.startswith("TLS")
        sock = t.lab.cli.tcp(ip, (server, 5349 if tls else 3478), timeout=10 * t.scale)
        if tls:
            sock = t.trusting().wrap_socket(sock, server_hostname=server)
    w = Wire(sock, name, t.scale)
    w.t, w.ip, w.server = t, ip, server
    t.clients.append(w)
    return w


class Cases:
    """Those of one document."""

    def __init__(self):
        self.by_section = {}

    def __call__(self, section, sentence, on=EVERYWHERE):
        """Decorates a function that gets a wire."""
        def add(fn):
            self.by_section.setdefault(section, []).append((sentence, on, fn))
            return fn
        return add

    def test(self, title, *sections, timeout=60, **conf):
        """Registers the cases of these sections as one test."""
        def run(t):
            self._judge(t, sections, conf)
        run.__name__ = title.split(":")[0].replace(" ", "_")
        run.__module__ = self.module
        test("%s (s.%s)" % (title.split(": ")[1], ", s.".join(sections)), timeout=timeout,
             not_coturn=STANDIN)(run)

    def _judge(self, t, sections, conf):
        t.net()
        cert, pkey = t.certificate()
        t.server(**dict(dict(cert=cert, pkey=pkey, dtls=True, unauthorized_ratelimit_rps=100000), **conf))
        todo = [(s, *c) for s in sections for c in self.by_section[s]]
        bad = ["s.%s over %s: %s: %s" % (section, name, sentence, text) for section, sentence, on, fn in todo
               for name in on for text in self._one(t, name, fn)]
        check(not bad, "%d cases failed:\n%s", len(bad), "\n".join(bad))

    @staticmethod
    def _one(t, name, fn):
        """What went wrong: nothing, or one text. The others are still to be judged."""
        before = len(t.clients)
        try:
            fn(wire(t, name))
        except Exception as e:
            yield "%s: %s" % (type(e).__name__, e)
        while len(t.clients) > before:
            t.clients.pop().close()
