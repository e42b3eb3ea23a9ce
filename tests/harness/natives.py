"""Providers that speak Ollama's, Cohere's and Bedrock's own APIs, written from their wire formats, for tests of the gateway in front of them.

They make up answers as the simulated provider does: what was asked is repeated; tools that may be called are called, all of them where the
last message says `parallel`, and none after a result; a schema is filled; limits and stop sequences cut the text. Each request, and each answer
that they give, is judged by the types of the official clients (`judges`), and refused as their own servers refuse; what is wrong is kept in
`invalid`. Streams leave in pieces that are cut without regard to lines or characters.
"""

import base64
import http.server
import itertools
import json
import threading
from types import SimpleNamespace

from judges import frames, judge

WORDS = ["clear", "river", "straße", "holds", "the", "same", "→", "signal", "near", "quiet", "stone", "bridge"]
TOKENS = 24
THOUGHTS = ["The user ", "wants ", "an answer."]
# Bytes of each piece of a stream, in turn.
PIECES = [1, 2, 3, 50, 7, 500]


class Refused(Exception):
    """The provider's own refusal: a status and its words."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.message = status, message


class Native:
    """One provider. `origin` is where it is; what was asked is in `asked`, oldest first, as path, headers and body."""

    dialect = None

    def __init__(self):
        self.asked, self.invalid, self.fault = [], {}, None
        native = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                native.serve(self, self.rfile.read(int(self.headers["content-length"])))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    # As a Simulator has them.

    def stats(self):
        return SimpleNamespace(invalid=self.invalid)

    def fail(self, fault):
        """`status:N`; in a stream `error_after:N`, `eof_after:N`, `break_after:N` events with content: an error, a clean end, a broken one."""
        name, _, number = fault.partition(":")
        self.fault = (name, int(number or 0))

    def heal(self):
        self.fault = None

    @property
    def last(self):
        """The body of the newest request."""
        return self.asked[-1].body

    def serve(self, connection, body):
        fault, number = self.fault or (None, 0)
        try:
            asked = json.loads(body)
            self.asked.append(SimpleNamespace(path=connection.path, headers=connection.headers, body=asked))
            if fault == "status":
                raise Refused(number, self.words_of(number))
            if not self.is_chat(connection.path):
                return self.beside(connection, asked)
            said = judge.request(self.dialect, connection.path, asked)
            if said:
                self.invalid[said[0]] = said
                raise Refused(400, f"invalid request: {said}")
            self.admit(connection.headers, asked)
            answer = Answer(self.wish(asked))
        except Refused as refused:
            error = json.dumps(self.error(refused.message)).encode()
            return self.send(connection, refused.status, "application/json", error)
        if self.is_stream(connection.path, asked):
            return self.stream(connection, list(self.events(asked, answer)), fault, number)
        whole = json.dumps(self.whole(asked, answer)).encode()
        self.judge_answer("whole.json", whole)
        self.send(connection, 200, "application/json; charset=utf-8", whole)

    def is_chat(self, path):
        return path == self.path

    def is_stream(self, path, asked):
        return asked.get("stream", self.streams_unasked)

    def judge_answer(self, name, data):
        for said in judge.answer(self.dialect, name, data):
            self.invalid[f"our own answer: {said}"] = data

    def send(self, connection, status, content_type, body):
        connection.send_response(status)
        connection.send_header("content-type", content_type)
        for name, value in self.headers.items():
            connection.send_header(name, value)
        connection.send_header("content-length", str(len(body)))
        connection.end_headers()
        connection.wfile.write(body)

    def stream(self, connection, events, fault, number):
        """`events` are (has content, bytes)."""
        data = b"".join(event for _, event in events)
        self.judge_answer(self.stream_file, data)
        if fault in ("error_after", "eof_after", "break_after"):
            contents = [at for at, (is_content, _) in enumerate(events) if is_content]
            data = b"".join(event for _, event in events[: contents[number]])
            if fault == "error_after":
                data += self.late_error("the model runner has unexpectedly stopped")
        connection.send_response(200)
        connection.send_header("content-type", self.stream_type)
        connection.send_header("transfer-encoding", "chunked")
        connection.end_headers()
        sizes = itertools.cycle(PIECES)
        while data:
            piece, data = data[: (size := next(sizes))], data[size:]
            connection.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            connection.wfile.flush()
        if fault == "break_after":
            connection.close_connection = True
            connection.connection.close()
        else:
            connection.wfile.write(b"0\r\n\r\n")

    def words_of(self, status):
        return {400: "invalid value", 404: "model 'sim' not found"}.get(status, "told to fail")

    def beside(self, connection, asked):
        raise Refused(404, "404 page not found")


class Wish(SimpleNamespace):
    """What a request asks for: prompt, tools, schema (None: any text), limit, stops, thinks."""


class Answer:
    """What is answered: `thoughts` and `text` are pieces, `calls` are names and inputs, `ending` is natural, limit or calls."""

    def __init__(self, wish):
        self.thoughts = THOUGHTS if wish.thinks else []
        called = wish.tools if "parallel" in wish.prompt else wish.tools[:1]
        self.calls = [(name, example(schema or {"type": "object"})) for name, schema in called]
        self.text, self.ending = [], "calls"
        if not self.calls:
            self.text, self.ending = self.words(wish)
        self.output_tokens = len(self.text) + len(self.thoughts) + 8 * len(self.calls)

    @staticmethod
    def words(wish):
        if wish.schema is not None:
            said = json.dumps(example(wish.schema), ensure_ascii=False)
            return [said[at : at + 6] for at in range(0, len(said), 6)], "natural"
        words = ["You", "said:", *wish.prompt.split()[:6]]
        words += list(itertools.islice(itertools.cycle(WORDS), TOKENS))
        limit = min(TOKENS, wish.limit or TOKENS)
        pieces = [word if at == 0 else f" {word}" for at, word in enumerate(words[:limit])]
        text = "".join(pieces)
        for stop in wish.stops or []:
            if stop in text:
                return [text[: text.index(stop)]], "stop"
        return pieces, "limit" if limit < TOKENS else "natural"


def example(schema):
    """A value that a simple schema allows."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: example(one) for name, one in schema.get("properties", {}).items()}
    if kind == "array":
        return [example(schema.get("items", {}))]
    return {"string": "example", "integer": 1, "number": 0.5, "boolean": True}.get(kind)


class Ollama(Native):
    """A server of Ollama's. Only models with `gpt-oss` in their names know levels of thinking. `call_ids` is what older servers lack."""

    dialect = "ollama"
    path = "/api/chat"
    streams_unasked = True
    stream_file, stream_type = "stream.ndjson", "application/x-ndjson"
    headers = {}
    call_ids = True

    def error(self, message):
        return {"error": message}

    def late_error(self, message):
        return json.dumps(self.error(message)).encode() + b"\n"

    def admit(self, headers, asked):
        think = asked.get("think")
        if isinstance(think, str) and "gpt-oss" not in asked["model"]:
            raise Refused(400, f'think value "{think}" is not supported for this model')
        for message in asked["messages"]:
            for image in message.get("images", []):
                base64.b64decode(image, validate=True)

    def wish(self, asked):
        options, form = asked.get("options", {}), asked.get("format")
        after_result = asked["messages"][-1]["role"] == "tool"
        # A grammar keeps the model from calling anything.
        tools = [] if after_result or form else asked.get("tools", [])
        return Wish(
            prompt=next((one["content"] for one in reversed(asked["messages"]) if one.get("content")), ""),
            tools=[(tool["function"]["name"], tool["function"].get("parameters")) for tool in tools],
            schema={"type": "object", "properties": {"answer": {"type": "string"}}} if form == "json" else form,
            limit=options.get("num_predict"),
            stops=options.get("stop"),
            thinks=bool(asked.get("think")),
        )

    def line(self, asked, done=False, **message):
        said = {"role": "assistant", "content": "", **message}
        return {"model": asked["model"], "created_at": "2026-11-22T07:00:00.123456789Z", "message": said, "done": done}

    def calls(self, answer):
        for at, (name, given) in enumerate(answer.calls):
            call = {"function": {"index": at, "name": name, "arguments": given}}
            yield {"id": f"call_{len(self.asked)}_{at}", **call} if self.call_ids else call

    def end(self, asked, answer):
        return {
            "done_reason": "length" if answer.ending == "limit" else "stop",
            "total_duration": 812345678,
            "load_duration": 12345678,
            "prompt_eval_count": 3 + sum(len(str(one.get("content", ""))) for one in asked["messages"]) // 4,
            "prompt_eval_duration": 100000000,
            "eval_count": answer.output_tokens,
            "eval_duration": 700000000,
        }

    def whole(self, asked, answer):
        message = {"content": "".join(answer.text)}
        if answer.thoughts:
            message["thinking"] = "".join(answer.thoughts)
        if answer.calls:
            message["tool_calls"] = list(self.calls(answer))
        return self.line(asked, done=True, **message) | self.end(asked, answer)

    def events(self, asked, answer):
        lines = [(True, self.line(asked, thinking=thought)) for thought in answer.thoughts]
        lines += [(True, self.line(asked, content=piece)) for piece in answer.text]
        lines += [(True, self.line(asked, tool_calls=[call])) for call in self.calls(answer)]
        lines.append((False, self.line(asked, done=True) | self.end(asked, answer)))
        for is_content, line in lines:
            yield is_content, json.dumps(line, ensure_ascii=False).encode() + b"\n"

    def beside(self, connection, asked):
        """What else the server has is OpenAI's."""
        if connection.path != "/v1/embeddings":
            return super().beside(connection, asked)
        data = [{"object": "embedding", "index": 0, "embedding": [0.5, -0.5]}]
        usage = {"prompt_tokens": 2, "total_tokens": 2}
        said = {"object": "list", "model": asked["model"], "data": data, "usage": usage}
        self.send(connection, 200, "application/json", json.dumps(said).encode())


class Cohere(Native):
    """Cohere's platform, which wants a key and tells on trial what is left."""

    dialect = "cohere_chat"
    path = "/v2/chat"
    streams_unasked = False
    stream_file, stream_type = "stream.sse", "text/event-stream"
    headers = {
        "x-trial-endpoint-call-limit": "20",
        "x-trial-endpoint-call-remaining": "19",
        "x-debug-trace-id": "8f3a61ee",
    }
    plan = "I look it up."

    def error(self, message):
        return {"id": "8f3a61ee", "message": message}

    def late_error(self, message):
        usage = {
            "billed_units": {"input_tokens": 1, "output_tokens": 0},
            "tokens": {"input_tokens": 1, "output_tokens": 0},
        }
        return self.event("message-end", delta={"finish_reason": "ERROR", "error": message, "usage": usage})

    def admit(self, headers, asked):
        if not headers.get("authorization", "").startswith("Bearer sk-canary-"):
            raise Refused(401, "invalid api token")

    def wish(self, asked):
        after_result = asked["messages"][-1]["role"] == "tool" and asked.get("tool_choice") != "REQUIRED"
        tools = [] if after_result or asked.get("tool_choice") == "NONE" else asked.get("tools", [])
        form = asked.get("response_format", {})
        schema = form.get("json_schema", {"type": "object", "properties": {"answer": {"type": "string"}}})
        return Wish(
            prompt=next(filter(None, map(text_of, reversed(asked["messages"]))), ""),
            tools=[(tool["function"]["name"], tool["function"].get("parameters")) for tool in tools],
            schema=schema if form.get("type") == "json_object" else None,
            limit=asked.get("max_tokens"),
            stops=asked.get("stop_sequences"),
            thinks=asked.get("thinking", {}).get("type") == "enabled",
        )

    def end(self, asked, answer):
        reasons = {"natural": "COMPLETE", "stop": "STOP_SEQUENCE", "limit": "MAX_TOKENS", "calls": "TOOL_CALL"}
        given = 3.0 + sum(len(text_of(message)) for message in asked["messages"]) // 4
        billed = {"input_tokens": given, "output_tokens": float(answer.output_tokens)}
        tokens = {"input_tokens": given + 60, "output_tokens": billed["output_tokens"] + 2}
        return {"finish_reason": reasons[answer.ending], "usage": {"billed_units": billed, "tokens": tokens}}

    def calls(self, answer):
        for at, (name, given) in enumerate(answer.calls):
            said = {"name": name, "arguments": json.dumps(given)}
            yield {"id": f"{name}_{len(self.asked)}{at}", "type": "function", "function": said}

    def whole(self, asked, answer):
        message = {"role": "assistant"}
        content = [{"type": "thinking", "thinking": "".join(answer.thoughts)}] if answer.thoughts else []
        if answer.text:
            content.append({"type": "text", "text": "".join(answer.text)})
        if content:
            message["content"] = content
        if answer.calls:
            message |= {"tool_plan": self.plan, "tool_calls": list(self.calls(answer))}
        return {"id": "c14c80c3", "message": message, **self.end(asked, answer)}

    def event(self, name, **members):
        return f"event: {name}\ndata: {json.dumps({'type': name, **members}, ensure_ascii=False)}\n\n".encode()

    def events(self, asked, answer):
        yield False, self.event("message-start", id="c14c80c3", delta={"message": {"role": "assistant"}})
        index = 0
        for kind, pieces in (("thinking", answer.thoughts), ("text", answer.text)):
            if not pieces:
                continue
            opened = {"message": {"content": {"type": kind, kind: ""}}}
            yield False, self.event("content-start", index=index, delta=opened)
            for piece in pieces:
                said = {"message": {"content": {kind: piece}}}
                yield True, self.event("content-delta", index=index, delta=said)
            yield False, self.event("content-end", index=index)
            index += 1
        if answer.calls:
            yield True, self.event("tool-plan-delta", delta={"message": {"tool_plan": self.plan}})
        for at, call in enumerate(self.calls(answer)):
            arguments = call["function"].pop("arguments")
            call["function"]["arguments"] = ""
            yield False, self.event("tool-call-start", index=at, delta={"message": {"tool_calls": call}})
            for cut in range(0, len(arguments), 5):
                said = {"message": {"tool_calls": {"function": {"arguments": arguments[cut : cut + 5]}}}}
                yield True, self.event("tool-call-delta", index=at, delta=said)
            yield False, self.event("tool-call-end", index=at)
        yield False, self.event("message-end", delta=self.end(asked, answer))


class Bedrock(Native):
    """Amazon's Converse. Streams are frames; whether requests are signed rightly is what `peers/clouds` asks."""

    dialect = "bedrock_converse"
    stream_file, stream_type = "stream.bin", "application/vnd.amazon.eventstream"
    headers = {"x-amzn-requestid": "8f3a61ee"}

    def is_chat(self, path):
        return path.startswith("/model/") and path.rpartition("/")[2] in ("converse", "converse-stream")

    def is_stream(self, path, asked):
        return path.endswith("-stream")

    def error(self, message):
        return {"message": message}

    def late_error(self, message):
        return frames.encode([{"exception": "internalServerException", "payload": {"message": message}}])

    def admit(self, headers, asked):
        if not headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
            raise Refused(403, "Missing Authentication Token")

    def wish(self, asked):
        said = [part for message in asked["messages"] for part in message["content"]]
        tools = asked.get("toolConfig", {})
        after_result = any("toolResult" in part for part in asked["messages"][-1]["content"])
        choice = tools.get("toolChoice", {})
        offered = [tool["toolSpec"] for tool in tools.get("tools", []) if "toolSpec" in tool]
        if "tool" in choice:
            offered = [tool for tool in offered if tool["name"] == choice["tool"]["name"]]
        elif after_result and "any" not in choice:
            offered = []
        form = asked.get("outputConfig", {}).get("textFormat")
        limits = asked.get("inferenceConfig", {})
        return Wish(
            prompt=next((part["text"] for part in reversed(said) if part.get("text")), ""),
            tools=[(tool["name"], tool["inputSchema"]["json"]) for tool in offered],
            schema=json.loads(form["structure"]["jsonSchema"]["schema"]) if form else None,
            limit=limits.get("maxTokens"),
            stops=limits.get("stopSequences"),
            # Without a signature, which is the maker's, nobody is shown any.
            thinks=False,
        )

    def end(self, answer):
        reasons = {
            "natural": "end_turn",
            "stop": "stop_sequence",
            "limit": "max_tokens",
            "calls": "tool_use",
        }
        return {"stopReason": reasons[answer.ending]}

    def counts(self, asked, answer):
        given = 3 + sum(len(json.dumps(message)) for message in asked["messages"]) // 40
        spent = {"inputTokens": given, "outputTokens": answer.output_tokens}
        return {"usage": {**spent, "totalTokens": sum(spent.values())}, "metrics": {"latencyMs": 7}}

    def calls(self, answer):
        for at, (name, given) in enumerate(answer.calls):
            yield {"toolUseId": f"tooluse_{len(self.asked)}_{at}", "name": name}, given

    def whole(self, asked, answer):
        content = [{"text": "".join(answer.text)}] if answer.text else []
        content += [{"toolUse": {**call, "input": given}} for call, given in self.calls(answer)]
        message = {"role": "assistant", "content": content}
        return {"output": {"message": message}, **self.end(answer), **self.counts(asked, answer)}

    def events(self, asked, answer):
        def frame(name, **payload):
            return frames.frame({"event": name, "payload": payload})

        yield False, frame("messageStart", role="assistant")
        at = 0
        if answer.text:
            for piece in answer.text:
                yield True, frame("contentBlockDelta", delta={"text": piece}, contentBlockIndex=at)
            yield False, frame("contentBlockStop", contentBlockIndex=at)
            at += 1
        for call, given in self.calls(answer):
            yield False, frame("contentBlockStart", start={"toolUse": call}, contentBlockIndex=at)
            given = json.dumps(given)
            for cut in range(0, len(given), 5):
                delta = {"toolUse": {"input": given[cut : cut + 5]}}
                yield True, frame("contentBlockDelta", delta=delta, contentBlockIndex=at)
            yield False, frame("contentBlockStop", contentBlockIndex=at)
            at += 1
        yield False, frame("messageStop", **self.end(answer))
        yield False, frame("metadata", **self.counts(asked, answer))


def text_of(message):
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") for part in content if part.get("type") == "text")
