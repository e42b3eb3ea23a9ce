"""A provider that is not of our making: an ASGI application of its own, to be served by hypercorn.

Every stream sends one event and then waits until as many streams are open as `AT_ONCE` says, so that none of them ends
unless all of them are there at the same time.
"""

import asyncio
import json
import os

AT_ONCE = int(os.environ["AT_ONCE"])
open_streams = 0
everyone = asyncio.Event()


def chunk(content, finish_reason=None):
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish_reason, "logprobs": None}
    value = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return f"data: {json.dumps(value)}\n\n".encode()


async def application(scope, receive, send):
    global open_streams
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    stream = json.loads(body)["stream"]
    kind = b"text/event-stream" if stream else b"application/json"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    if not stream:
        message = {"role": "assistant", "content": "whole", "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        value = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        await send({"type": "http.response.body", "body": json.dumps(value).encode()})
        return
    open_streams += 1
    if open_streams >= AT_ONCE:
        everyone.set()
    await send({"type": "http.response.body", "body": chunk("first"), "more_body": True})
    await everyone.wait()
    await send({"type": "http.response.body", "body": chunk(" last"), "more_body": True})
    await send({"type": "http.response.body", "body": chunk("", "stop") + b"data: [DONE]\n\n"})
    open_streams -= 1
