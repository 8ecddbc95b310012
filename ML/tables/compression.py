"""Compressed bytes, unpacked up to a limit: a bomb takes no more memory than an honest body may."""

import zlib

from ML.errors import TooLarge

GZIP, DEFLATE = 31, 15
"""zlib's `wbits`: RFC 1952; RFC 1950, which is what HTTP calls deflate."""

CHUNK = 64 * 1024


def unpack(data: bytes, most: int, wbits: int) -> bytes:
    """What was packed, of one member or several.

    Raises TooLarge past `most` bytes, zlib.error where it is no such data, and EOFError where it ends too early.
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
