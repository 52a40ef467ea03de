"""Sources over TLS: HTTP/2 where the server offers it, on one connection, and only with a certificate that is trusted.

The server is a small one of its own: lochan's feed speaks HTTP/1.1 only.
"""
import json
import shutil
import socketserver
import ssl
import subprocess
import threading
import urllib.parse

import pytest

import h2.config
import h2.connection
import h2.events
from conftest import lochan

SOURCE = """name: modern
kind: http
url: https://localhost:{port}
path: /{{source_dataset}}
query: {{start: "{{start}}", end: "{{end}}"}}
secret: env:MODERN_TOKEN
auth: bearer
{more}format: records
response: {{items: data}}
workers: 4
retry_backoff: 1ms
"""
DATASET = """name: daily
source: modern
asset_column: code
time_column: day
request_options: {date_chunk_months: 1}
default_start: 2024-01-01
columns: {asset_id: string, time: {type: date, format: "%Y-%m-%d"}, price: float64}
primary_key: [asset_id, time]
"""


class Server(socketserver.ThreadingTCPServer):
    """Answers every GET with one row of the first day that it asks for; counts connections and streams."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, folder, protocols):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        self.context.set_alpn_protocols(protocols)
        self.connections, self.streams, self.tokens = 0, 0, set()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def page(self, headers):
        self.streams += 1
        self.tokens.add(headers.get("authorization"))
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(headers[":path"]).query))
        return json.dumps({"data": [{"code": "A", "day": query["start"], "price": 1.5}]}).encode()


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            connection = self.server.context.wrap_socket(self.request, server_side=True)
        except ssl.SSLError:
            return  # the client does not trust the certificate
        self.server.connections += 1
        if connection.selected_alpn_protocol() == "h2":
            self.speak_2(connection)
        else:
            self.speak_1(connection)

    def speak_2(self, connection):
        state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        state.initiate_connection()
        connection.sendall(state.data_to_send())
        while data := connection.recv(65536):
            for event in state.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    state.send_headers(event.stream_id, [(":status", "200"), ("content-type", "application/json")])
                    state.send_data(event.stream_id, self.server.page(dict(event.headers)), end_stream=True)
            connection.sendall(state.data_to_send())

    def speak_1(self, connection):
        text = b""
        while data := connection.recv(65536):
            text += data
            if not text.endswith(b"\r\n\r\n"):
                continue
            lines = text.decode().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
            body = self.server.page({**headers, ":path": lines[0].split()[1]})
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            text = b""


@pytest.fixture
def modern(tmp_path, monkeypatch):
    """A function that starts a server with these protocols and makes a lake that asks it."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test", "-addext",
                    "subjectAltName=DNS:localhost", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
                   check=True, capture_output=True)
    monkeypatch.setenv("MODERN_TOKEN", "a-token-for-a-test")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    servers = []

    def start(protocols, trust=True):
        server = Server(tmp_path, protocols)
        servers.append(server)
        lake = tmp_path / "lake"
        more = f"ca_file: {tmp_path}/cert.pem\n" if trust else ""
        (tmp_path / "source.yaml").write_text(SOURCE.format(port=server.server_address[1], more=more))
        (tmp_path / "daily.yaml").write_text(DATASET)
        lochan("init", lake=lake)
        lochan("source", "add", tmp_path / "source.yaml", lake=lake)
        lochan("dataset", "add", tmp_path / "daily.yaml", lake=lake)
        return server, lake

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def update(lake, **options):
    return lochan("update", "modern/daily", "--end", "2024-12-31", "--json", lake=lake, **options)


def test_http2_is_spoken_on_one_connection(modern):
    server, lake = modern(["h2", "http/1.1"])
    update(lake)
    assert server.streams == 12
    assert server.connections == 1
    assert server.tokens == {"Bearer a-token-for-a-test"}
    answer = json.loads(lochan("source", "test", "modern", "daily", "--json", lake=lake).stdout)
    assert answer["http_version"] == "2"


def test_without_it_the_older_protocol_is_spoken(modern):
    server, lake = modern(["http/1.1"])
    update(lake)
    assert server.streams == 12
    assert 1 <= server.connections <= 4
    answer = json.loads(lochan("source", "test", "modern", "daily", "--json", lake=lake).stdout)
    assert answer["http_version"] == "1.1"


def test_an_unknown_certificate_fails_at_once(modern):
    server, lake = modern(["h2"], trust=False)
    done = update(lake, check=False)
    assert done.returncode != 0
    assert "certificate is not trusted" in done.stdout + done.stderr
    assert server.streams == 0
