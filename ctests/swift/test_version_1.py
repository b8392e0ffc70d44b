"""Images in Swift by version 1 of its authentication, with the last Python glance_store that knows it."""

import os
import unittest

from reference import Reference
from support import Ours
from test_reference import STORE, UNIT, Everyday, Interop, account_uri, call

URL, USER, KEY = (os.environ[f"SWIFT_V1_{name}"] for name in ("URL", "USER", "KEY"))
OPTIONS = f"""{STORE}swift_store_auth_version = 1
swift_store_auth_address = {URL}
swift_store_user = {USER}
swift_store_key = {KEY}
"""


class Version1(Everyday, Interop):
    options, account = OPTIONS, account_uri(USER, KEY, URL)
    storage = os.environ["SWIFT_V1_STORAGE_URL"]

    @classmethod
    def setUpClass(cls):
        headers, _ = call("GET", URL, {"X-Auth-User": USER, "X-Auth-Key": KEY})
        cls.token = headers["X-Auth-Token"]

    def test_what_only_this_library_writes(self):
        reference = self.open(Reference, OPTIONS)
        for manifest in "dlo", "slo":
            ours = self.open(Ours, f"{OPTIONS}swift_store_manifest = {manifest}\n")
            for told in True, False:
                with self.subTest(manifest=manifest, told=told):
                    self.exchange(ours, reference, "ragged", 2 * UNIT + 12345, told)
        self.assertEmpty()


if __name__ == "__main__":
    unittest.main()
