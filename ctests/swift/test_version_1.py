"""Images in Swift by version 1 of its authentication, with the last Python glance_store that knows it."""

import os
import unittest

from reference import Reference
from support import Ours
from test_reference import CONTAINER, STORE, UNIT, Interop, call

URL, USER, KEY = (os.environ[f"SWIFT_V1_{name}"] for name in ("URL", "USER", "KEY"))
OPTIONS = f"""{STORE}swift_store_auth_version = 1
swift_store_auth_address = {URL}
swift_store_user = {USER}
swift_store_key = {KEY}
"""


class Version1(Interop):
    storage = os.environ["SWIFT_V1_STORAGE_URL"]

    @classmethod
    def setUpClass(cls):
        headers, _ = call("GET", URL, {"X-Auth-User": USER, "X-Auth-Key": KEY})
        cls.token = headers["X-Auth-Token"]

    def test_images_of_one_object(self):
        both = self.open_both(OPTIONS)
        for size in 1, UNIT, 2 * UNIT - 1:
            with self.subTest(size=size):
                stored, uri = self.both_ways(both, "whole", size)
                self.assertEqual(stored[CONTAINER], ["whole"])
                user, address = USER.replace(":", "%3A"), URL.partition("://")[2]
                self.assertEqual(uri, f"swift+http://{user}:{KEY}@{address}/{CONTAINER}/whole")
        self.assertEmpty()

    def test_segments(self):
        both = self.open_both(OPTIONS)
        for segments in 2, 3:
            with self.subTest(segments=segments):
                stored, _ = self.both_ways(both, "large", segments * UNIT)
                names = [f"large-{number:05}" for number in range(1, segments + 1)]
                self.assertEqual(stored[CONTAINER], ["large", *names])
        self.assertEmpty()

    def test_sizes_that_are_not_known(self):
        both = self.open_both(OPTIONS)
        for size in 5, UNIT, 2 * UNIT + 5:
            with self.subTest(size=size):
                self.both_ways(both, "unknown", size, told=False)
        self.assertEmpty()

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
