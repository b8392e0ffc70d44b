"""The same configuration file means the same to both libraries."""

import json
import os
import stat
import unittest

from reference import Reference
from support import CHUNK, Case, Ours, images


class Dialect(Case):
    def test_a_file_as_operators_write_it(self):
        """Comments, colons, blanks, continuation lines, substitution, foreign groups."""
        self.write("cheap.json", json.dumps({"id": "m", "mountpoint": self.directory}).encode())
        both = self.open_both("""
# A glance-api.conf
[DEFAULT]
debug = false
enabled_backends = fast : file,
    cheap:file
; another comment
[database]
connection = mysql://glance@controller/glance

[glance_store]
default_backend: cheap

[fast]
filesystem_store_datadir = "{directory}/quoted"
[cheap]
filesystem_store_chunk_size = 4096
filesystem_store_metadata_file = ${filesystem_store_datadir}.json
filesystem_store_datadir    =    {directory}/cheap
filesystem_thin_provisioning = Yes
""")
        path = self.write("source", b"abc")
        for store in "fast", "cheap", None:
            with self.subTest(store):
                self.assertEqual(*self.tell(both, path, store))

    def tell(self, both, path, store):
        for library in both:
            told = library.add("image", path, store=store)
            library.delete(told[0], store)
            yield told


class Metadata(Case):
    """filesystem_store_metadata_file, in both forms."""

    def told(self, metadata, multi):
        content = json.dumps(metadata).replace("{directory}", self.directory)
        self.write("metadata.json", content.encode())
        option = "filesystem_store_metadata_file = {directory}/metadata.json\n"
        datadir = "filesystem_store_datadir = {directory}/images\n"
        if multi:
            settings = ("[DEFAULT]\nenabled_backends = s:file\n[glance_store]\n"
                        "default_backend = s\n[s]\n" + option + datadir)
        else:
            settings = "[glance_store]\nstores = file\n" + option + datadir
        path = self.write("source", b"abc")
        found = []
        for library in self.open_both(settings):
            uri, *_middle, metadata = library.add("image", path)
            library.delete(uri)
            found.append(metadata)
        return found

    def test_forms(self):
        here = {"id": "here", "mountpoint": "{directory}"}
        cases = {
            "object": here,
            "list": [{"id": "other", "mountpoint": "/elsewhere"}, here],
            "first of two": [here, {"id": "second", "mountpoint": "{directory}/images"}],
            "textual prefix": {"id": "prefix", "mountpoint": "{directory}/ima"},
            "more keys": dict(here, share=["nfs", {"host": "größe"}]),
            "no match": {"id": "other", "mountpoint": "/elsewhere"},
            "empty list": [],
        }
        for name, metadata in cases.items():
            for multi in False, True:
                with self.subTest(name, multi=multi):
                    reference, ours = self.told(metadata, multi)
                    self.assertEqual(ours, reference)


class Permissions(Case):
    """filesystem_store_file_perm, for the file and the directory above it."""

    settings = """
[glance_store]
stores = file
filesystem_store_datadir = {directory}/images
filesystem_store_file_perm = %d
"""

    def modes(self, kind, perm):
        """(of the file, of its directory), which was closed to others before the store opened."""
        os.makedirs(self.path("images"), exist_ok=True)
        os.chmod(self.path("images"), 0o700)
        library = self.open(kind, self.settings % perm)
        uri = library.add("image", self.write("source", b"abc"))[0]
        file = os.stat(uri[len("file://"):])
        library.delete(uri)
        directory = os.stat(self.path("images"))
        return [oct(stat.S_IMODE(status.st_mode)) for status in (file, directory)]

    def test_modes(self):
        for perm in 744, 644, 444, 640, 604, 600, 400, 700, 755:
            with self.subTest(perm):
                self.assertEqual(self.modes(Ours, perm), self.modes(Reference, perm))

    def test_without_the_option_the_umask_rules(self):
        # The reference's process has the umask of its start, so it is no witness here.
        old = os.umask(0o027)
        self.addCleanup(os.umask, old)
        self.assertEqual(self.modes(Ours, 0), ["0o640", "0o700"])


class DataDirectories(Case):
    """filesystem_store_datadirs: the same directory is chosen."""

    def test_choice(self):
        cases = {
            "priorities": ["a:1", "b:20", "c:3"],
            "default priority": ["a", "b:-1"],
            "equal": ["a:5", "b:5", "c:5"],
            "blanks and signs": [" a : +5 ", "b: 4"],
            "colon in the path": ["a:7:6", "b:5"],
            "twice the same": ["a:5", "a:5"],
        }
        for name, directories in cases.items():
            for multi in False, True:
                with self.subTest(name, multi=multi):
                    self.compare(directories, multi)

    def compare(self, directories, multi):
        lines = "".join(f"filesystem_store_datadirs = {{directory}}/{entry.strip()}\n"
                        for entry in directories)
        # Only an empty value switches the default directory off.
        lines += "filesystem_store_datadir =\n"
        if multi:
            lines = ("[DEFAULT]\nenabled_backends = s:file\n[glance_store]\n"
                     "default_backend = s\n[s]\n" + lines)
        else:
            lines = "[glance_store]\nstores = file\n" + lines
        path = self.write("source", b"abc")
        told = []
        for library in self.open_both(lines):
            told.append(library.add("image", path))
            self.assertEqual(library.read(told[-1][0]), b"abc")
            library.delete(told[-1][0])
        self.assertEqual(*told)

    def test_images_of_every_directory_are_read(self):
        settings = ("[glance_store]\nstores = file\nfilesystem_store_datadir =\n"
                    "filesystem_store_datadirs = {directory}/a:%d\n"
                    "filesystem_store_datadirs = {directory}/b:%d\n")
        path = self.write("source", b"abc")
        uris = []
        for priorities in (1, 2), (2, 1):
            reference, ours = self.open_both(settings % priorities)
            uris.append(reference.add("image", path)[0])
        self.assertNotEqual(*uris)
        for uri in uris:
            self.assertEqual(ours.read(uri), b"abc")
            ours.delete(uri)
            self.assertGone(reference, uri)


class Thin(Case):
    """filesystem_thin_provisioning: the same bytes in no more room."""

    settings = """
[glance_store]
stores = file
filesystem_store_datadir = {directory}/images
filesystem_thin_provisioning = %s
"""

    def room(self, library, path):
        uri, size = library.add("image", path)[:2]
        with open(uri[len("file://"):], "rb") as file:
            os.fsync(file.fileno())  # the reference does not, and unwritten pages count differently
            status = os.fstat(file.fileno())
        self.assertEqual(status.st_size, size)
        return uri, status.st_blocks * 512

    def test_zeros_take_no_room(self):
        both = self.open_both(self.settings % "True")
        for name, content in images().items():
            with self.subTest(name):
                path = self.write("source", content)
                rooms = []
                for library, other in both, reversed(both):
                    uri, room = self.room(library, path)
                    self.assertTrue(other.read(uri) == content, "the bytes differ")
                    library.delete(uri)
                    rooms.append(room)
                self.assertLessEqual(rooms[1], rooms[0])

    def test_without_it_zeros_from_a_stream_are_written(self):
        _reference, ours = self.open_both(self.settings % "False")
        image = ours.registry.default.add("image", iter([bytes(16 * CHUNK)]))
        self.assertGreaterEqual(os.stat(image.uri[len("file://"):]).st_blocks * 512, 16 * CHUNK)


class Defaults(Case):
    """[backend_defaults] under the groups of the stores."""

    def test_fallback_and_override(self):
        self.write("metadata.json", '{"id": "m", "mountpoint": "{directory}/own"}')
        both = self.open_both("""
[DEFAULT]
enabled_backends = plain:file, own:file
[glance_store]
default_backend = plain
[backend_defaults]
filesystem_store_file_perm = 600
filesystem_store_metadata_file = {directory}/metadata.json
[plain]
filesystem_store_datadir = {directory}/plain
[own]
filesystem_store_datadir = {directory}/own
filesystem_store_file_perm = 644
""")
        path = self.write("source", b"abc")
        for store, mode, metadata in (
                ("plain", 0o600, {"store": "plain"}),
                ("own", 0o644, {"id": "m", "mountpoint": self.path("own"), "store": "own"})):
            for library in both:
                with self.subTest(store, library=type(library).__name__):
                    uri, *_middle, told = library.add("image", path, store=store)
                    self.assertEqual(told, metadata)
                    self.assertEqual(stat.S_IMODE(os.stat(uri[len("file://"):]).st_mode), mode)
                    library.delete(uri, store)

    def test_a_set_but_empty_value_is_not_replaced(self):
        both = self.open_both("""
[DEFAULT]
enabled_backends = s:file
[glance_store]
default_backend = s
[backend_defaults]
filesystem_store_file_perm = 600
filesystem_thin_provisioning = true
[s]
filesystem_store_datadir = {directory}/s
filesystem_store_file_perm = 0
filesystem_thin_provisioning = false
""")
        path = self.write("source", bytes(16 * CHUNK))
        for library in both:
            uri = library.add("image", path)[0]
            status = os.stat(uri[len("file://"):])
            self.assertNotEqual(stat.S_IMODE(status.st_mode), 0o600)
            library.delete(uri)


class Reserved(Case):
    """Stores of the calling service: in no list of the file, but in its groups."""

    def test_exchange(self):
        both = self.open_both("""
[DEFAULT]
enabled_backends = fast:file
[glance_store]
default_backend = fast
[fast]
filesystem_store_datadir = {directory}/fast
[os_glance_staging_store]
filesystem_store_datadir = {directory}/staging
""", {"os_glance_staging_store": "file"})
        path = self.write("source", b"abc")
        store = "os_glance_staging_store"
        told = []
        for library, other in both, reversed(both):
            told.append(library.add("image", path, store=store))
            uri = told[-1][0]
            self.assertEqual(other.read(uri, store), b"abc")
            other.delete(uri, store)
            self.assertGone(library, uri, store)
        self.assertEqual(*told)
        self.assertEqual(told[0][0], "file://" + self.path("staging", "image"))
        self.assertEqual(told[0][4], {"store": store})


if __name__ == "__main__":
    unittest.main()
