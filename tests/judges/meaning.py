"""What an answer says, whatever its dialect: text, thoughts, refusal, calls, how it ended, and normalised usage.

`meaning(dialect, name, data)` reads the first of several answers. A stream is put together from its pieces, so that it can be held
against the whole answer, and the answer that a client receives against the one that the provider gave. Usage is by the table in the
design: what OpenAI and Google count twice is counted once. This is a second opinion on the gateway's own reading, so it shares
nothing with it.
"""

import json

from judges.judge import bedrock, events_of

FINISH = {
    "stop": ("stop", "end_turn", "stop_sequence", "STOP", "COMPLETE", "STOP_SEQUENCE", "completed"),
    "length": (
        *("length", "model_length", "max_tokens", "model_context_window_exceeded", "pause_turn"),
        *("MAX_TOKENS", "max_output_tokens"),
    ),
    "tool_calls": ("tool_calls", "function_call", "tool_use", "TOOL_CALL"),
    "content_filter": (
        *("content_filter", "sensitive", "refusal", "guardrail_intervened", "content_filtered"),
        *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"),
    ),
}
NORMAL = {name: normal for normal, names in FINISH.items() for name in names}


class Answer:
    def __init__(self):
        self.text = self.thoughts = self.refusal = ""
        self.calls = {}
        self.finish = self.usage = None

    def call(self, place, name=None, arguments=""):
        known = self.calls.setdefault(place, ["", ""])
        known[0] += name or ""
        known[1] += arguments if isinstance(arguments, str) else json.dumps(arguments)

    def as_dict(self):
        finish = NORMAL.get(self.finish, self.finish)
        # Google and Ollama say that it stopped, and mean that they wait for results; Responses says that it is complete.
        if self.calls and finish == "stop":
            finish = "tool_calls"
        said = {"text": self.text, "thoughts": self.thoughts, "refusal": self.refusal, "finish": finish}
        said["calls"] = [[name, json.loads(arguments or "{}")] for _, (name, arguments) in sorted(self.calls.items())]
        said["usage"] = self.usage and {
            name: count for name, count in self.usage.items() if count or name in ("input", "output")
        }
        return {name: value for name, value in said.items() if value}


def meaning(dialect, name, data):
    kind = name.rpartition(".")[2]
    is_whole = kind == "json"
    if is_whole:
        events = [json.loads(data)]
    elif kind == "ndjson":
        events = [json.loads(line) for line in data.decode().splitlines()]
    elif kind == "bin":
        events, _ = bedrock().frames(data) if dialect == "bedrock_converse" else bedrock().invoked(data)
    else:
        events = [value for _, value in events_of(data.decode(), None)[0]]
    answer = Answer()
    for event in events:
        READERS[dialect](answer, event, is_whole)
    return answer.as_dict()


def chat(answer, event, is_whole):
    for choice in event["choices"]:
        if choice["index"]:
            continue
        message = choice["message" if is_whole else "delta"]
        parts = message.get("content") or ""
        for part in parts if isinstance(parts, list) else [{"type": "text", "text": parts}]:
            if part["type"] == "thinking":
                answer.thoughts += "".join(one["text"] for one in part["thinking"])
            else:
                answer.text += part["text"]
        answer.thoughts += message.get("reasoning_content") or message.get("reasoning") or ""
        answer.refusal += message.get("refusal") or ""
        for at, call in enumerate(message.get("tool_calls") or []):
            answer.call(
                call.get("index", at) if not is_whole else at,
                call["function"].get("name"),
                call["function"]["arguments"],
            )
        answer.finish = choice.get("finish_reason") or answer.finish
    usage = event.get("usage") or (event.get("x_groq") or {}).get("usage")
    if usage:
        read = usage.get("prompt_cache_hit_tokens", (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0))
        written = (usage.get("prompt_tokens_details") or {}).get("cache_write_tokens", 0)
        reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens", 0)
        # xAI's total says that its thoughts are not among its completion's tokens.
        output = usage["total_tokens"] - usage["prompt_tokens"]
        answer.usage = of(usage["prompt_tokens"] - read - written, output, read, written, reasoning=reasoning)


def of(given, output, read=0, written_5m=0, written_1h=0, reasoning=0):
    counts = (given, read, written_5m, written_1h, output, reasoning)
    return dict(zip(("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning"), counts))


def responses(answer, event, is_whole):
    if not is_whole:
        kind, at = event["type"], event.get("output_index")
        if kind == "response.output_text.delta":
            answer.text += event["delta"]
        elif kind in ("response.reasoning_summary_text.delta", "response.reasoning_text.delta"):
            answer.thoughts += event["delta"]
        elif kind == "response.refusal.delta":
            answer.refusal += event["delta"]
        elif kind == "response.output_item.added" and event["item"]["type"] == "function_call":
            answer.call(at, event["item"]["name"])
        elif kind == "response.function_call_arguments.delta":
            answer.call(at, None, event["delta"])
        if kind not in ("response.completed", "response.incomplete"):
            return
    body = event if is_whole else event["response"]
    for at, item in enumerate(body["output"] if is_whole else []):
        if item["type"] == "message":
            answer.text += "".join(part.get("text", "") for part in item["content"])
            answer.refusal += "".join(part.get("refusal", "") for part in item["content"])
        elif item["type"] == "reasoning":
            answer.thoughts += "".join(part["text"] for part in item["summary"])
        elif item["type"] == "function_call":
            answer.call(at, item["name"], item["arguments"])
    answer.finish = (body.get("incomplete_details") or {}).get("reason") or body["status"]
    usage = body.get("usage")
    if usage:
        read = usage["input_tokens_details"]["cached_tokens"]
        written = usage["input_tokens_details"].get("cache_write_tokens", 0)
        reasoning = usage["output_tokens_details"]["reasoning_tokens"]
        given = usage["input_tokens"] - read - written
        answer.usage = of(given, usage["output_tokens"], read, written, reasoning=reasoning)


def anthropic(answer, event, is_whole):
    kind = event.get("type")
    if kind == "message":
        for at, block in enumerate(event["content"]):
            answer.text += block.get("text", "")
            answer.thoughts += block.get("thinking", "")
            if block["type"] == "tool_use":
                answer.call(at, block["name"], block["input"])
        answer.finish = event["stop_reason"]
        anthropic_usage(answer, event["usage"])
    elif kind == "message_start":
        anthropic_usage(answer, event["message"]["usage"])
    elif kind == "content_block_start" and event["content_block"]["type"] == "tool_use":
        answer.call(event["index"], event["content_block"]["name"])
    elif kind == "content_block_delta":
        delta = event["delta"]
        answer.text += delta.get("text", "")
        answer.thoughts += delta.get("thinking", "")
        if "partial_json" in delta:
            answer.call(event["index"], None, delta["partial_json"])
    elif kind == "message_delta":
        answer.finish = event["delta"]["stop_reason"]
        anthropic_usage(answer, event["usage"])


def anthropic_usage(answer, usage):
    """What the last event repeats replaces what the first said; how long a cache lives is in the first alone."""
    known = answer.usage or of(0, 0)
    split = usage.get("cache_creation")
    written = usage.get("cache_creation_input_tokens")
    if split:
        known["cache_write_5m"], known["cache_write_1h"] = (
            split["ephemeral_5m_input_tokens"],
            split["ephemeral_1h_input_tokens"],
        )
    elif written is not None and known["cache_write_5m"] + known["cache_write_1h"] != written:
        known["cache_write_5m"] = written
    for name, theirs in (
        ("input", "input_tokens"),
        ("cache_read", "cache_read_input_tokens"),
        ("output", "output_tokens"),
    ):
        known[name] = known[name] if usage.get(theirs) is None else usage[theirs]
    known["reasoning"] = (usage.get("output_tokens_details") or {}).get("thinking_tokens", known["reasoning"])
    answer.usage = known


def gemini(answer, event, is_whole):
    if (event.get("promptFeedback") or {}).get("blockReason"):
        answer.finish = "content_filter"
    for candidate in event.get("candidates", []):
        if candidate.get("index"):
            continue
        for part in candidate.get("content", {}).get("parts", []):
            if part.get("thought"):
                answer.thoughts += part["text"]
            else:
                answer.text += part.get("text", "")
            if "functionCall" in part:
                answer.call(len(answer.calls), part["functionCall"]["name"], part["functionCall"].get("args", {}))
        answer.finish = candidate.get("finishReason") or answer.finish
    usage = event.get("usageMetadata")
    if usage:
        read, thoughts = usage.get("cachedContentTokenCount", 0), usage.get("thoughtsTokenCount", 0)
        given = usage.get("promptTokenCount", 0) + usage.get("toolUsePromptTokenCount", 0) - read
        answer.usage = of(given, usage.get("candidatesTokenCount", 0) + thoughts, read, reasoning=thoughts)


def converse(answer, event, is_whole):
    if is_whole:
        for at, block in enumerate(event["output"]["message"]["content"]):
            answer.text += block.get("text", "")
            answer.thoughts += block.get("reasoningContent", {}).get("reasoningText", {}).get("text", "")
            if "toolUse" in block:
                answer.call(at, block["toolUse"]["name"], block["toolUse"]["input"])
        answer.finish = event["stopReason"]
    if "contentBlockStart" in event and "toolUse" in event["contentBlockStart"]["start"]:
        begun = event["contentBlockStart"]
        answer.call(begun["contentBlockIndex"], begun["start"]["toolUse"]["name"])
    if "contentBlockDelta" in event:
        delta = event["contentBlockDelta"]["delta"]
        answer.text += delta.get("text", "")
        answer.thoughts += delta.get("reasoningContent", {}).get("text", "")
        if "toolUse" in delta:
            answer.call(event["contentBlockDelta"]["contentBlockIndex"], None, delta["toolUse"]["input"])
    if "messageStop" in event:
        answer.finish = event["messageStop"]["stopReason"]
    usage = event.get("usage") or event.get("metadata", {}).get("usage")
    if usage:
        written = {one["ttl"]: one["inputTokens"] for one in usage.get("cacheDetails", [])}
        read = usage.get("cacheReadInputTokens", 0)
        answer.usage = of(usage["inputTokens"], usage["outputTokens"], read, written.get("5m", 0), written.get("1h", 0))


def cohere(answer, event, is_whole):
    end = event if is_whole else event.get("delta", {}) if event["type"] == "message-end" else {}
    if is_whole:
        message = event["message"]
        answer.text = "".join(part.get("text", "") for part in message.get("content") or [])
        answer.thoughts = "".join(part.get("thinking", "") for part in message.get("content") or [])
        for at, call in enumerate(message.get("tool_calls") or []):
            answer.call(at, call["function"]["name"], call["function"]["arguments"])
    elif event["type"] in ("content-start", "content-delta"):
        content = event["delta"]["message"]["content"]
        answer.text += content.get("text", "")
        answer.thoughts += content.get("thinking", "")
    elif event["type"] in ("tool-call-start", "tool-call-delta"):
        function = event["delta"]["message"]["tool_calls"]["function"]
        answer.call(event["index"], function.get("name"), function["arguments"])
    answer.finish = end.get("finish_reason") or answer.finish
    if "usage" in end:
        read = end["usage"].get("cached_tokens", 0)
        billed = end["usage"]["billed_units"]
        answer.usage = of(billed["input_tokens"] - read, billed["output_tokens"], read)


def ollama(answer, event, is_whole):
    answer.text += event["message"].get("content", "")
    answer.thoughts += event["message"].get("thinking", "")
    for call in event["message"].get("tool_calls", []):
        answer.call(len(answer.calls), call["function"]["name"], call["function"]["arguments"])
    if event["done"]:
        answer.finish = event["done_reason"]
        answer.usage = of(event.get("prompt_eval_count", 0), event.get("eval_count", 0))


READERS = {
    "openai_chat": chat,
    "mistral": chat,
    "openai_responses": responses,
    "anthropic_messages": anthropic,
    "anthropic_elsewhere": anthropic,
    "gemini": gemini,
    "bedrock_converse": converse,
    "cohere_chat": cohere,
    "ollama": ollama,
}
