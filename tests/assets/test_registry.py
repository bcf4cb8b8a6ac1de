"""The registry of weights, the lookup of its files, and downloads from a local server."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tvface.assets import downloads
from tvface.assets import registry as assets
from tvface.assets.registry import AssetError, MissingAsset, registry, verify

CONTENT = b"tvface weights " * 5000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
COLUMNS = [
    *("name", "file", "url", "mirror", "bytes", "sha256", "licence", "walled", "used_by", "stands_for", "part_of")
]


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A registry of its own and a working folder; rows are added by :func:`row`."""
    path = tmp_path / "assets.tsv"
    path.write_text("\t".join(COLUMNS) + "\n")
    monkeypatch.setattr(assets, "TABLE", path)
    monkeypatch.setattr(assets, "ROOT", tmp_path / "project")
    monkeypatch.delenv(assets.FOLDER_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    registry.cache_clear()
    yield path
    registry.cache_clear()


def row(table: Path, **values: str) -> None:
    filled = {"licence": "MIT", "walled": "no", "used_by": "a setting", **values}
    with open(table, "a") as file:
        file.write("\t".join(filled.get(column, "") for column in COLUMNS) + "\n")
    registry.cache_clear()


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; ``ranges`` and ``cut`` make it a server that resumes and one that breaks off."""

    cut = 0
    asked: list[str | None]

    def do_GET(self) -> None:
        type(self).asked.append(self.headers.get("Range"))
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        start = 0
        if self.headers.get("Range"):
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        body = data[start:]
        if type(self).cut:
            body = body[: type(self).cut]
            type(self).cut = 0
            self.close_connection = True
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "net.pt").write_bytes(CONTENT)
    (folder / "login.pt").write_bytes(b"<!DOCTYPE html><html>Please sign in</html>")
    Handler.asked, Handler.cut = [], 0
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
    ) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


def test_every_row_of_the_registry_is_whole() -> None:
    registry.cache_clear()
    assert {"fan", "bisenet", "inception_resnet", "spynet", "vggface2", "vgg19", "flame"} <= registry().keys()
    for entry in registry().values():
        assert entry.licence and entry.used_by, entry.name
        assert entry.file.split("/")[0] in ("weights", "heads", "licensed"), entry.name
        # sniklaus' server has no https.
        secure = entry.url.startswith("https://") or entry.url.startswith("http://content.sniklaus.com/")
        assert secure or (not entry.url and "part of tvface" in entry.licence), entry.name
        assert len(entry.sha256) in (0, 8, 10, 64), entry.name
        assert {entry.stands_for, entry.part_of} <= {"", *registry()}, entry.name
        if len(entry.sha256) == 64:
            assert entry.size, entry.name


def test_bundled_weights_match_the_registry() -> None:
    registry.cache_clear()
    for entry in registry().values():
        if not entry.url:
            path = assets.ROOT / "resources" / entry.file
            if not path.is_file():
                pytest.skip(f"{path} is not there yet")
            verify(path, entry)


def test_a_file_made_anew_is_recorded_in_its_row_alone(table: Path) -> None:
    row(table, name="own", file="weights/own.safetensors", sha256=DIGEST, bytes="10", used_by="a setting")
    row(table, name="net", file="weights/net.pt", url="https://example.org/net.pt", sha256=DIGEST, bytes="75000")
    path = table.parent / "weights" / "own.safetensors"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(CONTENT)
    before = table.read_text().splitlines()
    assets.record(path, table)
    after = table.read_text().splitlines()
    assert registry()["own"].sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert registry()["own"].size == len(CONTENT) and registry()["own"].used_by == "a setting"
    assert [line for line in before if not line.startswith("own\t")] == [
        line for line in after if not line.startswith("own\t")
    ]
    other = table.parent / "weights" / "mine.safetensors"
    other.write_bytes(CONTENT)
    assets.record(other, table)
    assert table.read_text().splitlines() == after


def test_unknown_name_lists_the_valid_ones(table: Path) -> None:
    row(table, name="net", file="weights/net.pt", url="https://example.org/net.pt")
    with pytest.raises(AssetError, match=r"no asset 'nut' .*there are: net"):
        assets.asset("nut")


def test_missing_file_says_licence_address_and_place(table: Path) -> None:
    row(table, name="net", file="weights/net.pt", url="https://example.org/net.pt", sha256=DIGEST, bytes="75000")
    with pytest.raises(MissingAsset) as caught:
        assets.locate("net")
    for part in (
        "resources/weights/net.pt is missing",
        "MIT",
        "tvface assets fetch net",
        "https://example.org",
        DIGEST,
    ):
        assert part in str(caught.value)


def test_folder_variable_comes_first(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row(table, name="net", file="weights/net.pt", url="https://example.org/net.pt")
    shared = tmp_path / "shared"
    for folder in (shared, tmp_path / "resources" / "weights"):
        folder.mkdir(parents=True)
        (folder / "net.pt").write_bytes(CONTENT)
    monkeypatch.setenv(assets.FOLDER_VARIABLE, str(shared))
    assert assets.locate("net") == shared / "net.pt"
    monkeypatch.delenv(assets.FOLDER_VARIABLE)
    assert assets.locate("net") == Path("resources/weights/net.pt")


def test_a_stand_in_is_taken_where_the_file_itself_is_not(table: Path) -> None:
    row(table, name="net", file="weights/net.pt", url="https://example.org/net.pt")
    row(table, name="old", file="weights/old.zip", url="https://example.org/old.zip", bytes="75000", stands_for="net")
    with pytest.raises(MissingAsset, match=r"instead of it: old \(old\.zip\)"):
        assets.locate("net")
    folder = Path("resources/weights")
    folder.mkdir(parents=True)
    (folder / "old.zip").write_bytes(CONTENT)
    assert assets.locate("net") == folder / "old.zip"
    (folder / "old.zip").write_bytes(CONTENT[:9])
    with pytest.raises(AssetError, match="9 bytes, but old has 75,000"):
        assets.locate("net")
    (folder / "net.pt").write_bytes(CONTENT)
    assert assets.locate("net") == folder / "net.pt"


def test_one_lookup_takes_what_a_setting_says(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default of a setting is the registered place: it means the same file as no path at all."""
    row(table, name="net", file="weights/net.pt", url="https://example.org/net.pt")
    row(table, name="old", file="weights/old.zip", url="https://example.org/old.zip", stands_for="net")
    shared = tmp_path / "shared"
    shared.mkdir()
    for name in ("net.pt", "old.zip"):
        (shared / name).write_bytes(CONTENT)
    monkeypatch.setenv(assets.FOLDER_VARIABLE, str(shared))

    def found(configured: str | None) -> list[tuple[str, Path]]:
        return [(entry.name, path) for entry, path in assets.located("net", configured)]

    assert found(None) == found("resources/weights/net.pt") == [("net", shared / "net.pt")]
    assert found("resources/weights/old.zip") == [("old", shared / "old.zip")]
    assert found("mine/old.zip") == [("old", Path("mine/old.zip"))]
    assert found("mine/other.pt") == [("net", Path("mine/other.pt"))]
    with pytest.raises(MissingAsset, match=r"mine/other\.pt is missing\n    licence: MIT"):
        assets.locate("net", "mine/other.pt")


def test_what_is_about_to_be_loaded_is_compared_where_it_claims_to_be_the_published_file(
    table: Path, tmp_path: Path
) -> None:
    row(table, name="net", file="weights/net.pt", url="https://example.org", sha256=DIGEST, bytes=str(len(CONTENT)))
    other = CONTENT[:-1] + b"x"
    for name, content in (("net.pt", other), ("mine.pt", other)):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(AssetError, match="damaged or another version"):
        assets.digests(assets.located("net", tmp_path / "net.pt"))
    found = assets.digests(assets.located("net", tmp_path / "mine.pt"))
    assert found == {"mine.pt": hashlib.sha256(other).hexdigest()}
    (tmp_path / "mine.pt").write_bytes(b"<html>Sign in</html>")
    with pytest.raises(AssetError, match="this is a web page"):
        assets.digests(assets.located("net", tmp_path / "mine.pt"))


def test_the_projects_own_weights_may_be_trained_anew_but_not_cut_short(table: Path, tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save

    row(table, name="own", file="weights/own.safetensors", sha256=DIGEST, bytes="10")
    path = tmp_path / "resources" / "weights" / "own.safetensors"
    path.parent.mkdir(parents=True)
    content = save({"a": np.zeros(5, np.float32), "b": np.ones((2, 3), np.float32)}, {"made": "anew"})
    path.write_bytes(content)
    assert assets.digests(assets.located("own")) == {"own.safetensors": hashlib.sha256(content).hexdigest()}
    for damaged in (content[:-1], content + b"x", content[:20], b"x", b"", b"\0" * 40, b"\1" + b"\0" * 7 + b"["):
        path.write_bytes(damaged)
        with pytest.raises(AssetError, match="no safetensors file, or cut short"):
            assets.locate("own")


def test_verify(table: Path, tmp_path: Path) -> None:
    row(table, name="net", file="weights/net.pt", url="https://example.org", sha256=DIGEST, bytes=str(len(CONTENT)))
    path = tmp_path / "net.pt"
    path.write_bytes(CONTENT)
    assert verify(path) == DIGEST
    path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(AssetError, match="damaged or another version"):
        verify(path)
    path.write_bytes(CONTENT[:100])
    with pytest.raises(AssetError, match=r"100 bytes, but net has 75,000; the download was cut short"):
        verify(path)
    path.write_bytes(b"\n<html>Sign in</html>")
    with pytest.raises(AssetError, match="this is a web page, not"):
        verify(path)


def test_first_digits_of_a_checksum_are_checked(table: Path, tmp_path: Path) -> None:
    row(table, name="net", file="weights/net.pt", url="https://example.org", sha256=DIGEST[:10])
    path = tmp_path / "net.pt"
    path.write_bytes(CONTENT)
    assert verify(path) == DIGEST
    path.write_bytes(CONTENT + b"x")
    with pytest.raises(AssetError, match="sha256"):
        verify(path)


def test_fetch(table: Path, server: str) -> None:
    row(table, name="net", file="weights/net.pt", url=f"{server}/net.pt", sha256=DIGEST, bytes=str(len(CONTENT)))
    path = downloads.fetch("net")
    assert path == Path("resources/weights/net.pt") and path.read_bytes() == CONTENT
    assert downloads.fetch("net") == path
    assert Handler.asked == [None], "a file that is there and right is not downloaded again"
    assert sorted(item.name for item in path.parent.iterdir()) == ["net.pt"]


def test_fetch_goes_on_where_it_broke_off(table: Path, server: str) -> None:
    row(table, name="net", file="weights/net.pt", url=f"{server}/net.pt", sha256=DIGEST, bytes=str(len(CONTENT)))
    Handler.cut = 70_000
    with pytest.raises(AssetError, match="no address gave the file"):
        downloads.fetch("net")
    assert not Path("resources/weights/net.pt").exists(), "a cut download must not appear under its name"
    assert downloads.fetch("net").read_bytes() == CONTENT
    assert Handler.asked[-1] is not None and Handler.asked[-1].startswith("bytes=")


def test_fetch_takes_the_mirror(table: Path, server: str) -> None:
    row(table, name="net", file="weights/net.pt", url=f"{server}/gone.pt", mirror=f"{server}/net.pt", sha256=DIGEST)
    assert downloads.fetch("net").read_bytes() == CONTENT


def test_fetch_recognises_a_login_page(table: Path, server: str) -> None:
    row(table, name="net", file="weights/net.pt", url=f"{server}/login.pt")
    with pytest.raises(AssetError, match="this is a web page"):
        downloads.fetch("net")
    assert not Path("resources/weights/net.pt").exists()


def test_fetch_refuses_another_file(table: Path, server: str) -> None:
    row(table, name="net", file="weights/net.pt", url=f"{server}/net.pt", sha256="0" * 64)
    with pytest.raises(AssetError, match="sha256"):
        downloads.fetch("net")
    assert not Path("resources/weights/net.pt").exists()


def test_fetch_refuses_walled_files(table: Path) -> None:
    row(table, name="flame", file="licensed/generic_model.pkl", url="https://example.org/form", walled="yes")
    with pytest.raises(AssetError, match=r"cannot be downloaded by a program.*\n.*licensed/generic_model.pkl"):
        downloads.fetch("flame")


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_add_takes_the_known_files_out_of_an_archive(table: Path, tmp_path: Path) -> None:
    row(table, name="flame", file="licensed/generic_model.pkl", url="https://example.org", walled="yes", sha256=DIGEST)
    archive = make_zip(tmp_path / "FLAME2020.zip", {"FLAME2020/generic_model.pkl": CONTENT, "Readme": b"read me"})
    assert downloads.add(archive) == [Path("resources/licensed/generic_model.pkl")]
    assert Path("resources/licensed/generic_model.pkl").read_bytes() == CONTENT
    assert not Path(f"{archive}.unpacked").exists()


def test_add_knows_a_mirrors_file_by_its_checksum(table: Path, tmp_path: Path) -> None:
    row(table, name="net", file="weights/net.pt", url="https://example.org", sha256=DIGEST)
    (tmp_path / "copy_of_the_net.pt").write_bytes(CONTENT)
    assert downloads.add(tmp_path / "copy_of_the_net.pt") == [Path("resources/weights/net.pt")]


def test_add_refuses_what_is_not_registered(table: Path, tmp_path: Path) -> None:
    row(table, name="net", file="weights/net.pt", url="https://example.org")
    with pytest.raises(AssetError, match=r"holds none of the files of the registry \(net.pt\)"):
        downloads.add(make_zip(tmp_path / "other.zip", {"a.txt": b"a"}))
    with pytest.raises(AssetError, match="no such file"):
        downloads.add(tmp_path / "gone.zip")


@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/evil.txt", "a/../../evil.txt"])
def test_archive_members_stay_in_their_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(AssetError, match="would be written outside its folder"):
        downloads.unpack(make_zip(tmp_path / "evil.zip", {name: b"x"}), tmp_path / "zip")
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        info = tarfile.TarInfo(name)
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    with pytest.raises(AssetError, match="would be written outside its folder"):
        downloads.unpack(tmp_path / "evil.tar", tmp_path / "tar")
    assert not (tmp_path / "evil.txt").exists()


def test_archive_links_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "link.tar", "w") as archive:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(AssetError, match="is a link or a device"):
        downloads.unpack(tmp_path / "link.tar", tmp_path / "out")
