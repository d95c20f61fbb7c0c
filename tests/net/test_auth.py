"""Long-term credentials: challenges, nonces, static and time-limited accounts."""
import base64
import re
import time

import lab
from harness import check, equal, minted, test
from server import REALM as SERVER_REALM
from turnclient import (ALLOCATE, CREATE_PERMISSION, ERROR_CODE, LIFETIME, MESSAGE_INTEGRITY, NONCE, REALM,
                        REFRESH, REQUEST, SHA256, UDP, USERNAME, Message, lifetime, long_term_key,
                        peer_address)

SECRET, OLD_SECRET = "the-new-secret", "the-old-secret"
OWN_WAY = "has its own way here"


@test("a challenge is 401 with ERROR-CODE, REALM and NONCE, no more, and small", not_coturn=OWN_WAY)
def challenge(t):
    t.server()
    for ip in (lab.CLI, lab.CLI6):
        answer = t.client(ip).challenge()
        equal(sorted(answer.numbers()), sorted([ERROR_CODE, REALM, NONCE]), "attributes")
        equal(answer.get(REALM), SERVER_REALM.encode(), "realm")
        nonce = answer.get(NONCE)
        check(nonce.startswith(b"obMatJos2"), "nonce %r has no cookie", nonce)
        features = base64.b64decode(nonce[9:13], validate=True)
        # neither is there anything behind these bits
        equal(features[0] & 0xC0, 0, "password algorithms and anonymity in the feature bits")
        check(len(answer.raw) <= 128, "the challenge has %d bytes", len(answer.raw))


@test("a nonce is good from another port of its address, and not from another address", not_coturn=OWN_WAY)
def nonce_is_bound(t):
    t.server()
    for ip, other in ((lab.CLI, lab.CLI_B), (lab.CLI6, lab.CLI6_B)):
        a, b, c = t.client(ip), t.client(ip), t.client(other)
        a.challenge()
        b.realm, b.nonce, c.realm, c.nonce = a.realm, a.nonce, a.realm, a.nonce
        equal(b.request(ALLOCATE, [UDP], renew=False).code, 0, "code, another port")
        answer = c.ask(c.signed(ALLOCATE, [UDP]))
        equal(answer.code, 438, "code, another address")
        equal(sorted(answer.numbers()), sorted([ERROR_CODE, REALM, NONCE]), "attributes of 438")
        check(answer.get(NONCE) != c.nonce, "438 brings the same nonce")
        c.nonce = answer.get(NONCE)
        c.allocate()


@test("a changed nonce gets 438 and a new one that works")
def nonce_is_authentic(t):
    t.server()
    c = t.client()
    c.challenge()
    good = c.nonce
    for at in (-1, len(good) // 2, 14):
        flip = bytearray(good)
        flip[at] = ord("A") if flip[at] != ord("A") else ord("B")
        c.nonce = bytes(flip)
        answer = c.ask(c.signed(ALLOCATE, [UDP]))
        equal(answer.code, 438, "code, nonce changed at %d" % at)
    c.nonce = answer.get(NONCE)
    c.allocate()


@test("a nonce ages: good at first, then 438, and the session lives on with the next")
def nonce_ages(t):
    t.server(stale_nonce=2)
    c = t.client()
    c.allocate()
    old = c.nonce
    equal(c.request(REFRESH, renew=False).code, 0, "code at once")
    t.until(lambda: c.request(REFRESH, renew=False).code == 438, "438", timeout=6, pace=0.25)
    c.refresh()
    check(c.nonce != old, "the nonce has not changed")


@test("a wrong password and an unknown user get the same 401, without integrity")
def wrong_credentials(t):
    t.server()
    sizes = set()
    for user, password in (("alice", "wonderlanD"), ("nobody", "wonderland")):
        c = t.client(user=user, password=password)
        c.challenge()
        answer = c.ask(c.signed(ALLOCATE, [UDP]))
        equal(answer.code, 401, "code for %r" % user)
        check(answer.get(REALM) and answer.get(NONCE), "no REALM or NONCE")
        if t.kind == "taciturn":
            check(USERNAME not in answer.numbers() and MESSAGE_INTEGRITY not in answer.numbers(), "says more")
        sizes.add(len(answer.raw))
    if t.kind == "taciturn":
        equal(len(sizes), 1, "number of different answers")


@test("integrity without USERNAME, REALM or NONCE gets a bare 400")
def incomplete_credentials(t):
    t.server()
    c = t.client()
    c.challenge()
    for missing in (USERNAME, REALM, NONCE):
        attrs = [UDP] + [a for a in c.auth_attrs() if a[0] != missing]
        answer = c.ask(Message(ALLOCATE, REQUEST, attrs).encode(c.key))
        equal(answer.code, 400, "code without 0x%04x" % missing)
        check(REALM not in answer.numbers() and NONCE not in answer.numbers(), "400 says REALM or NONCE")


@test("another user's request on the 5-tuple gets 441, and changes nothing",
      not_coturn="does not sign its 441")
def other_user(t):
    t.server()
    c = t.client()
    c.allocate()
    c.user, c.password = "bob", "builder"
    c.expect(441, REFRESH, [lifetime(0)])
    c.expect(441, CREATE_PERMISSION, [peer_address(lab.PEER, 0)])
    c.user, c.password = "alice", "wonderland"
    c.refresh()


@test("attributes behind the integrity attribute do not count",
      not_coturn="this one is older than its fix")
def after_integrity(t):
    t.server()
    c = t.client()
    c.allocate()
    answer = c.request(REFRESH, [lifetime(600)], after=[lifetime(0)])
    equal((answer.code, answer.seconds()), (0, 600), "code and lifetime")
    c.refresh()


@test("MESSAGE-INTEGRITY-SHA256 alone authenticates; a wrong one does not", not_coturn="does not know it")
def sha256(t):
    t.server()
    c = t.client()
    c.mac = "sha256"
    c.allocate()
    c.permit(lab.PEER)
    c.password = "wrong"
    equal(c.ask(c.signed(REFRESH)).code, 401, "code, wrong password")


@test("both integrity attributes: the SHA-256 one counts", not_coturn="looks at the first only")
def both_integrities(t):
    t.server()
    c = t.client()
    c.challenge()
    msg = Message(ALLOCATE, REQUEST, [UDP] + c.auth_attrs())
    with_sha1 = Message.decode(msg.encode(c.key))
    raw = with_sha1.encode(c.key, "sha256")
    check(Message.decode(raw).get(SHA256), "the test's own message")
    equal(c.ask(raw).code, 0, "code, both right")
    c = t.client()
    c.challenge()
    with_sha1 = Message.decode(Message(ALLOCATE, REQUEST, [UDP] + c.auth_attrs()).encode(c.key))
    equal(c.ask(with_sha1.encode(b"another key here", "sha256")).code, 401, "code, SHA-256 wrong")


@test("a static account given by its key")
def hex_key(t):
    key = long_term_key("hexa", SERVER_REALM, "decimal").hex()
    t.server(user=["hexa:0x" + key])
    t.client(user="hexa", password="decimal").allocate()


@test("time-limited credentials: any of several secrets, both orders of the name")
def ephemeral(t):
    t.server(user=None, use_auth_secret=True, static_auth_secret=[OLD_SECRET, SECRET])
    for secret in (OLD_SECRET, SECRET):
        for form in ("%(expiry)d:%(user)s", "%(user)s:%(expiry)d", "%(expiry)d"):
            name, password = minted(secret, "carol", form=form)
            t.client(user=name, password=password).allocate()
    name, password = minted("not-the-secret", "carol")
    t.client(user=name, password=password).allocate(code=401)
    name, password = minted(SECRET, "carol", ttl=-10)
    t.client(user=name, password=password).allocate(code=401)


@test("static accounts and time-limited credentials at once", not_coturn="knows one kind at a time")
def both_kinds(t):
    t.server(use_auth_secret=True, static_auth_secret=SECRET)
    t.client().allocate()
    name, password = minted(SECRET, "carol")
    t.client(user=name, password=password).allocate()


@test("rest-api-separator")
def separator(t):
    t.server(user=None, use_auth_secret=True, static_auth_secret=SECRET, rest_api_separator="|")
    name, password = minted(SECRET, "carol", form="%(expiry)d|%(user)s")
    t.client(user=name, password=password).allocate()


def run_out(t, name, password):
    """Waits until the credential opens nothing any more."""
    expiry = int(name.split(":")[0])

    def refused():
        code = t.client(user=name, password=password).request(ALLOCATE, [UDP]).code
        check(code in (0, 401), "code %d", code)
        check(code == 0 or time.time() >= expiry, "refused before its expiry")
        return code == 401
    t.until(refused, "401 for the expired credential", timeout=8, pace=0.25)


@test("an expired credential opens nothing, the session that it opened lives on")
def outlives_credential(t):
    t.server(user=None, use_auth_secret=True, static_auth_secret=SECRET)
    name, password = minted(SECRET, "carol", ttl=2)
    c = t.client(user=name, password=password)
    c.allocate()
    run_out(t, name, password)
    c.refresh(600)
    c.permit(lab.PEER)
    peer = t.peer()
    c.bind(0x4000, *peer.getsockname())
    c.send_channel(0x4000, b"still here")
    equal(peer.recvfrom(100), (b"still here", c.relayed), "what the peer got")
    c.refresh(0)


@test("with strict-expiry the session ends with its credential", not_coturn="has no such option")
def strict_expiry(t):
    t.server(user=None, use_auth_secret=True, static_auth_secret=SECRET, strict_expiry=True)
    name, password = minted(SECRET, "carol", ttl=2)
    c = t.client(user=name, password=password)
    c.allocate()
    run_out(t, name, password)
    c.expect(401, REFRESH)
    c.expect(401, CREATE_PERMISSION, [peer_address(lab.PEER, 0)])


@test("no-auth lets everybody relay", not_coturn=OWN_WAY)
def no_auth(t):
    t.server(user=None, no_auth=True)
    c = t.client()
    answer = c.ask(Message(ALLOCATE, REQUEST, [UDP]).encode())
    equal(answer.code, 0, "code")
    check(answer.get(LIFETIME) and answer.relayed, "no LIFETIME or relayed address")


@test("a configuration without credentials is refused, and no-auth is named", not_coturn="is an open relay")
def refuses_open_relay(t):
    s = t.bare_server()
    s.spawn(["-c", s.write_config({"listening-ip": lab.SRV, "realm": "x"})])
    check(s.wait(5 * t.scale) != 0, "exit status 0")
    check(re.search("no-auth", s.log()), "the log does not name no-auth")
    s.check_log()


@test("stun-only answers Binding and relays nothing")
def stun_only(t):
    t.server(stun_only=True)
    c = t.client()
    answer = c.transact(Message(ALLOCATE, REQUEST, [UDP]).encode(), timeout=1)
    check(answer is None or answer.code in (400, 403, 404, 405, 420, 500, 508), "got %s", answer)
