"""Bodies: chunked framing, compression, forms, staging."""

from __future__ import annotations

import gzip
import io
import zlib
from email.message import Message
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from local.clickhouse import staging
from local.clickhouse.body import RequestBody
from local.clickhouse.compression import ENCODINGS, accepted_encoding, compressor, decompressed
from local.clickhouse.errors import ClickHouseError
from local.clickhouse.form import form_boundary, read_parts


def body(data, **headers):
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return RequestBody(io.BytesIO(data), message)


def chunked(pieces):
    return b"".join(b"%X;x=y\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\nTrailer: 1\r\n\r\n"


@given(pieces=st.lists(st.binary(max_size=50), max_size=8), rest=st.binary(max_size=20))
def test_chunked_body(pieces, rest):
    read = body(chunked(pieces) + rest, Transfer_Encoding="chunked")
    assert b"".join(read.chunks()) == b"".join(pieces)
    assert read.whole
    # What follows belongs to the next request.
    assert read._stream.read() == rest


@given(data=st.binary(max_size=100), cut=st.integers(0, 99))
def test_cut_bodies_are_errors(data, cut):
    for read in (
        body(data[:cut], Content_Length=str(len(data))),
        body(chunked([data])[:cut], Transfer_Encoding="chunked"),
    ):
        if read._stream.getvalue() in (data, chunked([data])):
            continue
        with pytest.raises(ClickHouseError):
            list(read.chunks())
        assert not read.whole
        # Reading on does not turn a broken body into a whole one.
        assert list(read.chunks()) == []
        assert not read.whole


def test_draining_goes_on_where_reading_stopped():
    read = body(chunked([b"ab", b"cd", b"ef"]) + b"next", Transfer_Encoding="chunked")
    chunks = read.chunks()
    assert next(chunks) == b"ab"
    chunks.close()
    read.drain()
    assert (read.whole, read._stream.read()) == (True, b"next")


@pytest.mark.parametrize(
    "headers",
    [{"Content_Length": "x"}, {"Content_Length": "-1"}, {"Content_Length": "1_0"}, {"Transfer_Encoding": "gzip"}],
)
def test_bad_lengths(headers):
    with pytest.raises(ClickHouseError):
        body(b"", **headers)


UNPACK = {
    "lz4": lz4.frame.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(pieces=st.lists(st.binary(max_size=100), max_size=5), cut=st.integers(1, 20))
def test_compression_there_and_back(encoding, pieces, cut):
    packer = compressor(encoding)
    packed = b"".join(packer.compress(piece) for piece in pieces) + packer.flush()
    assert UNPACK[encoding](packed) == b"".join(pieces)
    slices = [packed[start : start + cut] for start in range(0, len(packed), cut)]
    assert b"".join(decompressed(iter(slices), encoding)) == b"".join(pieces)
    if cut < len(packed):
        with pytest.raises(ClickHouseError):
            list(decompressed(iter([packed[:-cut]]), encoding))


@pytest.mark.parametrize("encoding", ["lz4", "zstd", "gzip"])
@given(frames=st.lists(st.binary(max_size=30), min_size=1, max_size=4), cut=st.integers(1, 30))
def test_frames_one_after_the_other(encoding, frames, cut):
    packed = b""
    for frame in frames:
        packer = compressor(encoding)
        packed += packer.compress(frame) + packer.flush()
    slices = [packed[start : start + cut] for start in range(0, len(packed), cut)]
    assert b"".join(decompressed(iter(slices), encoding)) == b"".join(frames)


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("", None),
        ("br", None),
        ("gzip, deflate", "gzip"),
        ("lz4,zstd", "lz4"),
        ("GZIP;q=0.5 , zstd", "zstd"),
        ("identity", None),
    ],
)
def test_chosen_encoding(header, chosen):
    assert accepted_encoding(header) == chosen


@given(content=st.binary(max_size=200), name=st.text("abc ü\"'", min_size=1, max_size=5))
def test_form(content, name):
    boundary = "xyzBOUNDARYxyz"
    quoted = name.replace('"', '\\"')
    lines = [
        f"--{boundary}",
        'Content-Disposition: form-data; name="query"',
        "",
        "SELECT 1",
        f"--{boundary}",
        f'Content-Disposition: form-data; name="{quoted}"; filename="f"',
        "Content-Type: x/y",
        "",
        "",
    ]
    data = "\r\n".join(lines).encode() + content + f"\r\n--{boundary}--\r\n".encode()
    first, second = read_parts(data, boundary)
    assert (first.name, first.content, first.is_file) == ("query", b"SELECT 1", False)
    assert (second.content, second.is_file) == (content, True)
    assert second.name == name


@pytest.mark.parametrize(
    "data", [b"", b"--b", b"--b\r\n\r\n", b"--b\r\nX: y\r\n\r\nz\r\n--b--\r\n", b"--c\r\n\r\n\r\n--c--"]
)
def test_bad_forms(data):
    with pytest.raises(ClickHouseError):
        read_parts(data, "b")


def test_boundary():
    assert form_boundary("text/plain") is None
    assert form_boundary("application/x-www-form-urlencoded") is None
    assert form_boundary("multipart/form-data; boundary=abc") == "abc"
    assert form_boundary('multipart/form-data; boundary="a b"') == "a b"
    assert form_boundary("multipart/form-data") == ""


@pytest.mark.parametrize("sizes", [[], [0], [10], [40, 50, 60], [100], [101], [50, 50, 1, 1], [300, 1, 99]])
def test_staged_data_is_whole_in_memory_and_on_disk(tmp_path, monkeypatch, sizes):
    monkeypatch.setattr(staging, "IN_MEMORY_BYTES", 100)
    pieces = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    with staging.staged(iter(pieces), tmp_path) as path:
        assert Path(path).read_bytes() == b"".join(pieces)
        # The file has no name that could stay behind.
        assert list(tmp_path.iterdir()) == []
        on_disk = str(tmp_path) in str(Path(path).readlink())
        assert on_disk == (sum(sizes) > 100)
    assert not Path(path).exists()


def test_full_disk_is_an_error_of_the_statement(tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "IN_MEMORY_BYTES", 10)
    with pytest.raises(ClickHouseError, match="243"), staging.staged(iter([b"x" * 11]), tmp_path / "nowhere"):
        pass


def test_staging_closes_its_file_when_the_client_fails(tmp_path):
    before = set(Path("/proc/self/fd").iterdir())

    def broken():
        yield b"x"
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"), staging.staged(broken(), tmp_path):
        pass
    assert len(set(Path("/proc/self/fd").iterdir())) == len(before)
