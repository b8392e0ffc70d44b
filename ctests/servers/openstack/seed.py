"""Puts users and a catalogue into a Keystone that has just started: seed.py DIRECTORY

Writes DIRECTORY/assignments, and does nothing when they are there.  What is in them:"""

ASSIGNMENTS = """\
SWIFT_URL='{swift}'
SWIFT_KEYSTONE_URL='{keystone}'
SWIFT_USER='demo:demo'
SWIFT_KEY='demopass'
SWIFT_USER_ID='{ids[demo]}'
SWIFT_PROJECT_ID='{ids[project demo]}'
SWIFT_STORAGE_URL='{swift}/v1/AUTH_{ids[project demo]}'
SWIFT_ODD_USER='demo:odd'
SWIFT_ODD_KEY='{odd_key}'
SWIFT_OTHER_USER='other:demo2'
SWIFT_OTHER_KEY='demo2pass'
SWIFT_OTHER_PROJECT_ID='{ids[project other]}'
SWIFT_OTHER_STORAGE_URL='{swift}/v1/AUTH_{ids[project other]}'
SWIFT_READER_USER='demo:reader'
SWIFT_READER_KEY='readerpass'
SWIFT_SERVICE_USER='service:glance'
SWIFT_SERVICE_KEY='glancepass'
SWIFT_RESELLER_USER='service:reseller'
SWIFT_RESELLER_KEY='resellerpass'
SWIFT_DOMAIN_ID='{ids[domain elsewhere]}'
SWIFT_DOMAIN_NAME='elsewhere'
SWIFT_DOMAIN_USER='far:traveller'
SWIFT_DOMAIN_KEY='travelpass'
SWIFT_DOMAIN_PROJECT_ID='{ids[project far]}'
SWIFT_APPLICATION_CREDENTIAL_ID='{application_credential[id]}'
SWIFT_APPLICATION_CREDENTIAL_SECRET='{application_credential[secret]}'
SWIFT_V1_URL='{swift}/auth/v1.0'
SWIFT_V1_USER='test:tester'
SWIFT_V1_KEY='testing'
SWIFT_V1_STORAGE_URL='{swift}/v1/TEMP_test'
SWIFT_V1_ODD_USER='test:odd'
SWIFT_V1_ODD_KEY='odd/ke:y@1+'
SWIFT_V1_OTHER_USER='test2:tester2'
SWIFT_V1_OTHER_KEY='testing2'
SWIFT_V1_GUEST_USER='test:guest'
SWIFT_V1_GUEST_KEY='testing3'
SWIFT_S3_URL='{swift}'
SWIFT_S3_REGION='us-east-1'
SWIFT_S3_ACCESS_KEY='test:tester'
SWIFT_S3_SECRET_KEY='testing'
SWIFT_S3_KEYSTONE_ACCESS_KEY='demo-access'
SWIFT_S3_KEYSTONE_SECRET_KEY='demo-secret'
SWIFT_KEYSTONE_LOG='{directory}/log/keystone.access'
SWIFT_PROXY_PID_FILE='{directory}/proxy.pid'
SWIFT_KEYSTONE_PID_FILE='{directory}/keystone.pid'
"""

import hashlib
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

ODD_KEY = "se/cret p@ss:1%?#"
# A service whose endpoints are accounts of their own, one per region and interface: which one was chosen shows
# in where the objects lie.  Its user is the reseller, who may use every account.
REGIONS = ("Sahara", "WestCarolina")
INTERFACES = ("public", "internal", "admin")


class Keystone:
    def __init__(self, url):
        self.url, self.token = url, None

    def call(self, method, path, body=None):
        headers = {"Content-Type": "application/json"} | ({"X-Auth-Token": self.token} if self.token else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, method=method, headers=headers, data=data)
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
            return answer.headers, json.loads(text) if text else None

    def log_in(self, user, password, project):
        identity = {"methods": ["password"],
                    "password": {"user": {"name": user, "password": password, "domain": {"id": "default"}}}}
        scope = {"project": {"name": project, "domain": {"id": "default"}}}
        self.token = None
        headers, _ = self.call("POST", "/auth/tokens", {"auth": {"identity": identity, "scope": scope}})
        self.token = headers["X-Subject-Token"]

    def make(self, kind, **properties):
        return self.call("POST", f"/{kind}s", {kind: properties})[1][kind]["id"]

    def role(self, name):
        known = self.call("GET", f"/roles?name={name}")[1]["roles"]
        return known[0]["id"] if known else self.make("role", name=name)


def make_users(keystone):
    ids = {"domain elsewhere": keystone.make("domain", name="elsewhere")}
    domains = {"far": ids["domain elsewhere"]}
    roles = {name: keystone.role(name) for name in ("admin", "member", "reader", "service", "ResellerAdmin")}
    for project in ("service", "demo", "other", "far"):
        ids[f"project {project}"] = keystone.make("project", name=project, domain_id=domains.get(project, "default"))
    for name, password, project, *granted in (
            ("swift", "swiftpass", "service", "admin", "service"),
            ("glance", "glancepass", "service", "admin"),
            ("reseller", "resellerpass", "service", "ResellerAdmin"),
            ("demo", "demopass", "demo", "member"),
            ("odd", ODD_KEY, "demo", "member"),
            ("reader", "readerpass", "demo", "reader"),
            ("demo2", "demo2pass", "other", "member"),
            ("traveller", "travelpass", "far", "member")):
        ids[name] = keystone.make("user", name=name, password=password, domain_id=domains.get(project, "default"))
        for role in granted:
            keystone.call("PUT", f"/projects/{ids[f'project {project}']}/users/{ids[name]}/roles/{roles[role]}")
    return ids


def make_catalogue(keystone, swift):
    def endpoint(service, region, interface, url):
        keystone.make("endpoint", service_id=service, interface=interface, region_id=region, url=url)

    service = keystone.make("service", type="object-store", name="swift")
    for interface in INTERFACES:
        endpoint(service, "RegionOne", interface, swift + "/v1/AUTH_%(project_id)s")
    service = keystone.make("service", type="toy-store", name="toys")
    for region in REGIONS:
        keystone.make("region", id=region)
        for interface in INTERFACES:
            endpoint(service, region, interface, f"{swift}/v1/AUTH_{region}_{interface}")


def make_credentials(keystone, ids):
    key = {"access": "demo-access", "secret": "demo-secret"}
    keystone.make("credential", id=hashlib.sha256(key["access"].encode()).hexdigest(), type="ec2",
                  user_id=ids["demo"], project_id=ids["project demo"], blob=json.dumps(key))
    keystone.log_in("demo", "demopass", "demo")
    return keystone.call("POST", f"/users/{ids['demo']}/application_credentials",
                         {"application_credential": {"name": "images"}})[1]["application_credential"]


def main(directory):
    assignments = directory / "assignments"
    if assignments.exists():
        return
    ports = dict(line.split("=") for line in (directory / "ports").read_text().split())
    url, swift = f"http://127.0.0.1:{ports['keystone']}/v3", f"http://127.0.0.1:{ports['proxy']}"
    keystone = Keystone(url)
    keystone.log_in("admin", "adminpass", "admin")
    ids = make_users(keystone)
    make_catalogue(keystone, swift)
    application_credential = make_credentials(keystone, ids)
    assignments.write_text(ASSIGNMENTS.format(keystone=url, swift=swift, ids=ids, directory=directory,
                                              odd_key=ODD_KEY, application_credential=application_credential))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
