"""Fetching from a server on this machine that speaks as DANDI does."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from neurito import NeuritoError
from neurito.benchmark import downloads
from neurito.cli import main

CONTENT = {
    "sub-Indy/sub-Indy_desc-train_behavior+ecephys.nwb": bytes(range(256)) * 40,
    "sub-Indy/sub-Indy_desc-test_ecephys.nwb": b"test" * 1000,
    "sub-Other/other.nwb": b"not wanted",
}
PATHS = list(CONTENT)


class Handler(BaseHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012
    broken: set[str] = set()  # noqa: RUF012
    cut = 0

    def do_GET(self):
        self.asked.append(f"{self.path} {self.headers.get('Range', '')}".strip())
        base = "/dandisets/000129/versions/0.241017.1444/assets/"
        if self.path.startswith(f"{base}?"):
            first = "page=2" not in self.path
            chosen = PATHS[:1] if first else PATHS[1:]
            results = [
                {"asset_id": f"id{PATHS.index(p)}", "path": p, "size": len(CONTENT[p])} for p in chosen
            ]
            following = (
                f"{downloads.API}/dandisets/000129/versions/0.241017.1444/assets/?page=2" if first else None
            )
            return self._send(json.dumps({"results": results, "next": following}).encode())
        path = PATHS[int(self.path.rstrip("/").replace("/download", "")[-1])]
        if not self.path.endswith("/download/"):
            digest = hashlib.sha256(CONTENT[path] + (b"x" if path in self.broken else b"")).hexdigest()
            return self._send(json.dumps({"digest": {"dandi:sha2-256": digest}}).encode())
        start = int(self.headers["Range"][6:-1]) if "Range" in self.headers else 0
        return self._send(CONTENT[path][start:], 206 if start else 200, self.cut)

    def _send(self, body, status=200, cut=0):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: cut or None])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        monkeypatch.setattr(downloads, "API", f"http://127.0.0.1:{made.server_port}")
        monkeypatch.setattr(Handler, "asked", [])
        monkeypatch.setattr(Handler, "broken", set())
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Handler
        made.shutdown()
        thread.join()


def test_fetch(server, tmp_path, capsys):
    told = []
    paths = downloads.fetch("mc_rtt", tmp_path, report=lambda *one: told.append(one))
    assert [path.read_bytes() for path in paths] == [CONTENT[p] for p in PATHS[:2]]
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {
        p.split("/")[1] for p in PATHS[:2]
    }
    assert told[-1] == (PATHS[1], 4000, 4000)
    assert downloads.RECORDINGS["mc_rtt"].present(tmp_path)
    downloads.fetch("mc_rtt", tmp_path)
    assert sum("/download/" in one for one in server.asked) == 2  # what is there stays
    assert main(["data", "fetch", "mc_rtt", "--to", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert PATHS[0] in out
    assert "the size and SHA-256 that DANDI states" in out
    assert "no checksum is known" in downloads.RECORDINGS["eeg"].checked_by
    assert main(["data", "list", "--to", str(tmp_path)]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "  yes  " in rows["mc_rtt"]
    assert "  no   " in rows["mc_maze"]
    assert all(part in rows["mc_rtt"] for part in ("51 MB", "CC-BY-4.0", "dandiset/000129"))


def test_an_interrupted_download_goes_on(server, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "cut", 1000)
    with pytest.raises(NeuritoError, match="connection broke; the same command goes on"):
        downloads.fetch("mc_rtt", tmp_path, only="*train*")
    folder = tmp_path / "000129" / "sub-Indy"
    assert [path.name[0] for path in folder.iterdir()] == ["."]
    assert not downloads.RECORDINGS["mc_rtt"].present(tmp_path)
    monkeypatch.setattr(server, "cut", 0)
    (path,) = downloads.fetch("mc_rtt", tmp_path, only="*train*")
    assert path.read_bytes() == CONTENT[PATHS[0]]
    assert server.asked[-1].endswith("bytes=1000-")
    assert len(list(folder.iterdir())) == 1
    path.unlink()
    path.with_name(f".{path.name}.part").write_bytes(bytes(20000))  # of another version
    assert downloads.fetch("mc_rtt", tmp_path, only="*train*")[0].read_bytes() == CONTENT[PATHS[0]]


def test_damage_is_found(server, tmp_path):
    server.broken.add(PATHS[1])
    with pytest.raises(NeuritoError, match="is damaged"):
        downloads.fetch("mc_rtt", tmp_path)
    assert [path.name for path in (tmp_path / "000129" / "sub-Indy").iterdir()] == [PATHS[0].split("/")[1]]


def test_without_network(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(downloads, "API", "http://127.0.0.1:1")
    assert main(["data", "fetch", "mc_rtt", "--to", str(tmp_path)]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    for part in (
        *PATHS[:2],
        "https://dandiarchive.org/dandiset/000129/0.241017.1444",
        str(tmp_path / "000129"),
    ):
        assert part in line
    for name, message in (("mc_rt", "did you mean 'mc_rtt'"), ("", "NAME is missing")):
        assert main(["data", "fetch", *([name] if name else [])]) == 2
        assert message in capsys.readouterr().err


def test_only_what_is_there(server, tmp_path):
    with pytest.raises(NeuritoError, match=r"mc_rtt: no file is called xyz; see https"):
        downloads.fetch("mc_rtt", tmp_path, only="xyz")
