"""Uploads that are not what they say, or grow without end, are refused before anything reads or keeps them."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import struct
import zipfile
import zlib

import numpy as np
import pandas as pd
import pytest

from app.upload_content import check_content
from app.uploads import MOST_UPLOAD_BYTES, READINGS, STREETS, keep_upload
from data.errors import InputError
from data.store.workspace import Workspace

MOST = 1_000_000


def packed(body: bytes) -> bytes:
    """Without the time, which would be another in every process."""
    return gzip.compress(body, mtime=0)


def zipped(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members:
            archive.writestr(name, body)
    return out.getvalue()


def parquet(rows: int) -> bytes:
    out = io.BytesIO()
    pd.DataFrame({"x": np.zeros(rows)}).to_parquet(out)
    return out.getvalue()


def number(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def pbf(*raw_sizes: int, kind: bytes = b"OSMHeader") -> bytes:
    """A file of blobs that say how large they are unpacked."""
    out = b""
    for k, raw in enumerate(raw_sizes):
        packed = zlib.compress(b"x")
        blob = b"\x10" + number(raw) + b"\x1a" + number(len(packed)) + packed
        name = kind if k == 0 else b"OSMData"
        header = b"\x0a" + number(len(name)) + name + b"\x18" + number(len(blob))
        out += struct.pack(">I", len(header)) + header + blob
    return out


@pytest.mark.parametrize(("name", "body"), [
    ("a.csv", b"time,value\n1,2\n"), ("a.csv.gz", packed(b"a,b\n1,2\n") + packed(b"3,4\n")),
    ("a.zip", zipped(("a.csv", b"a,b\n"), ("in/b.csv", b"a,b\n"))), ("a.parquet", parquet(10)),
    ("a.osm", b"<?xml version='1.0'?><osm></osm>"), ("a.osm.bz2", bz2.compress(b"<osm/>")), ("a.pbf", pbf(200, 400)),
])  # fmt: skip
def test_what_is_as_it_says_is_taken(name, body):
    check_content(name, body, most=MOST)


@pytest.mark.parametrize(("name", "body"), [
    ("a.csv.gz", packed(bytes(2 * MOST))),
    ("a.csv.gz", packed(b"a") * 3 + packed(bytes(2 * MOST))),
    ("a.osm.bz2", bz2.compress(b"<" * 2 * MOST)), ("a.zip", zipped(("a.csv", bytes(2 * MOST)))),
    ("a.zip", zipped(*[(f"{k}.csv", bytes(MOST // 2)) for k in range(3)])),
    ("a.zip", zipped(*[(f"{k}.csv", b"") for k in range(1001)])), ("a.parquet", parquet(MOST)),
    ("a.osm.pbf", pbf(100, *[30_000] * 40)), ("a.osm.pbf", pbf(100, 40_000_000)),
])  # fmt: skip
def test_what_grows_beyond_the_limit_is_refused(name, body):
    """Two million bytes for a limit of one; each file itself is far smaller."""
    assert len(body) < MOST
    with pytest.raises(InputError, match="more than 1 MB"):
        check_content(name, body, most=MOST)


def test_a_zip_that_lies_about_its_size_is_counted(tmp_path):
    """The directory says 10 bytes; what comes out is counted, or the reader finds the lie."""
    honest = zipped(("a.csv", bytes(2 * MOST)))
    lying = honest.replace(struct.pack("<I", 2 * MOST), struct.pack("<I", 10))
    assert lying != honest
    with pytest.raises(InputError):
        check_content("a.zip", lying, most=MOST)


@pytest.mark.parametrize(("name", "body"), [
    ("a.csv.gz", b"time,value\n"), ("a.csv.gz", packed(b"x" * 1000)[:-20]), ("a.zip", b"PK but no more"),
    ("a.parquet", b"PAR1 but no more"), ("a.h5", b"\x89HDF\r\n\x1a\n no more"), ("a.osm.bz2", b"BZh but no more"),
    ("a.pbf", b"\0\0\0\x05hello"), ("a.pbf", pbf(100, kind=b"Else")),
    ("a.csv", b"MZ\0\0 a program"),
    ("a.osm", b"not xml"),
    ("a.zip", zipped(("../../x.csv", b"a"))), ("a.zip", zipped(("/etc/x.csv", b"a"))),
    ("a.zip", zipped(("..\\x.csv", b"a"))),
])  # fmt: skip
def test_what_is_not_what_its_name_says_is_refused(name, body):
    with pytest.raises(InputError, match="damaged, or not what the name says"):
        check_content(name, body, most=MOST)


@pytest.mark.parametrize("body", [
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]><osm>&lol2;</osm>',
    b'<!DOCTYPE osm SYSTEM "file:///etc/passwd"><osm/>',
])  # fmt: skip
def test_xml_with_a_document_type_is_refused(body):
    with pytest.raises(InputError, match="document type"):
        check_content("a.graphml", body, most=MOST)


def test_a_link_of_hdf5_to_another_file_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(3)
    check_content("a.h5", path.read_bytes(), most=MOST)
    with h5py.File(path, "a") as file:
        file["y"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(InputError):
        check_content("a.h5", path.read_bytes(), most=MOST)
    with h5py.File(path, "w") as file:
        file.create_dataset("big", shape=(10**9,), dtype="f8", chunks=True)
    with pytest.raises(InputError, match="more than"):
        check_content("a.h5", path.read_bytes(), most=MOST)


def sent(body: bytes) -> str:
    return "data:x;base64," + base64.b64encode(body).decode()


@pytest.mark.parametrize("name", ["../../evil.csv", "/etc/cron.d/evil.csv", "..\\..\\evil.csv", ".evil.csv"])
def test_an_upload_is_kept_below_uploads_whatever_its_name(tmp_path, name):
    space = Workspace(tmp_path / "town")
    kept = keep_upload(space, name, sent(b"a,b\n"), READINGS)
    assert [path.name for path in (space.root / "uploads").iterdir()] == [kept] == ["evil.csv"]
    assert [path.name for path in tmp_path.iterdir()] == ["town"]


@pytest.mark.parametrize(("name", "content", "kinds"), [
    ("a.exe", sent(b"x"), READINGS), ("a.csv.gz", sent(b"no gzip"), READINGS), ("a.csv", "data:x;base64,%%%", READINGS),
    ("a.osm", sent(b"<!DOCTYPE x><osm/>"), STREETS),
    ("a.csv", "data:x;base64," + "A" * (4 * MOST_UPLOAD_BYTES // 3 + 4096), READINGS),
])  # fmt: skip
def test_nothing_is_stored_of_an_upload_that_is_refused(tmp_path, name, content, kinds):
    space = Workspace(tmp_path / "town")
    with pytest.raises(InputError):
        keep_upload(space, name, content, kinds)
    assert not space.root.exists()
