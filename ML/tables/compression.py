"""Decompress up to a size limit, so that a decompression bomb can't exhaust memory."""

import zlib

from ML.errors import TooLarge

GZIP, DEFLATE = 31, 15
"""zlib's `wbits` of RFC 1952 and of RFC 1950, which HTTP calls deflate."""

CHUNK = 64 * 1024
"""How much is decompressed at once, in bytes."""


def unpack(data: bytes, most: int, wbits: int) -> bytes:
    """Return the decompressed data, which may have several members.

    Raise TooLarge past `most` bytes, zlib.error for other data, and EOFError if the data ends too early.
    """
    view, place, parts, size = memoryview(data), 0, [], 0
    while place < len(view):
        member = zlib.decompressobj(wbits)
        while not member.eof:
            if place == len(view):
                raise EOFError
            chunk = view[place : place + CHUNK]
            parts.append(member.decompress(chunk, most + 1 - size))
            size += len(parts[-1])
            if size > most:
                raise TooLarge(
                    f"This holds more than {most} bytes when unpacked; send it in parts, or raise MAX_BODY_MB"
                )
            place += len(chunk) - len(member.unused_data)
    return b"".join(parts)
