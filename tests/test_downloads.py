"""Downloads against a server of our own that cuts, lies, and is not there."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import pickle
import socket
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fake_data import TRAIN, idx_files, use_small_sets

from coursekit.data import downloads, formats, load
from coursekit.data.downloads import download
from coursekit.errors import CourseError


class Server:
    """Serves `files`; what it does wrong is switched on by the other fields."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut_after: int | None = None  # bytes of each answer before the line goes dead
        self.cuts = 10**9  # how many answers are cut
        self.ranges = True  # whether it honours Range
        self.asked: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                wanted = self.headers.get("Range")
                outer.asked.append((name, wanted))
                if name not in outer.files:
                    self.send_error(404)
                    return
                content, start = outer.files[name], 0
                if wanted and outer.ranges:
                    start = int(wanted.removeprefix("bytes=").rstrip("-"))
                    if start >= len(content):
                        self.send_error(416)
                        return
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                rest = content[start:]
                if outer.cut_after is not None and outer.cuts > 0:
                    outer.cuts -= 1
                    rest = rest[: outer.cut_after]
                with contextlib.suppress(OSError):
                    self.wfile.write(rest)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that has the small MNIST, which the library takes for the real one."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    serving, files = Server(), idx_files()
    use_small_sets(monkeypatch, files)
    serving.files = {f"{name}.gz": gzip.compress(content) for name, content in files.items()}
    kind = formats.torchvision_class("mnist")
    sums = [(name, hashlib.md5(content).hexdigest()) for name, content in serving.files.items()]
    monkeypatch.setattr(kind, "resources", sums)
    monkeypatch.setattr(kind, "mirrors", [serving.address])
    yield serving
    serving.server.shutdown()
    serving.server.server_close()


def message(name: str, folder: Path) -> str:
    with pytest.raises(CourseError) as caught:
        download(name, folder, progress=False)
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".")
    return text


def files_in(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


WHOLE = {f"MNIST/raw/{name}" for name in idx_files()}


def test_a_download_is_what_load_reads(server: Server, tmp_path: Path) -> None:
    assert download("mnist", tmp_path, progress=False) == tmp_path / "MNIST" / "raw"
    assert files_in(tmp_path) == WHOLE and not (tmp_path / ".download").exists()
    assert len(load("mnist", folder=tmp_path).train) + 100 == TRAIN
    kind = formats.torchvision_class("mnist")
    assert kind(tmp_path, train=True).data.shape == (TRAIN, 28, 28)  # torchvision finds it too


def test_what_is_sound_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    download("mnist", tmp_path, progress=False)
    server.asked.clear()
    download("mnist", tmp_path, progress=False)
    assert server.asked == []


def test_what_is_damaged_is_replaced(server: Server, tmp_path: Path) -> None:
    raw = download("mnist", tmp_path, progress=False)
    labels = raw / "train-labels-idx1-ubyte"
    labels.write_bytes(b"damaged")
    (raw / "t10k-images-idx3-ubyte").unlink()
    server.asked.clear()
    download("mnist", tmp_path, progress=False)
    assert {name for name, _ in server.asked} == {
        "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz",
    }  # fmt: skip
    assert formats.state("mnist", tmp_path) == "sound"


def test_progress_is_shown(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    download("mnist", tmp_path)
    out, err = capsys.readouterr()
    assert "100%" in err and "train-images-idx3-ubyte.gz" in err
    assert out == f"MNIST is complete in {tmp_path / 'MNIST' / 'raw'}.\n"
    download("mnist", tmp_path / "other", progress=False)
    assert capsys.readouterr() == ("", "")


def test_a_cut_line_is_taken_up_again(server: Server, tmp_path: Path) -> None:
    server.cut_after, server.cuts = 300, 1
    download("mnist", tmp_path, progress=False)
    first = next(iter(server.files))
    assert server.asked[:2] == [(first, None), (first, "bytes=300-")]
    assert files_in(tmp_path) == WHOLE


def test_a_server_that_knows_no_ranges_starts_anew(server: Server, tmp_path: Path) -> None:
    server.cut_after, server.cuts, server.ranges = 300, 1, False
    download("mnist", tmp_path, progress=False)
    assert formats.state("mnist", tmp_path) == "sound"
    first = next(iter(server.files))
    assert [name for name, _ in server.asked].count(first) == 2  # cut, then whole


def test_cut_for_good_leaves_nothing_in_place_and_goes_on_later(
    server: Server, tmp_path: Path
) -> None:
    first = next(iter(server.files))
    server.cut_after = 100
    text = message("mnist", tmp_path)
    assert first in text and "cut after 100 of" in text and "goes on where it stopped" in text
    assert "python -m coursekit download mnist" in text
    assert files_in(tmp_path) == {f".download/{first}"}  # nothing where a reader would find it
    assert formats.state("mnist", tmp_path) == "absent"
    assert (tmp_path / ".download" / first).read_bytes() == server.files[first][:300]
    server.cut_after = None
    server.asked.clear()
    download("mnist", tmp_path, progress=False)
    assert server.asked[0] == (first, "bytes=300-")
    assert files_in(tmp_path) == WHOLE


def test_a_wrong_beginning_is_thrown_away(server: Server, tmp_path: Path) -> None:
    first = next(iter(server.files))
    (tmp_path / ".download").mkdir()
    (tmp_path / ".download" / first).write_bytes(b"from another file")
    download("mnist", tmp_path, progress=False)
    assert formats.state("mnist", tmp_path) == "sound"


def test_a_beginning_longer_than_the_file(server: Server, tmp_path: Path) -> None:
    first = next(iter(server.files))
    (tmp_path / ".download").mkdir()
    (tmp_path / ".download" / first).write_bytes(b"x" * (len(server.files[first]) + 5))
    download("mnist", tmp_path, progress=False)
    assert formats.state("mnist", tmp_path) == "sound"


def test_whole_but_not_unpacked(server: Server, tmp_path: Path) -> None:
    first = next(iter(server.files))
    (tmp_path / ".download").mkdir()
    (tmp_path / ".download" / first).write_bytes(server.files[first])
    download("mnist", tmp_path, progress=False)
    assert formats.state("mnist", tmp_path) == "sound"


def test_wrong_bytes_are_refused(server: Server, tmp_path: Path) -> None:
    first = next(iter(server.files))
    server.files[first] = b"<html>log in to the campus network</html>"
    text = message("mnist", tmp_path)
    assert "MD5" in text and first in text and "goes on" not in text
    assert files_in(tmp_path) == set()


def test_the_next_address_is_tried(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, good = formats.torchvision_class("mnist"), server.address
    bad = Server()  # has no file at all
    monkeypatch.setattr(kind, "mirrors", [bad.address, good])
    download("mnist", tmp_path, progress=False)
    bad.server.shutdown()
    bad.server.server_close()
    assert len(bad.asked) == 4 and formats.state("mnist", tmp_path) == "sound"


def test_not_found(server: Server, tmp_path: Path) -> None:
    server.files.clear()
    text = message("mnist", tmp_path)
    assert "404" in text and "127.0.0.1" in text and files_in(tmp_path) == set()


def test_nobody_listens(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kind = formats.torchvision_class("mnist")
    monkeypatch.setattr(kind, "mirrors", [f"http://127.0.0.1:{port}/"])
    text = message("mnist", tmp_path)
    assert "no connection" in text and "check the network" in text
    assert files_in(tmp_path) == set()


def test_no_network_at_all(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    text = message("mnist", tmp_path)
    assert "Name or service not known" in text and text.count("Name or service") == 1


def test_a_silent_server(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "TIMEOUT", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        kind = formats.torchvision_class("mnist")
        monkeypatch.setattr(kind, "mirrors", [f"http://127.0.0.1:{silent.getsockname()[1]}/"])
        assert "timed out" in message("mnist", tmp_path)


def test_an_interrupt_goes_through_and_leaves_nothing_in_place(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(downloads, "_unpack", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download("mnist", tmp_path, progress=False)
    assert formats.state("mnist", tmp_path) == "absent"
    assert all(name.startswith(".download/") for name in files_in(tmp_path))


def test_a_folder_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    # A file where the folder should be: permissions would not stop root.
    (tmp_path / "data").write_text("")
    text = message("mnist", tmp_path / "data")
    assert str(tmp_path / "data") in text and "COURSEKIT_DATA" in text


def test_a_full_disk(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.FileIO):
        def write(self, block: object) -> int:
            raise OSError(28, "No space left on device")

    def full(path: Path, mode: str) -> Full:
        return Full(str(path), mode)

    monkeypatch.setattr(downloads, "open", full, raising=False)
    text = message("mnist", tmp_path)
    assert "No space left on device" in text and "network" not in text


@pytest.mark.parametrize("name", ["digits", "scenes", "imagenet", "auto", "", "MNIST"])
def test_unknown_names(name: str, tmp_path: Path) -> None:
    text = message(name, tmp_path)
    assert all(known in text for known in formats.PUBLISHED)
    assert ("needs no download" in text) == (name in ("digits", "scenes"))


def test_the_addresses_and_sums_are_torchvisions() -> None:
    from torchvision.datasets import CIFAR10, MNIST, FashionMNIST

    for name, kind in (("mnist", MNIST), ("fashion_mnist", FashionMNIST)):
        parcels = downloads._parcels(name)
        assert [(packed, md5) for packed, md5, _, _ in parcels] == list(kind.resources)
        for packed, _, addresses, files in parcels:
            assert addresses == [mirror + packed for mirror in kind.mirrors]
            assert files == [packed[:-3]]
        assert set(formats.sums_of(name)) == {files[0] for *_, files in parcels}
        assert str(formats.folder_of(name, Path("d"))) == f"d/{kind.__name__}/raw"
    ((packed, md5, addresses, files),) = downloads._parcels("cifar10")
    assert (packed, md5, addresses) == (CIFAR10.filename, CIFAR10.tgz_md5, [CIFAR10.url])
    assert len(files) == 7 and str(formats.folder_of("cifar10", Path("d"))) == (
        f"d/{CIFAR10.base_folder}"
    )


class TestCifar10:
    @pytest.fixture
    def archive(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> bytes:
        kind = formats.torchvision_class("cifar10")
        wanted = [file for file, _ in (*kind.train_list, *kind.test_list)]
        content = {file: pickle.dumps({"file": file}) for file in (*wanted, "batches.meta")}
        sums = {file: hashlib.md5(some).hexdigest() for file, some in content.items()}
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            names = {f"{kind.base_folder}/{file}": some for file, some in content.items()}
            for name, some in {**names, "../outside": b"harm"}.items():
                member = tarfile.TarInfo(name)
                member.size = len(some)
                archive.addfile(member, io.BytesIO(some))
        server.files[kind.filename] = packed.getvalue()
        monkeypatch.setattr(kind, "url", server.address + kind.filename)
        monkeypatch.setattr(kind, "tgz_md5", hashlib.md5(packed.getvalue()).hexdigest())
        monkeypatch.setattr(kind, "train_list", [[f, sums[f]] for f, _ in kind.train_list])
        monkeypatch.setattr(kind, "test_list", [[f, sums[f]] for f, _ in kind.test_list])
        monkeypatch.setattr(kind, "meta", kind.meta | {"md5": sums["batches.meta"]})
        return packed.getvalue()

    def test_is_unpacked_in_its_folder_only(
        self, archive: bytes, server: Server, tmp_path: Path
    ) -> None:
        download("cifar10", tmp_path / "data", progress=False)
        assert len(files_in(tmp_path)) == 7
        assert all(name.startswith("data/cifar-10-batches-py/") for name in files_in(tmp_path))
        server.asked.clear()
        download("cifar10", tmp_path / "data", progress=False)
        assert server.asked == []

    def test_an_archive_without_a_file(
        self, archive: bytes, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kind = formats.torchvision_class("cifar10")
        monkeypatch.setattr(kind, "train_list", [*kind.train_list, ["data_batch_6", "0" * 32]])
        text = message("cifar10", tmp_path)
        assert "data_batch_6" in text and not (tmp_path / ".download" / kind.filename).exists()
