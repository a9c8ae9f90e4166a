"""Compressed bodies, unpacked within a limit: a small body may claim to be a huge one."""

from __future__ import annotations

import zlib

from trimtab.domain.errors import TrimtabError
from trimtab.monitor.ingest.pushed import Malformed

LIMIT = 32 * 1024 * 1024  # bytes that a body may come to


class TooLarge(Malformed):
    """A body that is larger than is taken at once."""


class Unavailable(TrimtabError):
    """What decodes pushed metrics is not installed."""


def unpack_snappy(body: bytes, limit: int = LIMIT) -> bytes:
    """A body in Snappy's block format, as Prometheus sends it. Raises `Malformed`, `TooLarge`, `Unavailable`."""
    try:
        import cramjam
    except ImportError:
        raise missing("cramjam") from None
    size = _snappy_size(body)
    if size > limit:
        raise TooLarge(f"the body unpacks to {size:,} bytes, and {limit:,} are taken at once", remedy="Send smaller batches")
    try:
        return bytes(cramjam.snappy.decompress_raw(body))
    except (cramjam.DecompressionError, ValueError, OSError) as error:
        raise Malformed(f"the body is not in Snappy's block format: {error}") from None


def _snappy_size(body: bytes) -> int:
    """The size that the preamble tells, a little-endian base-128 number of at most five bytes."""
    size = 0
    for place, byte in enumerate(body[:5]):
        size |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return size
    raise Malformed("the body is not in Snappy's block format: it does not tell its size")


def unpack_gzip(body: bytes, limit: int = LIMIT) -> bytes:
    """A gzipped body. Raises `Malformed`, `TooLarge`.

    >>> import gzip
    >>> unpack_gzip(gzip.compress(b"samples"))
    b'samples'
    """
    unpacker = zlib.decompressobj(wbits=31)
    try:
        found = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise Malformed(f"the body is not gzip: {error}") from None
    if len(found) > limit:
        raise TooLarge(f"the body unpacks to more than the {limit:,} bytes that are taken at once", remedy="Send smaller batches")
    if not unpacker.eof or unpacker.unused_data:
        raise Malformed("the gzipped body is cut off, or goes on behind its end")
    return found


def missing(package: str) -> Unavailable:
    """That `package` is needed and not there."""
    return Unavailable(f"{package} is not installed, so that nothing can be pushed", remedy="pip install 'trimtab[otlp]'")
