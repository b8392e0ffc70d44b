"""Run a command with standard error on a terminal of 100 columns.

Prints what the terminal shows and exits with the command's code.  With --stdout
as the first argument, standard output is on the terminal too.
"""

import errno
import fcntl
import os
import struct
import subprocess
import sys
import termios

ROWS, COLUMNS = 25, 100


def shown(master):
    while True:
        try:
            data = os.read(master, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # how Linux tells that the other side is gone
                raise
            return
        if not data:
            return
        yield data


def main(command):
    both = command[0] == "--stdout"
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(
        command[1:] if both else command,
        stdin=subprocess.DEVNULL,
        stdout=slave if both else subprocess.DEVNULL,
        stderr=slave,
    )
    os.close(slave)
    for data in shown(master):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
