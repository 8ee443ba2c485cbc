"""One connection: lines of stdin go to it, its lines to stdout; `gone` when it ends."""

import socket
import sys

with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as connection:
    stream = connection.makefile("rw")
    print(stream.readline().strip(), flush=True)
    try:
        for line in sys.stdin:
            stream.write(line)
            stream.flush()
            print(stream.readline().strip() or "gone", flush=True)
    except OSError:
        print("gone", flush=True)
