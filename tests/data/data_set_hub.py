"""A hub in miniature: serves one data set from memory, with the few addresses the hub's client asks for."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def make_handler(name: str, files: Mapping[str, bytes]) -> type[BaseHTTPRequestHandler]:
    """A request handler for the data set `name` with these files."""

    class Hub(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.respond()

        def do_GET(self) -> None:
            self.respond()

        def do_POST(self) -> None:
            self.respond()

        def log_message(self, *arguments: Any) -> None:
            pass

        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = unquote(urlsplit(self.path).path)
            if match := re.fullmatch(rf"/datasets/{name}/resolve/[^/]+/(.+)", path):
                self.send_file(match[1])
            elif re.fullmatch(rf"/api/datasets/{name}(/revision/.+)?", path):
                siblings = [{"rfilename": file} for file in files]
                self.send_json({"id": name, "sha": COMMIT, "siblings": siblings, "private": False, "tags": []})
            elif re.fullmatch(rf"/api/datasets/{name}/tree/[^/]+", path):
                self.send_json([entry(file) for file in files])
            elif re.fullmatch(rf"/api/datasets/{name}/paths-info/[^/]+", path):
                self.send_json([entry(file) for file in files if file in body.decode()])
            elif path == "/":
                self.send_json({})
            else:
                self.send_json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})

        def send_file(self, file: str) -> None:
            if file not in files:
                self.send_json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
                return
            etag = hashlib.sha1(files[file]).hexdigest()
            self.send(files[file], 200, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"})

        def send_json(self, document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
            self.send(json.dumps(document).encode(), status, {"Content-Type": "application/json", **(headers or {})})

        def send(self, content: bytes, status: int, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    def entry(file: str) -> dict[str, Any]:
        return {"type": "file", "path": file, "size": len(files[file]), "oid": hashlib.sha1(files[file]).hexdigest()}

    return Hub


@contextmanager
def serve_hub(name: str, files: Mapping[str, bytes]) -> Iterator[str]:
    """The address of a hub that holds this one data set, while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), make_handler(name, files))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
