"""Measures what moves between files and Swift and prints tables: objects.py PROGRAMS IMAGES

swift.sh builds the programs, starts Swift and explains the environment variables.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request

import glance_store_c as gs
from contest import Contest, reported, timed

MIB, UNIT = 1 << 20, 1024000
SIZE = int(os.environ.get("GS_BENCH_MIB", 1024)) * MIB
# The usual segment, or a small one for a small image.
SEGMENT_UNITS = 200 if SIZE >= 200 * UNIT else 1
SEGMENT = SEGMENT_UNITS * UNIT
IMAGE = max(SIZE // SEGMENT, 2) * SEGMENT
ROUNDS = int(os.environ.get("GS_BENCH_ROUNDS", 5))
ONLY = os.environ.get("GS_BENCH_ONLY", "")
HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS, IMAGES = (os.path.abspath(path) for path in sys.argv[1:])
ENV, VENV = os.environ, os.path.dirname(sys.executable)
SOURCE, RESULT, CONFIG = f"{IMAGES}/image", f"{IMAGES}/result", f"{IMAGES}/glance.conf"
CONTAINER, STORED = "images", "stored"

OURS, PYTHON, CLIENT, RCLONE, CURL = "ours", "Python glance_store", "python-swiftclient", "rclone", "curl, one object, no hash"


class Account:
    def __init__(self):
        project, user = ENV["SWIFT_USER"].split(":")
        domain = {"domain": {"id": "default"}}
        identity = {"methods": ["password"], "password": {"user": {"name": user, "password": ENV["SWIFT_KEY"]} | domain}}
        body = {"auth": {"identity": identity, "scope": {"project": {"name": project} | domain}}}
        request = urllib.request.Request(ENV["SWIFT_KEYSTONE_URL"] + "/auth/tokens", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            self.token = answer.headers["X-Subject-Token"]
        self.url = ENV["SWIFT_STORAGE_URL"]

    def call(self, method, path):
        request = urllib.request.Request(f"{self.url}/{path}", method=method, headers={"X-Auth-Token": self.token})
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode()

    def remove_others(self):
        """All but the image that is there to be read."""
        for container in self.call("GET", "").split():
            for name in self.call("GET", container).split():
                if not name.startswith(STORED):
                    self.call("DELETE", f"{container}/{name}")

    def curl(self, *arguments):
        return timed("curl", "--silent", "--show-error", "--fail", "--header", f"X-Auth-Token: {self.token}", *arguments)


def configure():
    accounts = f"{IMAGES}/accounts.conf"
    with open(accounts, "w", encoding="utf-8") as config:
        config.write(f"[ref1]\nauth_address = {ENV['SWIFT_KEYSTONE_URL']}\n"
                     f"user = {ENV['SWIFT_USER']}\nkey = {ENV['SWIFT_KEY']}\n")
    with open(CONFIG, "w", encoding="utf-8") as config:
        config.write(f"[glance_store]\nstores = swift\ndefault_store = swift\nswift_store_container = {CONTAINER}\n"
                     f"swift_store_config_file = {accounts}\nswift_store_large_object_size = {SEGMENT_UNITS}\n"
                     f"swift_store_large_object_chunk_size = {SEGMENT_UNITS}\n")
    project, user = ENV["SWIFT_USER"].split(":")
    for name, value in {"AUTH_URL": ENV["SWIFT_KEYSTONE_URL"], "USERNAME": user, "PASSWORD": ENV["SWIFT_KEY"],
                        "PROJECT_NAME": project, "USER_DOMAIN_ID": "default", "PROJECT_DOMAIN_ID": "default",
                        "IDENTITY_API_VERSION": "3", "AUTH_VERSION": "3"}.items():
        os.environ[f"OS_{name}"] = value
    for name, value in {"TYPE": "swift", "AUTH": ENV["SWIFT_KEYSTONE_URL"], "USER": user, "KEY": ENV["SWIFT_KEY"],
                        "TENANT": project, "DOMAIN": "Default", "AUTH_VERSION": "3", "CHUNK_SIZE": f"{SEGMENT}B"}.items():
        os.environ[f"RCLONE_CONFIG_CLOUD_{name}"] = value
    os.environ["RCLONE_CONFIG"] = "/dev/null"


def swift(*arguments):
    return timed(sys.executable, f"{VENV}/swift", "--quiet", *arguments)


def with_rclone(*arguments):
    """A contestant, where it is installed."""
    return {RCLONE: lambda: timed("rclone", *arguments)} if shutil.which("rclone") else {}


def removing(account, add):
    """An add whose objects are gone when its time has been taken."""
    def run():
        try:
            return add()
        finally:
            account.remove_others()
    return run


def add(account, how, kind, others):
    contestants = {OURS: lambda: reported(f"{PROGRAMS}/transfer", how, CONFIG, "made", SOURCE), **others}
    work = f"add {IMAGE // UNIT} x {UNIT} bytes, {kind}"
    return Contest(work, SOURCE, RESULT, {name: removing(account, run) for name, run in contestants.items()}).run(ROUNDS)


def python_add(*known):
    return {PYTHON: lambda: reported(sys.executable, f"{HERE}/python_add.py", CONFIG, "made", SOURCE, *known)}


def add_known(account):
    return add(account, "add-fd-known", "MD5 and SHA-512, size known", python_add("known"))


def add_unknown(account):
    return add(account, "add-fd", "MD5 and SHA-512, size unknown", python_add())


def add_md5(account):
    """Like programs that check what is stored, and hash no more."""
    return add(account, "add-fd-known-bare", "MD5 alone", {
        CLIENT: lambda: swift("upload", "--segment-size", str(SEGMENT), "--object-name", "made", CONTAINER, SOURCE),
        **with_rclone("copyto", SOURCE, f"cloud:{CONTAINER}/made"),
        CURL: lambda: account.curl("--upload-file", SOURCE, f"{account.url}/{CONTAINER}/made"),
    })


def get(account):
    uri = f"swift+config://ref1/{CONTAINER}/{STORED}"
    return Contest(f"get {IMAGE // UNIT} x {UNIT} bytes", SOURCE, RESULT, {
        OURS: lambda: reported(f"{PROGRAMS}/transfer", "get-fd", CONFIG, uri, RESULT),
        PYTHON: lambda: reported(sys.executable, f"{HERE}/python_get.py", CONFIG, uri, RESULT),
        CLIENT: lambda: swift("download", "--output", RESULT, CONTAINER, STORED),
        **with_rclone("copyto", f"cloud:{CONTAINER}/{STORED}", RESULT),
        CURL: lambda: account.curl("--output", RESULT, f"{account.url}/{CONTAINER}/{STORED}"),
    }).run(ROUNDS)


def token_requests():
    """How often Keystone was asked for a token so far."""
    with open(ENV["SWIFT_KEYSTONE_LOG"], encoding="utf-8") as log:
        return sum(" POST /v3/auth/tokens" in line for line in log)


def hundred_operations():
    """Requests for tokens of 100 operations of one process."""
    before = token_requests()
    with gs.Config(CONFIG) as config, gs.Registry(config) as registry:
        store = registry.default
        for number in range(25):
            image = store.add(f"small-{number}", b"abc")
            store.get_size(image.uri)
            store.read(image.uri)
            store.delete(image.uri)
    return token_requests() - before


def report(contests):
    print(f"{ROUNDS} rounds, contestants in turn; segments of {SEGMENT} bytes.  CPU is the client's; all but "
          "ours and Python's are measured as whole programs.\n")
    print("| work | contestant | best s | median s | against ours | CPU s | peak MiB |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for contest in contests:
        for name in contest.costs:
            print(f"| {contest.work} | {name} | {contest.best(name):.2f} | {contest.median(name):.2f} | "
                  f"{contest.median(name) / contest.median(OURS):.2f} | {contest.cpu(name):.2f} | {contest.peak(name):.0f} |")
    print(f"\nRequests for tokens in 100 operations: {hundred_operations()}.")


def main():
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit(1))
    configure()
    with open(SOURCE, "wb") as image:
        for _ in range(IMAGE // UNIT):
            image.write(os.urandom(UNIT))
    account = Account()
    account.call("PUT", CONTAINER)
    subprocess.run([f"{PROGRAMS}/transfer", "add-fd-known", CONFIG, STORED, SOURCE], check=True, stdout=subprocess.DEVNULL)
    report([work(account) for work in (add_known, add_unknown, add_md5, get) if ONLY in work.__name__])


main()
