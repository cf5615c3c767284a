"""A hub on loopback: what `huggingface_hub` asks of the real one, for small repositories."""

import base64
import hashlib
import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

COMMIT = "c" * 40
TOKEN = "hf_secret"


class Hub(ThreadingHTTPServer):
    """`repositories` maps `owner/name` to its files, all of one commit."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Answers)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def hub():
    """A hub that answers until the block ends."""
    server = Hub()
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class _Answers(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_args):
        pass

    def answer(self, content, status=200, **headers):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        words = path.strip("/").split("/")
        is_api = words[:2] == ["api", "models"]
        name = "/".join(words[2:4] if is_api else words[:2])
        files = self.server.repositories.get(name)
        if files is None:
            self.answer({"error": "no"}, 404, X_Error_Code="RepoNotFound")
        elif not is_api:
            self._file(files, "/".join(words[4:]))
        elif words[4] == "tree":
            self.answer([_entry(path, content) for path, content in files.items()])
        elif words[5] in ("main", COMMIT):
            siblings = [{"rfilename": path} for path in files]
            self.answer({"id": name, "sha": COMMIT, "siblings": siblings, "private": False})
        else:
            self.answer({"error": "no"}, 404, X_Error_Code="RevisionNotFound")

    def _file(self, files, path):
        tag = f'"{hashlib.sha1(files[path]).hexdigest()}"'
        self.answer(files[path], X_Repo_Commit=COMMIT, ETag=tag)

    def do_POST(self):
        given = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(self.path)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer({"error": "who are you?"}, 401)
        elif self.path == "/api/repos/create":
            asked = json.loads(given)
            name = f"{asked.get('organization') or 'me'}/{asked['name']}"
            self.server.repositories.setdefault(name, {})
            hidden = asked.get("private") or asked.get("visibility") == "private"
            self.server.private[name] = bool(hidden)
            self.answer({"url": f"{self.server.address}/{name}", "name": name})
        elif "/preupload/" in self.path:
            asked = [each["path"] for each in json.loads(given)["files"]]
            kept = {"uploadMode": "regular", "shouldIgnore": False}
            self.answer({"files": [{"path": path, **kept} for path in asked]})
        elif "/commit/" in self.path:
            self._commit("/".join(self.path.split("/")[3:5]), given)
        else:
            self.answer({"errors": [], "warnings": []})

    def _commit(self, name, given):
        for line in given.decode().splitlines():
            part = json.loads(line)
            if part["key"] == "file":
                content = base64.b64decode(part["value"]["content"])
                self.server.repositories[name][part["value"]["path"]] = content
        address = f"{self.server.address}/{name}/commit/{COMMIT}"
        self.answer({"commitUrl": address, "commitOid": COMMIT, "success": True})


def _entry(path, content):
    identity = hashlib.sha1(content).hexdigest()
    return {"type": "file", "path": path, "size": len(content), "oid": identity}
