"""Prints a token of the server whose addresses are in the environment: log_in.py 1|3

The argument is the version of authentication."""

import json
import os
import sys
import urllib.request

env = os.environ


def call(method, url, headers, data=None):
    with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers, data=data)) as answer:
        return answer.headers


def version_1():
    headers = {"X-Auth-User": env["SWIFT_V1_USER"], "X-Auth-Key": env["SWIFT_V1_KEY"]}
    return call("GET", env["SWIFT_V1_URL"], headers)["X-Auth-Token"]


def version_3():
    project, user = env["SWIFT_USER"].split(":")
    domain = {"domain": {"id": "default"}}
    identity = {"methods": ["password"], "password": {"user": {"name": user, "password": env["SWIFT_KEY"]} | domain}}
    body = {"auth": {"identity": identity, "scope": {"project": {"name": project} | domain}}}
    url, headers = env["SWIFT_KEYSTONE_URL"] + "/auth/tokens", {"Content-Type": "application/json"}
    return call("POST", url, headers, json.dumps(body).encode())["X-Subject-Token"]


print({"1": version_1, "3": version_3}[sys.argv[1]]())
