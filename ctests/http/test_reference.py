"""This library and the Python glance_store read the same from one web server, where the latter can."""

import os
import unittest

from support import Case

# The Python driver lets these decide whom it trusts and where it asks, whatever its configuration says.
for variable in "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "http_proxy", "https_proxy", "HTTPS_PROXY":
    os.environ.pop(variable, None)

PLAIN, TLS = os.environ["NGINX_URL"], os.environ["NGINX_TLS_URL"]
AUTHORIZED = PLAIN.replace("//", f"//{os.environ['NGINX_CREDENTIALS']}@")
CONFIGURATION = ("[glance_store]\nstores = http\ndefault_store = http\n"
                 f"https_ca_certificates_file = {os.environ['NGINX_CA']}\n")


class SameAnswers(Case):
    def setUp(self):
        super().setUp()
        self.content = os.urandom(5_000_003)
        with open(f"{os.environ['NGINX_IMAGES']}/image", "wb") as image:
            image.write(self.content)
        self.both = self.open_both(CONFIGURATION)

    def test_bytes_and_sizes(self):
        for uri in (f"{PLAIN}/image", f"{TLS}/image", f"{PLAIN}/no-range/image",
                    f"{AUTHORIZED}/auth/image", f"{PLAIN}/signed/image?{os.environ['NGINX_QUERY']}",
                    f"{PLAIN}/redirect/absolute/301/image", f"{PLAIN}/redirect/absolute/302/image",
                    f"{PLAIN}/chain/0/image"):
            for library in self.both:
                with self.subTest(uri=uri, library=type(library).__name__):
                    self.assertEqual(library.get_size(uri), len(self.content))
                    self.assertEqual(library.read(uri), self.content)

    def test_bytes_without_a_length(self):
        for library in self.both:
            with self.subTest(library=type(library).__name__):
                self.assertEqual(library.read(f"{PLAIN}/unknown/image"), self.content)

    def test_names_of_failures(self):
        source = self.write("source", b"abc")
        cases = {
            "read absent": (lambda it: it.read(f"{PLAIN}/absent"), "NotFound"),
            "size absent": (lambda it: it.get_size(f"{PLAIN}/absent"), "NotFound"),
            "loop": (lambda it: it.read(f"{PLAIN}/loop"), "MaxRedirectsExceeded"),
            "redirect to a file": (lambda it: it.read(f"{PLAIN}/nowhere"), "BadStoreUri"),
            "bad port": (lambda it: it.read("http://127.0.0.1:port/image"), "BadStoreUri"),
            "nobody listens": (lambda it: it.read("http://127.0.0.1:1/image"),
                               "RemoteServiceUnavailable"),
            "add": (lambda it: it.add("image", source), "StoreAddDisabled"),
            "delete": (lambda it: it.delete(f"{PLAIN}/image"), "StoreDeleteNotSupported"),
        }
        for what, (action, name) in cases.items():
            with self.subTest(what):
                self.assertEqual(self.names_of_failure(action, self.both), [name, name])


if __name__ == "__main__":
    unittest.main()
