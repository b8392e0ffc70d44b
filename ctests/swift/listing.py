"""Prints all that a container holds, or creates it first: listing.py 1|3 CONTAINER [create]

The first argument is the version of authentication.  The server's addresses are in the environment; a token is
kept beside the file that GS_TEST_CONFIG names."""

import json
import os
import sys
import urllib.request

env = os.environ


def call(method, url, headers, data=None):
    with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers, data=data)) as answer:
        return answer.headers, answer.read()


def log_in(version):
    if version == "1":
        headers, _ = call("GET", env["SWIFT_V1_URL"], {"X-Auth-User": env["SWIFT_V1_USER"], "X-Auth-Key": env["SWIFT_V1_KEY"]})
        return headers["X-Auth-Token"]
    project, user = env["SWIFT_USER"].split(":")
    domain = {"domain": {"id": "default"}}
    identity = {"methods": ["password"], "password": {"user": {"name": user, "password": env["SWIFT_KEY"]} | domain}}
    body = {"auth": {"identity": identity, "scope": {"project": {"name": project} | domain}}}
    headers, _ = call("POST", env["SWIFT_KEYSTONE_URL"] + "/auth/tokens", {"Content-Type": "application/json"},
                      json.dumps(body).encode())
    return headers["X-Subject-Token"]


def token(version):
    """One token for the many listings of a test."""
    path = os.path.join(os.path.dirname(env["GS_TEST_CONFIG"]), "token")
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except FileNotFoundError:
        new = log_in(version)
        with open(path, "w", encoding="ascii") as file:
            file.write(new)
        return new


def main(version, container, action="list"):
    storage = env["SWIFT_STORAGE_URL"] if version == "3" else env["SWIFT_V1_STORAGE_URL"]
    headers = {"X-Auth-Token": token(version)}
    if action == "create":
        call("PUT", f"{storage}/{container}", headers, b"")
    for entry in json.loads(call("GET", f"{storage}/{container}?format=json", headers)[1]):
        print(*sorted(entry.items()))


if __name__ == "__main__":
    main(*sys.argv[1:])
