"""Connects some times and prints what each connection brought, as JSON."""

import json
import socket
import sys


def call(host: str, port: int, source: str, patience: float) -> str:
    try:
        bound = (source, 0) if source else None
        with socket.create_connection((host, port), patience, source_address=bound) as connection:
            return connection.makefile().readline().strip()
    except TimeoutError:
        return "timeout"
    except ConnectionRefusedError:
        return "refused"
    except ConnectionResetError:
        return "reset"
    except OSError as error:
        return f"unreachable {error.errno}"


host, port, times, source, patience = sys.argv[1:]
json.dump([call(host, int(port), source, float(patience)) for _ in range(int(times))], sys.stdout)
