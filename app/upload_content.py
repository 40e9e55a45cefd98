"""What an upload holds, before anything reads it: is it what its name says, and how large does it grow unpacked?

A small file may unpack to more than a disk holds. Whatever a file claims of itself is not believed where it can be
counted: streams are unpacked piece by piece and thrown away, up to the limit.
"""

from __future__ import annotations

import bz2
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

from app.texts import t
from data.errors import InputError

#: Unpacked, bytes; a year of a thousand sensors at 5 minutes is a few hundred MB as text.
MOST_UNPACKED_BYTES = 1_000_000_000
#: Values of a Parquet or HDF5 file, which repeat for next to nothing: 8 bytes each.
MOST_VALUES = MOST_UNPACKED_BYTES // 8
MOST_MEMBERS = 1000
_PIECE = 1 << 20
_HEAD = 1 << 16
_MAGIC = {
    ".gz": b"\x1f\x8b", ".bz2": b"BZh", ".zip": b"PK", ".parquet": b"PAR1", ".h5": b"\x89HDF\r\n\x1a\n",
}  # fmt: skip
_BLOB_BYTES = 33_554_432  # of OpenStreetMap's format, https://wiki.openstreetmap.org/wiki/PBF_Format


def check_content(name: str, body: bytes, *, most: int = MOST_UNPACKED_BYTES) -> None:
    """Refuse what is not what its name says, or would grow too large.

    Parameters
    ----------
    name : str
        With the ending that was allowed.
    body : bytes
    most : int
        Bytes that it may hold unpacked.

    Raises
    ------
    InputError
        That says which of the two, in the words of the page.
    """
    low = name.lower()
    ending = next((ending for ending in _MAGIC if low.endswith(ending)), "")
    if ending and not body.startswith(_MAGIC[ending]):
        raise InputError(t("upload.error.content", name=name))
    try:
        if ending == ".zip":
            _check_zip(name, body, most)
        elif ending == ".parquet":
            _check_parquet(name, body, most)
        elif ending == ".h5":
            _check_hdf5(name, body, most)
        elif low.endswith(".pbf"):
            _check_pbf(name, body, most)
        else:
            inner = low.removesuffix(".gz").removesuffix(".bz2")
            _check_text(name, inner, _counted(name, _pieces(body, ending), most))
    except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, struct.error, NotImplementedError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(t("upload.error.content", name=name)) from None


def _pieces(body: bytes, ending: str) -> Iterator[bytes]:
    """The content in pieces, unpacked."""
    if ending == ".gz":
        return _unzipped(body)
    if ending == ".bz2":
        return _read(bz2.BZ2File(io.BytesIO(body)))
    return iter((body,))


def _read(file: bz2.BZ2File | zipfile.ZipExtFile) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece


def _unzipped(body: bytes) -> Iterator[bytes]:
    """All members of a gzip file, one after the other."""
    while body:
        member = zlib.decompressobj(wbits=31)
        yield member.decompress(body, _PIECE)
        while not member.eof and member.unconsumed_tail:
            yield member.decompress(member.unconsumed_tail, _PIECE)
        if not member.eof:
            raise EOFError
        body = member.unused_data.lstrip(b"\0")


def _counted(name: str, pieces: Iterator[bytes], most: int) -> bytes:
    """The first bytes of what is unpacked, once all of it has been counted."""
    head, size = b"", 0
    for piece in pieces:
        size += len(piece)
        if size > most:
            raise _too_large(name, most)
        if len(head) < _HEAD:
            head += piece[: _HEAD - len(head)]
    return head


def _too_large(name: str, most: int) -> InputError:
    return InputError(t("upload.error.unpacked", name=name, most=f"{most / 1e6:,.0f} MB"))


def _check_text(name: str, inner: str, head: bytes) -> None:
    """Text without null bytes; of XML no document type: entities in it may grow without end, or read other files."""
    if b"\0" in head:
        raise InputError(t("upload.error.content", name=name))
    if inner.endswith((".osm", ".graphml")):
        start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if not start.startswith(b"<"):
            raise InputError(t("upload.error.content", name=name))
        if b"<!doctype" in head.lower() or b"<!entity" in head.lower():
            raise InputError(t("upload.error.doctype", name=name))


def _check_zip(name: str, body: bytes, most: int) -> None:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            raise _too_large(name, most)
        left = most
        for member in members:
            parts = member.filename.replace("\\", "/").split("/")
            if member.filename.startswith("/") or ".." in parts or ":" in parts[0] or member.flag_bits & 1:
                raise InputError(t("upload.error.content", name=name))
            for piece in _read(archive.open(member)):  # type: ignore[arg-type]
                left -= len(piece)
                if left < 0:
                    raise _too_large(name, most)


def _check_parquet(name: str, body: bytes, most: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        told = pq.ParquetFile(io.BytesIO(body)).metadata
    except pa.ArrowException:
        raise InputError(t("upload.error.content", name=name)) from None
    size = sum(told.row_group(k).total_byte_size for k in range(told.num_row_groups))
    if size > most or told.num_rows * told.num_columns > most // 8 or told.num_columns > 10_000:
        raise _too_large(name, most)


def _check_hdf5(name: str, body: bytes, most: int) -> None:
    """By the shapes of its tables; without h5py no reader would open it either."""
    try:
        import h5py
    except ImportError:
        return
    size = groups = 0
    with h5py.File(io.BytesIO(body), "r") as file:
        waiting = [file]
        while waiting:
            group = waiting.pop()
            groups += 1  # a group may hold itself
            for key in group:
                link = group.get(key, getlink=True)
                if not isinstance(link, h5py.HardLink):  # another file of this machine, or a loop
                    raise InputError(t("upload.error.content", name=name))
                inside = group[key]
                if isinstance(inside, h5py.Dataset):
                    size += inside.size * max(1, inside.dtype.itemsize)
                else:
                    waiting.append(inside)
                if size > most or max(groups, len(waiting)) > MOST_MEMBERS:
                    raise _too_large(name, most)


def _check_pbf(name: str, body: bytes, most: int) -> None:
    """Walk the blobs: the size that each says to have unpacked is the room that a reader gives it."""
    at = size = 0
    while at < len(body):
        (length,) = struct.unpack(">I", body[at : at + 4])
        header = dict(_fields(body[at + 4 : at + 4 + length]))
        if at == 0 and header.get(1) != b"OSMHeader":
            raise InputError(t("upload.error.content", name=name))
        held = header.get(3)
        if not isinstance(held, int) or length > 65_536:
            raise InputError(t("upload.error.content", name=name))
        at += 4 + length
        blob = dict(_fields(body[at : at + held]))
        if at + held > len(body):
            raise InputError(t("upload.error.content", name=name))
        raw = blob.get(2, held)
        if not isinstance(raw, int) or raw > _BLOB_BYTES:
            raise _too_large(name, most)
        size += raw
        if size > most:
            raise _too_large(name, most)
        at += held


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Fields of a protocol-buffer message: numbers and bytes, which are all that blobs have."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        if key & 7 == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
        elif key & 7 == 2:
            length, at = _varint(message, at)
            yield key >> 3, message[at : at + length]
            at += length
        else:
            raise ValueError("a field of another kind")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise ValueError("a number without an end")
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
