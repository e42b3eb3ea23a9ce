"""Streams of AWS's binary format, written here and read by botocore: what the tests of the event stream decoder compare with.

`python frames.py` writes the streams into the fuzz target's corpus (fuzz/corpus/event_stream) and what they say into `frames.json`. What
is there to be read is what botocore reads: each header with its type and value, each payload, and whether the stream was refused.
"""

import datetime
import json
import pathlib
import random
import struct
import uuid
import zlib

from botocore import eventstream

FILE = pathlib.Path(__file__).with_name("frames.json")
STREAMS = pathlib.Path(__file__).parents[3] / "fuzz/corpus/event_stream"


def header(name, kind, value):
    head = bytes([len(name.encode())]) + name.encode()
    match kind:
        case "bool":
            return head + bytes([0 if value else 1])
        case "byte" | "short" | "int" | "long":
            code, form = {"byte": (2, ">b"), "short": (3, ">h"), "int": (4, ">i"), "long": (5, ">q")}[kind]
            return head + bytes([code]) + struct.pack(form, value)
        case "bytes":
            return head + b"\x06" + struct.pack(">H", len(value) // 2) + bytes.fromhex(value)
        case "text":
            return head + b"\x07" + struct.pack(">H", len(value.encode())) + value.encode()
        case "timestamp":
            return head + b"\x08" + struct.pack(">q", value)
        case "uuid":
            return head + b"\x09" + bytes.fromhex(value)
    raise ValueError(kind)


def frame(headers, payload):
    block = b"".join(header(*each) for each in headers)
    return framed(block, payload.encode())


def framed(block, payload, total=None):
    prelude = struct.pack(">II", total or len(block) + len(payload) + 16, len(block))
    prelude += struct.pack(">I", zlib.crc32(prelude))
    content = prelude + block + payload
    return content + struct.pack(">I", zlib.crc32(content))


def event(kind, payload):
    headers = [
        (":event-type", "text", kind),
        (":content-type", "text", "application/json"),
        (":message-type", "text", "event"),
    ]
    return headers, json.dumps(payload, separators=(",", ":"), ensure_ascii=False)


def converse():
    """An answer as ConverseStream sends it."""
    return [
        event("messageStart", {"p": "abcd", "role": "assistant"}),
        event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Grüße, "}, "p": "abc"}),
        event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "世界"}, "p": "abcdefghijklmno"}),
        event("contentBlockStop", {"contentBlockIndex": 0}),
        event("contentBlockStart", {"contentBlockIndex": 1, "start": {"toolUse": {"name": "f", "toolUseId": "t_1"}}}),
        event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '{"a":'}}}),
        event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": "1}"}}}),
        event("contentBlockStop", {"contentBlockIndex": 1}),
        event("messageStop", {"stopReason": "tool_use"}),
        event(
            "metadata", {"metrics": {"latencyMs": 7}, "usage": {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8}}
        ),
    ]


def exception():
    headers = [
        (":exception-type", "text", "throttlingException"),
        (":content-type", "text", "application/json"),
        (":message-type", "text", "exception"),
    ]
    return [converse()[0], (headers, '{"message":"Too many tokens, please wait"}')]


def every_type():
    headers = [
        ("yes", "bool", True),
        ("no", "bool", False),
        ("byte", "byte", -128),
        ("short", "short", -32768),
        ("int", "int", 2147483647),
        ("long", "long", -9223372036854775808),
        ("bytes", "bytes", "00ff80"),
        ("text", "text", "größer"),
        ("timestamp", "timestamp", 1763794516000),
        ("uuid", "uuid", "0102030405060708090a0b0c0d0e0f10"),
        ("empty bytes", "bytes", ""),
        ("empty text", "text", ""),
        ("ä" * 100, "text", "x" * 1000),
    ]
    return [(headers, "payload"), ([], ""), ([], "only a payload"), ([("only", "text", "a header")], "")]


def at_random(rng):
    def value(kind):
        match kind:
            case "bool":
                return rng.random() < 0.5
            case "byte" | "short" | "int" | "long":
                bits = {"byte": 7, "short": 15, "int": 31, "long": 63}[kind]
                return rng.randint(-(2**bits), 2**bits - 1)
            case "bytes":
                return rng.randbytes(rng.randint(0, 20)).hex()
            case "text":
                return "".join(rng.choice("ab ö模😀\0") for _ in range(rng.randint(0, 10)))
            case "timestamp":
                return rng.randint(0, 4102444800) * 1000
            case "uuid":
                return rng.randbytes(16).hex()

    kinds = ["bool", "byte", "short", "int", "long", "bytes", "text", "timestamp", "uuid"]
    messages = []
    for _ in range(20):
        picked = [rng.choice(kinds) for _ in range(rng.randint(0, 5))]
        headers = [(f"{index}{kind}", kind, value(kind)) for index, kind in enumerate(picked)]
        messages.append((headers, "".join(rng.choice("xyzä") for _ in range(rng.randint(0, 60)))))
    return messages


def error():
    headers = [
        (":message-type", "text", "error"),
        (":error-code", "text", "InternalFailure"),
        (":error-message", "text", "it broke"),
    ]
    return [(headers, "")]


def streams():
    """Name of each stream, and its bytes."""
    good = {
        "converse": converse(),
        "exception": exception(),
        "error": error(),
        "every_type": every_type(),
        **{f"random_{seed}": at_random(random.Random(seed)) for seed in range(4)},
    }
    for name, messages in good.items():
        yield name, b"".join(frame(*message) for message in messages)
    yield "empty", b""
    whole = frame(*converse()[0])
    yield "cut_in_prelude", whole + whole[:7]
    yield "cut_in_headers", whole + whole[:30]
    yield "cut_in_checksum", whole + whole[:-1]
    for name, place in [("length", 3), ("headers_length", 7), ("prelude_checksum", 9), ("header", 20), ("payload", -9)]:
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        yield f"damaged_{name}", whole + bytes(damaged) + whole
    yield "damaged_checksum", whole[:-1] + bytes([whole[-1] ^ 1])
    yield "length_beyond_limit", framed(b"", b"x", total=25 * 1024 * 1024)
    yield "header_twice", framed(header("a", "bool", True) + header("a", "text", "b"), b"")
    yield "header_of_unknown_type", framed(b"\x01a\x0a", b"")
    yield "header_not_utf8", framed(b"\x01\xff\x00", b"")
    yield "text_not_utf8", framed(b"\x01a\x07\x00\x01\xff", b"")
    yield "server_sent_events", b'data: {"choices":[]}\n\ndata: [DONE]\n\n'
    prelude = struct.pack(">II", 20, 129 * 1024)
    yield "headers_beyond_limit", prelude + struct.pack(">I", zlib.crc32(prelude)) + bytes(16)


def typed(kind, value):
    """A value as botocore gives it, in the form of the file."""
    match kind:
        case "bytes":
            return value.hex()
        case "uuid":
            return uuid.UUID(bytes=value).hex
        case "timestamp":
            return int(value.timestamp() * 1000) if isinstance(value, datetime.datetime) else value
    return value


def kinds_of(block):
    """Types of the headers, which botocore does not tell."""
    names = {
        0: "bool",
        1: "bool",
        2: "byte",
        3: "short",
        4: "int",
        5: "long",
        6: "bytes",
        7: "text",
        8: "timestamp",
        9: "uuid",
    }
    sizes = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
    kinds = []
    while block:
        code = block[1 + block[0]]
        block = block[2 + block[0] :]
        block = block[sizes[code] :] if code in sizes else block[2 + int.from_bytes(block[:2]) :]
        kinds.append(names[code])
    return kinds


def said(stream):
    """What botocore reads."""
    buffer = eventstream.EventStreamBuffer()
    messages = []
    refused = False
    try:
        buffer.add_data(stream)
        for message in buffer:
            kinds = kinds_of(stream[12 : 12 + message.prelude.headers_length])
            headers = [
                [name, kind, typed(kind, value)]
                for kind, (name, value) in zip(kinds, message.headers.items(), strict=True)
            ]
            messages.append({"headers": headers, "payload": message.payload.decode()})
            stream = stream[message.prelude.total_length :]
    except (eventstream.ParserError, UnicodeDecodeError, KeyError):
        refused = True
    return {"messages": messages, "refused": refused, "left_bytes": 0 if refused else len(stream)}


def expectations():
    lines = (f"{json.dumps(name)}: {json.dumps(said(stream), ensure_ascii=False)}" for name, stream in streams())
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    STREAMS.mkdir(parents=True, exist_ok=True)
    for name, stream in streams():
        (STREAMS / f"{name}.bin").write_bytes(stream)
    FILE.write_text(expectations(), encoding="utf-8")
