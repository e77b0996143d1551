"""A node whose chain can grow by a hundred thousand blocks in seconds, which no node that executes them can: a process that speaks JSON-RPC.

``extend`` of this module has it grow; everything else is the simulator's node.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CHAIN = 31337
USDC = "0x" + "c0" * 20
DAI = "0x" + "da" * 20
SPACING = 12
_PAYER = "0x" + "ee" * 20


@contextmanager
def long_chain():
    """Yield the URL of a node of one's own."""
    process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def extend(url, blocks, payments=()):
    """Have the chain grow, with payments of tokens, each (address, units), spread evenly over the blocks."""
    body = json.dumps({"blocks": blocks, "payments": list(payments)}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{url}/extend", body), timeout=600) as answer:
        return json.load(answer)["head"]


def serve():
    """Run until killed; the first line that is printed is the URL."""
    from simulation.chain import CREATED, SimChain, Tx, transfer
    from simulation.node import View, answer

    chain = SimChain(CHAIN, {USDC: 6, DAI: 18}, spacing=SPACING, deepest=12, chance=random.Random(1))

    def grow(blocks, payments):
        due = {(number + 1) * blocks // (len(payments) + 1): payment for number, payment in enumerate(payments)}
        for number in range(1, blocks + 1):
            if number in due:
                to, units = due[number]
                events = (transfer(USDC, _PAYER, to.lower(), units),)
                chain.pool.append(Tx(f"0x{len(chain.path):064x}", _PAYER, USDC, 0, events))
            chain.mine(chain.head.time - CREATED + SPACING)
        return {"head": chain.head.height}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self.path == "/extend":
                said = grow(asked["blocks"], asked["payments"])
            else:
                view = View(chain, chain.path, chain.finalized)
                said = [answer(view, call) for call in asked] if isinstance(asked, list) else answer(view, asked)
            body = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    serve()
