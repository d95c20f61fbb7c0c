"""contrib/fail2ban bans whom the daemon's own lines give reason to, and nobody else."""
import os
import re
import subprocess

import lab
from harness import check, equal, minted, test
from turnclient import ALLOCATE, UDP

FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../contrib/fail2ban")
NOT_THERE = "has other lines"
SECRET = "the-secret"
# names that would be somebody else's line
FORGED = ("x client=10.9.9.9:1 z", '" address=proven reason=bad_integrity n=1', 'y\nauth_reject client=10.9.9.9:1 z',
          '","client":"10.9.9.9:1"', "back\\slash\\", "naïve käse")


def wrong(t, ip, user="alice", password="wrong", nonce=None, stream=False):
    c = t.stream(ip, user=user, password=password) if stream else t.client(ip, user=user, password=password)
    c.challenge()
    c.nonce = nonce or c.nonce
    equal(c.ask(c.signed(ALLOCATE, [UDP])).code, 401, "code for %r" % user)


def banned(path):
    """The addresses of the lines that the filter takes, in their order."""
    p = subprocess.run(["fail2ban-regex", "-o", "<ip>", path, FILES + "/filter.d/taciturn.conf"],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    equal(p.returncode, 0, "exit status of fail2ban-regex, which says " + p.stdout)
    return p.stdout.split()


def takes_the_right_lines(t, form):
    s = t.server(log_format=form, static_auth_secret=SECRET)
    who = []
    for ip in (lab.CLI, lab.CLI6):
        wrong(t, ip)
        wrong(t, ip, user="nobody")
        wrong(t, ip, stream=True)
        who += [ip] * 3
    for name in FORGED:
        wrong(t, lab.CLI_B, user=name)
        who.append(lab.CLI_B)
    # neither an old credential nor a source that may be forged
    wrong(t, lab.CLI6_B, *minted(SECRET, ttl=-3600))
    wrong(t, lab.CLI6_B, nonce=b"obMatJos2AAAAnobodysnonce")
    t.client().allocate()
    s.stop()
    lines = [line for line in s.log().splitlines() if "auth_reject" in line]
    check(any("expired" in line for line in lines), "no line about the old credential in %s", lines)
    check(all(re.search("auth_reject.*address.*(proven|claimed)", line) for line in lines), "lines are %s", lines)
    equal(sorted(banned(s.log_path)), sorted(who), "addresses of " + "\n".join(lines))


@test("fail2ban's filter takes lines about guessed credentials, and no others: text", timeout=90,
      not_coturn=NOT_THERE)
def text(t):
    takes_the_right_lines(t, "text")


@test("fail2ban's filter takes lines about guessed credentials, and no others: JSON", timeout=90,
      not_coturn=NOT_THERE)
def json(t):
    takes_the_right_lines(t, "json")


@test("a flood from forged sources takes no line from a guesser", not_coturn=NOT_THERE)
def forged_flood(t):
    s = t.server(relay_threads=1)
    c = t.client(lab.CLI, password="wrong")
    c.challenge()
    c.nonce = b"obMatJos2AAAAnobodysnonce"
    for _ in range(40):
        equal(c.ask(c.signed(ALLOCATE, [UDP])).code, 401, "code")
    for _ in range(5):
        wrong(t, lab.CLI_B)
    s.stop()
    claimed = re.findall(r"address=claimed .* n=(\d+)", s.log())
    equal(claimed, ["1", "2", "4", "8", "16", "32"], "lines about what may be forged")
    equal(banned(s.log_path), [lab.CLI_B] * 5, "addresses")


@test("fail2ban reads the jail, with the filter that lies beside it", not_coturn=NOT_THERE)
def jail(t):
    home = os.path.join(t.dir, "fail2ban")
    subprocess.run(["cp", "-a", "/etc/fail2ban", home], check=True)
    subprocess.run(["rm", "-rf", home + "/jail.d"], check=True)
    for part in ("filter.d", "jail.d"):
        subprocess.run(["cp", "-r", "%s/%s" % (FILES, part), home], check=True)
    log = os.path.join(t.dir, "taciturn.log")
    open(log, "w").close()
    with open(home + "/jail.d/zz.conf", "w") as f:
        f.write("[taciturn]\nlogpath = %s\n" % log)
    p = subprocess.run(["fail2ban-client", "-c", home, "-d"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True, timeout=60)
    equal(p.returncode, 0, "exit status of fail2ban-client -d, which says " + p.stdout)
    for wanted in ("'add', 'taciturn'", "'addfailregex'|multi-set', 'taciturn', 'addfailregex'", log, "iptables"):
        check(re.search(wanted, p.stdout), "nothing of %s in %s", wanted, p.stdout)
