"""Writes Amazon's event stream: `python -m judges.frames FILE.frames.json...` writes the `.bin` beside each.

A frame is the length of the whole, the length of its headers, a CRC-32 of these eight bytes, the headers, the payload, and a CRC-32 of
everything before; numbers are big-endian. A header is its name after one byte of length, the type 7 for a string, and the value
after two bytes of length. Written from that description alone, so that botocore, which reads the frames in the tests, is a second
opinion and not the same one.
"""

import json
import struct
import sys
import zlib
from pathlib import Path

STRING = 7


def encode(frames):
    """`frames` are objects with the name of an `event` or of an `exception`, and a `payload`."""
    return b"".join(frame(one) for one in frames)


def frame(one):
    kind = "event" if "event" in one else "exception"
    headers = header(f":{kind}-type", one[kind]) + header(":content-type", "application/json")
    headers += header(":message-type", kind)
    payload = json.dumps(one["payload"], ensure_ascii=False, separators=(",", ":")).encode()
    # Two lengths and their sum before, one sum behind.
    start = struct.pack(">II", 12 + len(headers) + len(payload) + 4, len(headers))
    whole = start + struct.pack(">I", zlib.crc32(start)) + headers + payload
    return whole + struct.pack(">I", zlib.crc32(whole))


def header(name, value):
    return (
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", STRING, len(value.encode())) + value.encode()
    )


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        path.with_name(path.name.replace(".frames.json", ".bin")).write_bytes(encode(json.loads(path.read_text())))
