"""Third-party authorization (RFC 7635): access tokens that coturn's turnutils_oauth seals, under keys of the database."""
import base64
import re
import time

import lab
import stores
from harness import check, equal, test
from test_store import NOT_THERE, each
from turnclient import (ALLOCATE, CREATE_PERMISSION, REFRESH, REQUEST, UDP, UNKNOWN_ATTRIBUTES, Message, lifetime,
                        peer_address)

ACCESS_TOKEN, THIRD_PARTY = 0x1B, 0x802E
SERVER = "turn.example.org"
IKM = base64.b64encode(b"12345678901234567890123456789012").decode()
OTHER = base64.b64encode(b"abcdefghijklmnopqrstuvwxyzabcdef").decode()


def token(t, key=IKM, name=SERVER, seconds=3600, mac_key=b"12345678901234567890", made=None, alg="A256GCM"):
    """What an authorization server hands to a client: the token, and the key it signs with."""
    status, out = t.run(t.lab.cli, "turnutils_oauth", "-v", "-e", "-i", name, "-j", "kid", "-k", key, "-l", "1000000000",
                        "-m", "2000000000", "-n", alg, "-p", base64.b64encode(mac_key).decode(), "-r", str(seconds),
                        "-q", str(int(made or time.time()) << 16))
    found = re.search(r'"access_token":"([^"]*)"', out)
    check(status == 0 and found, "turnutils_oauth: %s", out)
    return base64.b64decode(found.group(1)), mac_key


class Guest:
    """A client with a token: the key of its requests comes from there."""

    def __init__(self, t, kid, got, user_client=None):
        self.kid, (self.token, self.mac_key) = kid, got
        self.c = user_client or t.client(user=kid, password="")
        self.offer = self.c.ask(Message(ALLOCATE, REQUEST, [UDP]).encode())
        self.c._learn(self.offer)

    def ask(self, method, *attrs, with_token=True, mac="sha1"):
        self.c.user = self.kid
        more = [(ACCESS_TOKEN, self.token)] if with_token else []
        msg = Message(method, REQUEST, [*attrs, *more] + self.c.auth_attrs())
        answer = self.c.ask(msg.encode(self.mac_key, mac))
        if answer.code not in (401, 438):
            check(answer.verified(self.mac_key), "integrity of %s", answer)
        return answer


def serve(t, store, **conf):
    store.add_oauth("north", IKM)
    store.add_oauth("south", OTHER)
    store.add_oauth("away", IKM, realm="other.test")
    server = t.server(oauth=True, server_name=SERVER, **store.conf, **conf)

    def known():
        return Guest(t, "south", token(t, OTHER)).ask(ALLOCATE, UDP).code == 0
    t.until(known, "an allocation with a token", timeout=20, pace=0.3)
    return server


@each("a token opens an allocation that lives no longer than it does; others and other servers' are refused", timeout=120)
def opens(t, store):
    server = serve(t, store)
    g = Guest(t, "north", token(t, seconds=300))
    equal(g.offer.get(THIRD_PARTY), SERVER.encode(), "THIRD-PARTY-AUTHORIZATION of the 401")
    answer = g.ask(ALLOCATE, UDP)
    equal(answer.code, 0, "code")
    check(290 < answer.seconds() <= 300, "a lifetime of %d with a token of 300 s", answer.seconds())
    equal(g.ask(CREATE_PERMISSION, peer_address(lab.PEER, 0), with_token=False).code, 0, "a request without the token")
    answer = g.ask(REFRESH, lifetime(3600), with_token=False)
    check(answer.code == 0 and 290 < answer.seconds() <= 300, "refreshed to %s", answer)
    # a new token of another key goes on with what the old one opened
    g.kid, (g.token, g.mac_key) = "south", token(t, OTHER, seconds=900, mac_key=b"abcdefghijklmnopqrst")
    answer = g.ask(REFRESH, lifetime(3600))
    check(answer.code == 0 and 890 < answer.seconds() <= 900, "refreshed to %s", answer)
    equal(g.ask(REFRESH, with_token=False).code, 0, "code with the new key alone")
    short = token(t)
    equal(Guest(t, "north", (short[0], short[1][:16])).ask(ALLOCATE, UDP).code, 0, "code with as much as coturn takes of a key")
    equal(Guest(t, "north", (short[0], short[1][:15])).ask(ALLOCATE, UDP).code, 401, "code with less")
    g.kid, g.mac_key = "north", b"12345678901234567890"
    equal(g.ask(REFRESH, with_token=False).code, 401, "code with the old one")
    equal(Guest(t, "away", token(t)).ask(ALLOCATE, UDP).code, 0, "a key of another realm")
    server.wait_log("alloc_open .*user=away", 10)
    now = time.time()
    good = token(t)
    for text, kid, got in (("of another server", "north", token(t, name="turn.example.com")),
                           ("under another key", "north", token(t, OTHER)),
                           ("of a key that nobody has", "nobody", good),
                           ("that is over", "north", token(t, seconds=60, made=now - 100)),
                           ("that is of tomorrow", "north", token(t, seconds=60, made=now + 86400)),
                           ("with another session key", "north", (good[0], b"x" * 20)),
                           ("cut short", "north", (good[0][:-1], good[1])),
                           ("that is none", "north", (b"", good[1])),
                           ("with a nonce without end", "north", (b"\xff\xff" + bytes(1500), good[1])),
                           ("of plain text", "north", (b"A" * 64, good[1]))):
        answer = Guest(t, kid, got).ask(ALLOCATE, UDP)
        equal(answer.code, 401, "code for a token " + text)
        equal(answer.get(THIRD_PARTY), SERVER.encode(), "THIRD-PARTY-AUTHORIZATION")
    t.client().allocate()  # first-party credentials go on


@test("a token ends its session with itself", timeout=60, not_coturn=NOT_THERE)
def ends(t):
    server = serve(t, stores.Sqlite(t))
    g = Guest(t, "north", token(t, seconds=3))
    answer = g.ask(ALLOCATE, UDP)
    check(answer.code == 0 and 1 <= answer.seconds() <= 3, "allocated %s", answer)
    server.wait_log("session_end .*user=north reason=expired", 15)


@each("a token gets nowhere with an allocation that a password opened, nor a password with a token's", timeout=60)
def apart(t, store):
    store.add_user("north", "pole")
    serve(t, store)
    c = t.client(user="north", password="pole")
    c.allocate()
    equal(Guest(t, "north", token(t), user_client=c).ask(REFRESH, lifetime(0)).code, 441, "code of a token")
    c.refresh()
    c.refresh(0)
    g = Guest(t, "north", token(t))
    equal(g.ask(ALLOCATE, UDP).code, 0, "code")
    g.c.password = "pole"
    equal(g.c.request(REFRESH, [lifetime(0)]).code, 401, "code of a password")
    equal(g.ask(REFRESH, with_token=False).code, 0, "code with the session's key")


@test("without the option a token is an attribute that is not understood: 420", timeout=60, not_coturn=NOT_THERE)
def unknown(t):
    t.server()
    c = t.client()
    answer = c.challenge()
    equal(answer.get(THIRD_PARTY), None, "THIRD-PARTY-AUTHORIZATION")
    answer = c.request(ALLOCATE, [UDP, (ACCESS_TOKEN, b"x" * 64)])
    equal((answer.code, answer.get(UNKNOWN_ATTRIBUTES)), (420, b"\0\x1b"), "answer")


@test("coturn's client with its test tokens (-J) relays", timeout=120, not_coturn=NOT_THERE)
def coturn_client(t):
    t.net()
    store = stores.Sqlite(t)
    for kid, key, alg in (("north", b"01234567890123456789012345678901\n", "A256GCM"), ("union", b"1234567890123456\n", "A128GCM"),
                          ("oldempire", b"12345678901234567890123456789012\n", "A256GCM")):  # as its examples have them
        store.sql("INSERT INTO oauth_key (kid, ikm_key, timestamp, lifetime, as_rs_alg, realm) VALUES "
                  "('%s', '%s', 0, 0, '%s', '')" % (kid, base64.b64encode(key).decode(), alg))
    server = t.server(oauth=True, server_name="blackdow.carleon.gov", rfc5766_channel_numbers=True, **store.conf)
    got = token(t, key=base64.b64encode(b"1234567890123456\n").decode(), alg="A128GCM", name="blackdow.carleon.gov")
    t.until(lambda: Guest(t, "union", got).ask(ALLOCATE, UDP).code == 0, "an allocation with a token", timeout=20, pace=0.3)
    time_is_up = time.monotonic() + 60 * t.scale
    seen = {"union"}
    while len(seen) < 2 and time.monotonic() < time_is_up:
        status, out = t.run(t.lab.cli, "turnutils_uclient", "-y", "-c", "-n", "3", "-m", "1", "-J", lab.SRV, timeout=60)
        check(status == 0, "uclient -J: %s", out)
        seen |= set(re.findall(r"alloc_open .*user=(\w+)", server.log()))
    check(len(seen) >= 2, "its keys that opened sessions: %s", seen)
