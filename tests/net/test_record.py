"""What a session leaves behind in the log, and how much of an address may be written there."""
import re

import lab
from harness import check, equal, test

NOT_THERE = "has no such line"


def ended_session(t, s):
    """Opens a session that relays, is refused something and ends; returns the words of its last line."""
    c, peer = t.client(), t.peer()
    c.allocate()
    c.bind(0x4000, *peer.getsockname())
    for _ in range(3):
        c.send_channel(0x4000, bytes(100))
        peer.recv(2000)
    c.send_channel(0x4001, b"nobody has this channel")
    c.refresh(0)
    s.wait_log("session_end", 5)
    line = re.search(r"session_end.*", s.log()).group(0)
    return c, dict(w.split("=", 1) for w in line.split() if "=" in w)


@test("the line at a session's end says who, how, from where, to whom, how much and what was lost",
      not_coturn=NOT_THERE)
def the_last_line(t):
    s = t.server()
    c, words = ended_session(t, s)
    equal(words["user"], "alice", "user")
    equal(words["transport"], "udp", "transport")
    equal(words["client"], "%s:%d" % c.sock.getsockname()[:2], "client")
    equal(words["relayed"], "%s:%d" % c.relayed[:2], "relayed address")
    equal(words["peers"], lab.PEER, "peers")
    equal((words["reason"], words["rx_packets"], words["rx_bytes"]), ("deleted", "3", "300"), "reason and traffic")
    equal((words["dropped"], words["drop_no_channel"]), ("1", "1"), "what was dropped")


@test("log-ip=prefix and none keep clients and peers out of the whole log", timeout=60, not_coturn=NOT_THERE)
def addresses_are_kept_out(t):
    for mask, client in (("prefix", r"\.0/24"), ("none", "-")):
        s = t.server(log_ip=mask, verbose=True)
        wrong = t.client(password="wrong")
        wrong.challenge()
        wrong.allocate(code=401)
        _, words = ended_session(t, s)
        check(re.fullmatch(r"\S*" + client, words["client"]), "client is %s", words["client"])
        check(re.fullmatch(r"\S*" + client, words["peers"]), "peers are %s", words["peers"])
        s.stop()
        for ip in (lab.CLI, lab.PEER):
            check(not re.search(r"\b%s\b" % re.escape(ip), s.log()), "%s stands in the log (%s)", ip, mask)
