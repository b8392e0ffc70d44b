"""Images in Swift, written by this library or the Python glance_store and read, sized and deleted by the other."""

import hashlib
import json
import os
import unittest
import urllib.request

from reference import Reference
from support import Case, Ours

UNIT = 1_024_000  # of the options for sizes
KEYSTONE, STORAGE = os.environ["SWIFT_KEYSTONE_URL"], os.environ["SWIFT_STORAGE_URL"]
USER, KEY = os.environ["SWIFT_USER"], os.environ["SWIFT_KEY"]
CONTAINER = f"interop-{os.getpid()}"
SIZES = f"""swift_store_large_object_size = 2
swift_store_large_object_chunk_size = 1
swift_store_create_container_on_put = true
swift_store_container = {CONTAINER}
"""
STORE = f"[glance_store]\nstores = swift\ndefault_store = swift\n{SIZES}"
OPTIONS = f"""{STORE}swift_store_auth_address = {KEYSTONE}
swift_store_user = {USER}
swift_store_key = {KEY}
"""


def account_uri(user, key, address):
    """How locations name an account."""
    return f"swift+http://{user.replace(':', '%3A')}:{key}@{address.partition('://')[2]}"


def call(method, url, headers, data=None):
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    with urllib.request.urlopen(request) as answer:
        return answer.headers, answer.read().decode()


def log_in():
    """The demo user's token, as the context of a request has it."""
    project, user = USER.split(":")
    domain = {"domain": {"id": "default"}}
    identity = {"methods": ["password"], "password": {"user": {"name": user, "password": KEY} | domain}}
    body = {"auth": {"identity": identity, "scope": {"project": {"name": project} | domain}}}
    headers, _ = call("POST", f"{KEYSTONE}/auth/tokens", {"Content-Type": "application/json"},
                      json.dumps(body).encode())
    endpoint = {"region": "RegionOne", "publicURL": STORAGE, "internalURL": STORAGE, "adminURL": STORAGE}
    catalog = [{"type": "object-store", "name": "swift", "endpoints": [endpoint]}]
    return {"user_id": os.environ["SWIFT_USER_ID"], "project_id": os.environ["SWIFT_PROJECT_ID"],
            "auth_token": headers["X-Subject-Token"], "service_catalog": catalog}


class Interop(Case):
    storage = STORAGE

    @classmethod
    def setUpClass(cls):
        cls.context = log_in()
        cls.token = cls.context["auth_token"]

    def names(self):
        """All that is in the account's containers of these tests."""
        token = {"X-Auth-Token": self.token}
        containers = call("GET", f"{self.storage}?prefix={CONTAINER}", token)[1].split()
        return {name: call("GET", f"{self.storage}/{name}", token)[1].split() for name in containers}

    def exchange(self, writer, reader, image_id, size, told=True, context=None):
        """An image goes in by the one and out by the other; what was stored meanwhile, and its URI."""
        content = os.urandom(size)
        path = self.write("image", content)
        told_size = {"size": size} if told else {}
        uri, *said = writer.add(image_id, path, **told_size, context=context)
        digests = [hashlib.new(name, content).hexdigest() for name in ("md5", "sha512")]
        self.assertEqual(said, [size, *digests, {}])
        stored = self.names()
        for library in (reader, writer):
            self.assertEqual(library.get_size(uri, context=context), size)
            self.assertEqual(library.read(uri, context=context), content)
        reader.delete(uri, context=context)
        for library in (reader, writer):
            with self.assertRaises(Exception) as caught:
                library.read(uri, context=context)
            self.assertEqual(type(caught.exception).__name__, "NotFound")
        return stored, uri

    def both_ways(self, both, image_id, size, told=True, context=None):
        """The same whoever writes; returns it."""
        reference, ours = both
        first = self.exchange(reference, ours, image_id, size, told, context)
        self.assertEqual(self.exchange(ours, reference, image_id, size, told, context), first)
        return first

    def assertEmpty(self):
        self.assertFalse(any(self.names().values()), self.names())


class Everyday:
    """What any account is for; `options` lead to it."""

    def test_images_of_one_object(self):
        both = self.open_both(self.options)
        for size in 1, UNIT - 1, UNIT, UNIT + 1, 2 * UNIT - 1:
            with self.subTest(size=size):
                stored, uri = self.both_ways(both, "whole", size)
                self.assertEqual(stored[CONTAINER], ["whole"])
                self.assertEqual(uri, f"{self.account}/{CONTAINER}/whole")
        self.assertEmpty()

    def test_segments(self):
        """With the last of them full: the Python driver waits in vain for the rest of a shorter one."""
        both = self.open_both(self.options)
        for segments in 2, 3:
            with self.subTest(segments=segments):
                stored, _ = self.both_ways(both, "large", segments * UNIT)
                names = [f"large-{number:05}" for number in range(1, segments + 1)]
                self.assertEqual(stored[CONTAINER], ["large", *names])
        self.assertEmpty()

    def test_sizes_that_are_not_known(self):
        both = self.open_both(self.options)
        for size in 5, UNIT, 2 * UNIT + 5:
            with self.subTest(size=size):
                self.both_ways(both, "unknown", size, told=False)
        self.assertEmpty()


class SingleTenant(Everyday, Interop):
    options, account = OPTIONS, account_uri(USER, KEY, KEYSTONE)

    def test_what_only_this_library_writes(self):
        ragged = 2 * UNIT + 12345
        reference = self.open(Reference, OPTIONS)
        for manifest in "dlo", "slo":
            ours = self.open(Ours, f"{OPTIONS}swift_store_manifest = {manifest}\n")
            for size, told in (ragged, True), (3 * UNIT, True), (ragged, False):
                with self.subTest(size=size, told=told, manifest=manifest):
                    self.exchange(ours, reference, "ragged", size, told)
        self.assertEmpty()

    def test_containers_with_seeds(self):
        image_id = "fdae39a1-bac5-4238-aba4-69bcc726e848"
        for seed, suffix in (3, "fda"), (13, "fdae39a1-bac5-"):
            with self.subTest(seed=seed):
                both = self.open_both(f"{OPTIONS}swift_store_multiple_containers_seed = {seed}\n")
                stored, _ = self.both_ways(both, image_id, 100)
                self.assertEqual(stored[f"{CONTAINER}_{suffix}"], [image_id])
        self.assertEmpty()

    def test_application_credentials(self):
        """The Python driver cannot size or delete what it has stored with them."""
        names = "id", "secret"
        pair = "".join(f"swift_store_application_credential_{name} = "
                       f"{os.environ[f'SWIFT_APPLICATION_CREDENTIAL_{name.upper()}']}\n" for name in names)
        reference, ours = self.open_both(f"{STORE}swift_store_auth_address = {KEYSTONE}\n{pair}")
        path = self.write("image", b"abc")
        for writer in reference, ours:
            uri = writer.add("application", path, size=3)[0]
            self.assertEqual(uri, f"swift+http://{KEYSTONE.partition('://')[2]}/{CONTAINER}/application")
            self.assertEqual([library.read(uri) for library in (reference, ours)], [b"abc", b"abc"])
            self.assertEqual(ours.get_size(uri), 3)
            ours.delete(uri)
        self.assertEmpty()


class AccountFile(Interop):
    def test_locations_name_the_account(self):
        accounts = self.write("accounts.conf", f"[ours]\nuser = {USER}\nkey = {KEY}\n"
                                               f"auth_address = {KEYSTONE}\n")
        settings = f"{STORE}swift_store_config_file = {accounts}\ndefault_swift_reference = ours\n"
        both = self.open_both(settings)
        for size in 100, 2 * UNIT:
            with self.subTest(size=size):
                self.assertEqual(self.both_ways(both, "named", size)[1],
                                 f"swift+config://ours/{CONTAINER}/named")
        # What was stored before there was a file has its credentials in its URI.
        self.exchange(self.open(Reference, OPTIONS), both[1], "older", 100)
        self.assertEmpty()


class MultiTenant(Interop):
    def test_images_are_in_the_account_of_the_user(self):
        settings = f"{STORE}swift_store_multi_tenant = true\nswift_store_use_trusts = false\n"
        both = self.open_both(settings)
        for size in 100, 2 * UNIT:
            with self.subTest(size=size):
                stored, uri = self.both_ways(both, "tenants", size, context=self.context)
                self.assertIn("tenants", stored[f"{CONTAINER}_tenants"])
                storage = STORAGE.partition("://")[2]
                self.assertEqual(uri, f"swift+http://{storage}/{CONTAINER}_tenants/tenants")
        self.assertEmpty()


if __name__ == "__main__":
    unittest.main()
