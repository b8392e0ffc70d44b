import concurrent.futures
import io

from .support import StoreCase, pattern

DATA = pattern(1024 * 1024 + 3)


class Reading(StoreCase):
    def setUp(self):
        super().setUp()
        self.reader = self.store.open(self.store.add("image", DATA).uri)
        self.addCleanup(self.reader.close)

    def test_pread(self):
        self.assertEqual(self.reader.size, len(DATA))
        self.assertEqual(self.reader.pread(100, 5), DATA[5:105])
        self.assertEqual(self.reader.pread(100, len(DATA) - 3), DATA[-3:])
        self.assertEqual(self.reader.pread(100, len(DATA)), b"")
        self.assertEqual(self.reader.pread(100, len(DATA) + 100), b"")
        self.assertEqual(self.reader.pread(0, 0), b"")
        with self.assertRaises(ValueError):
            self.reader.pread(1, -1)

    def test_pread_into(self):
        buffer = bytearray(10)
        self.assertEqual(self.reader.pread_into(memoryview(buffer)[2:6], 7), 4)
        self.assertEqual(buffer, b"\0\0" + DATA[7:11] + b"\0\0\0\0")
        self.assertEqual(self.reader.pread_into(bytearray(), 0), 0)
        with self.assertRaises(TypeError):
            self.reader.pread_into(b"12345", 0)

    def test_as_a_stream(self):
        self.assertEqual(self.reader.read(), DATA)
        self.assertEqual(self.reader.tell(), len(DATA))
        self.assertEqual(self.reader.read(1), b"")
        self.assertEqual(self.reader.seek(-3, io.SEEK_END), len(DATA) - 3)
        self.assertEqual(self.reader.read(2), DATA[-3:-1])
        self.assertEqual(self.reader.seek(-1, io.SEEK_CUR), len(DATA) - 2)
        self.assertEqual(self.reader.seek(4), 4)
        with self.assertRaises(ValueError):
            self.reader.seek(-1)
        self.assertEqual(io.BufferedReader(self.reader).read(9), DATA[4:13])

    def test_from_many_threads(self):
        places = [(37 * index) % len(DATA) for index in range(0, 60000, 200)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda place: self.reader.pread(50, place), places))
        self.assertEqual(found, [DATA[place:place + 50] for place in places])

    def test_closed(self):
        with self.reader:
            pass
        self.assertTrue(self.reader.closed)
        with self.assertRaises(ValueError):
            self.reader.pread(1, 0)
        with self.assertRaises(ValueError):
            self.reader.read(1)

    def test_feeds_another_add(self):
        copy = self.store.add("copy", self.reader)
        self.assertEqual(self.store.read(copy.uri), DATA)
