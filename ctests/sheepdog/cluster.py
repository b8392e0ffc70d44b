"""What a Sheepdog cluster holds, as its daemon at $SHEEPDOG_ADDRESS:$SHEEPDOG_PORT tells:

    cluster.py list           the VDIs of the tests
    cluster.py object_size    how many bytes an object has
"""

import os
import socket
import struct
import sys

READ_OBJECT, READ_VDIS, GET_CLUSTER_DEFAULT = 0x02, 0x15, 0x18
SUCCESS = 0

# The names of the tests' own images: others may come and go.
OWN = b"-c0de-4000-8000-"


class Daemon:
    def __init__(self):
        address = os.environ["SHEEPDOG_ADDRESS"], int(os.environ["SHEEPDOG_PORT"])
        self.stream = socket.create_connection(address, timeout=60).makefile("rwb")

    def ask(self, opcode, length=0, oid=0, offset=0):
        """Result, header and data of the answer."""
        header = struct.pack("<BBHIIIQQQII", 1, opcode, 0, 0, 1, length, oid, 0, 0, offset, 0)
        self.stream.write(header)
        self.stream.flush()
        answer = self.stream.read(48)
        data = self.stream.read(struct.unpack_from("<I", answer, 12)[0])
        return struct.unpack_from("<I", answer, 16)[0], answer, data

    def vdis(self):
        """A line for each VDI of the tests."""
        _, _, bits = self.ask(READ_VDIS, 1 << 21)
        used = [8 * at + bit for at, byte in enumerate(bits) if byte for bit in range(8) if byte >> bit & 1]
        for vid in used:
            result, _, inode = self.ask(READ_OBJECT, 4664, 1 << 63 | vid << 32)
            name, tag = (inode[at:at + 256].split(b"\0")[0] for at in (0, 256))
            if result == SUCCESS and OWN in name:
                yield f"{vid:06x} {name} size={struct.unpack_from('<Q', inode, 536)[0]} tag={tag}"

    def object_size(self):
        result, answer, _ = self.ask(GET_CLUSTER_DEFAULT)
        return 1 << (answer[22] if result == SUCCESS and answer[22] else 22)


def main():
    daemon = Daemon()
    match sys.argv[1]:
        case "list":
            print("\n".join(daemon.vdis()))
        case "object_size":
            print(daemon.object_size())


if __name__ == "__main__":
    main()
