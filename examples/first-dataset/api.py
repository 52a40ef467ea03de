"""A small provider to try lochan with: settlement prices of eight futures, as JSON, page by page, for those who have a key.

    python3 examples/first-dataset/api.py [--port 8600]

GET /v1/settlements?from=2026-01-05&to=2026-01-09&limit=100&cursor=...   with the header  X-Api-Key: demo
answers  {"status": "ok", "settlements": [{...}, ...], "next": CURSOR or null}.

It is a provider like those one meets: prices come as text, a price that is not there is "n/a", weekends have no rows, the last day
is revised a day later, every 25th request is refused with 503, and a wrong key is answered with HTTP 200 and a status in the body.
"""
import argparse
import datetime
import http.server
import itertools
import json
import random
import sys
import urllib.parse

CONTRACTS = ["CL", "ES", "GC", "NG", "SI", "ZC", "ZS", "ZW"]
FIRST, LAST = datetime.date(2024, 1, 1), datetime.date(2026, 10, 30)
KEY = "demo"


def settlements(contract, day):
    """The row of one contract and day, the same on every call."""
    chance = random.Random(f"{contract} {day}")
    level = 50 + 40 * CONTRACTS.index(contract) + (day - FIRST).days * 0.02 + chance.gauss(0, 2)
    return {
        "contract": contract,
        "day": day.isoformat(),
        "settle": "n/a" if chance.random() < 0.01 else f"{level:.2f}",
        "volume": chance.randrange(1_000, 90_000),
        "final": day < LAST,
    }


def rows_between(start, end):
    days = (start + datetime.timedelta(n) for n in range((end - start).days + 1))
    return [settlements(c, day) for day in days if day.weekday() < 5 for c in CONTRACTS]


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    requests = itertools.count(1)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path != "/v1/settlements":
            return self.answer(404, {"status": "no_such_list"})
        if self.headers.get("X-Api-Key") != KEY:
            return self.answer(200, {"status": "bad_key", "message": "unknown key"})
        if next(self.requests) % 25 == 0:
            return self.answer(503, {"status": "busy"})
        try:
            start = max(FIRST, datetime.date.fromisoformat(query["from"]))
            end = min(LAST, datetime.date.fromisoformat(query["to"]))
            limit, at = min(int(query.get("limit", 100)), 500), int(query.get("cursor", 0))
        except (KeyError, ValueError) as wrong:
            return self.answer(200, {"status": "bad_request", "message": str(wrong)})
        rows = rows_between(start, end)
        more = at + limit < len(rows)
        self.answer(200, {"status": "ok", "settlements": rows[at : at + limit], "next": str(at + limit) if more else None})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--port", type=int, default=8600, help="0 takes a free one; default 8600")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.parse_args().port), Api)
    print(f"settlements are at http://127.0.0.1:{server.server_port}; Ctrl-C ends", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
