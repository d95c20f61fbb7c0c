"""contrib/credentials: what the backends mint opens allocations, and lives as long as they say."""
import json
import os
import shutil
import subprocess
import time

from harness import check, equal, test

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DIR = os.path.join(TOP, "contrib", "credentials")
SECRET, HOST = "north & south \u00e9", "turn.example.org"
URLS = ["turn:%s:3478?transport=udp" % HOST, "turn:%s:3478?transport=tcp" % HOST,
        "turns:%s:443?transport=tcp" % HOST]
PROGRAMS = {"mint.js": ["node"], "mint.py": ["python3"], "mint.go": ["go", "run"], "mint.php": ["php"]}


def mint(t, program, user, ttl):
    env = dict(os.environ, TURN_SECRET=SECRET, TURN_HOST=HOST, GOCACHE=os.path.join(t.dir, "go"),
               GOFLAGS="-mod=mod", GO111MODULE="off", PYTHONDONTWRITEBYTECODE="1", LC_ALL="C.UTF-8")
    out = subprocess.run(PROGRAMS[program] + [os.path.join(DIR, program), user, str(ttl)], env=env, text=True,
                         stdout=subprocess.PIPE, timeout=120, check=True).stdout
    return json.loads(out)["iceServers"]


def works(t, program):
    check(shutil.which(PROGRAMS[program][0]), "%s is missing: ./quickstart --prepare test", PROGRAMS[program][0])
    t.server(user=[], static_auth_secret=[SECRET])
    for ttl, lives in ((90, 90), (5, 60), (86400, 120)):
        before = int(time.time())
        server, = mint(t, program, "alice-\u00e9", ttl)
        after = int(time.time())
        equal(server["urls"], URLS, "urls")
        expiry, user = server["username"].split(":")
        check(before + lives <= int(expiry) <= after + lives, "%s lives for %d s, not %d", program,
              int(expiry) - before, lives)
        equal(user, "alice-\u00e9", "user id")
    c = t.client(user=server["username"], password=server["credential"])
    c.allocate()
    other = t.client(user=server["username"] + "x", password=server["credential"])
    equal(other.request(0x003).code, 401, "code for another user's name")


@test("a credential that contrib/credentials/mint.js makes opens an allocation", not_coturn="ours")
def mint_js(t):
    works(t, "mint.js")


@test("a credential that contrib/credentials/mint.py makes opens an allocation", not_coturn="ours")
def mint_py(t):
    works(t, "mint.py")


@test("a credential that contrib/credentials/mint.go makes opens an allocation", not_coturn="ours")
def mint_go(t):
    works(t, "mint.go")


@test("a credential that contrib/credentials/mint.php makes opens an allocation", not_coturn="ours")
def mint_php(t):
    works(t, "mint.php")
