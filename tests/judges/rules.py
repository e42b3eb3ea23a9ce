"""What providers demand beyond types, dialect by dialect: who answers which call, what may stand beside what, in which order.

Each rule is one that a provider's documents state, or that its server is known to answer with 400. Rules for a stream say what
the client's own accumulation relies on.
"""

import json
import re

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
NAME_OF_ANTHROPIC = re.compile(r"[a-zA-Z0-9_-]{1,128}")
NAME_OF_GEMINI = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")


def broken(dialect, body):
    """The rules that a request breaks whose types are right."""
    rules = {
        "openai_chat": openai_chat,
        "mistral": mistral,
        "openai_responses": openai_responses,
        "anthropic_messages": anthropic,
        "anthropic_elsewhere": anthropic,
        "gemini": gemini,
        "bedrock_converse": bedrock,
        "cohere_chat": cohere,
        "ollama": ollama,
    }
    return list(rules[dialect](body))


def broken_stream(dialect, events):
    rules = {
        "openai_chat": chat_stream,
        "mistral": chat_stream,
        "openai_responses": responses_stream,
        "anthropic_messages": anthropic_stream,
        "anthropic_elsewhere": anthropic_stream,
        "gemini": gemini_stream,
        "bedrock_converse": bedrock_stream,
        "cohere_chat": cohere_stream,
        "ollama": ollama_stream,
    }
    return list(rules[dialect](events))


# ---- requests ----


def openai_chat(body):
    pending = None
    for at, message in enumerate(body["messages"]):
        if message["role"] == "tool":
            if message["tool_call_id"] not in (pending or ()):
                yield f"messages[{at}]: answers no open call: {message['tool_call_id']}"
            else:
                pending.discard(message["tool_call_id"])
            continue
        if pending:
            yield f"messages[{at}]: calls are not answered: {sorted(pending)}"
        calls = message.get("tool_calls") or []
        pending = {call["id"] for call in calls}
        if (
            message["role"] == "assistant"
            and not (calls or message.get("function_call"))
            and message.get("content") is None
            and not message.get("refusal")
        ):
            yield f"messages[{at}]: an assistant's turn without content and calls"
        for call in calls:
            if "function" in call:
                yield from arguments(call["function"]["arguments"], f"messages[{at}]")
    if pending:
        yield f"calls are not answered: {sorted(pending)}"
    functions = [tool["function"] for tool in body.get("tools") or [] if "function" in tool]
    yield from tools([function["name"] for function in functions], NAME)
    for function in functions:
        if function.get("strict"):
            yield from strict_schema(function.get("parameters", {}), f"tool {function['name']}")
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice["type"] == "function":
        yield from chosen(choice["function"]["name"], [function["name"] for function in functions])
    if isinstance(choice, dict) and choice["type"] == "allowed_tools":
        known = [{"type": "function", "function": {"name": function["name"]}} for function in functions]
        yield from (
            f"{tool} is allowed, and not known" for tool in choice["allowed_tools"]["tools"] if tool not in known
        )
    if choice and choice != "none" and not body.get("tools"):
        yield "tool_choice without tools"
    if "parallel_tool_calls" in body and not body.get("tools"):
        yield "parallel_tool_calls without tools"
    if isinstance(body.get("stop"), list) and len(body["stop"]) > 4:
        yield "more than four stop sequences"
    if "top_logprobs" in body and not body.get("logprobs"):
        yield "top_logprobs without logprobs"
    if "max_tokens" in body and "max_completion_tokens" in body:
        yield "both max_tokens and max_completion_tokens"
    if "stream_options" in body and not body.get("stream"):
        yield "stream_options without stream"
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        yield from tools([form["json_schema"]["name"]], NAME)
        if form["json_schema"].get("strict"):
            yield from strict_schema(form["json_schema"].get("schema", {}), "response_format")
    yield from ranges(
        body,
        temperature=(0, 2),
        top_p=(0, 1),
        frequency_penalty=(-2, 2),
        presence_penalty=(-2, 2),
        n=(1, 128),
        top_logprobs=(0, 20),
    )


def mistral(body):
    yield from openai_chat(body)
    roles = [message["role"] for message in body["messages"]]
    for at, message in enumerate(body["messages"]):
        # "Unexpected role 'user' after role 'tool'", as its server says.
        if at and roles[at - 1 : at + 1] == ["tool", "user"]:
            yield f"messages[{at}]: a user's turn directly after a result"
        for call in message.get("tool_calls") or []:
            if not re.fullmatch("[a-zA-Z0-9]{9}", call.get("id", "")):
                yield f"messages[{at}]: an id that is not nine letters and digits: {call.get('id')}"
    if roles[-1:] == ["assistant"] and not body["messages"][-1].get("prefix"):
        yield "the last turn is the assistant's, and no prefix"


def openai_responses(body):
    calls, answered = set(), set()
    for at, item in enumerate(body["input"] if isinstance(body.get("input"), list) else []):
        if item.get("type") == "function_call":
            calls.add(item["call_id"])
            yield from arguments(item["arguments"], f"input[{at}]")
        if item.get("type") == "function_call_output":
            # The call may be of an earlier response that the server keeps.
            if item["call_id"] not in calls and not body.get("previous_response_id") and not body.get("conversation"):
                yield f"input[{at}]: answers no call: {item['call_id']}"
            answered.add(item["call_id"])
    if calls - answered:
        yield f"calls are not answered: {sorted(calls - answered)}"
    functions = [tool for tool in body.get("tools") or [] if tool["type"] == "function"]
    yield from tools([function["name"] for function in functions], NAME)
    for function in functions:
        if function.get("strict"):
            yield from strict_schema(function.get("parameters") or {}, f"tool {function['name']}")
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice["type"] == "function":
        yield from chosen(choice["name"], [function["name"] for function in functions])
    if isinstance(choice, dict) and choice["type"] == "allowed_tools":
        known = [{"type": "function", "name": function["name"]} for function in functions]
        known += [{"type": tool["type"]} for tool in body.get("tools") or [] if tool["type"] != "function"]
        yield from (f"{tool} is allowed, and not known" for tool in choice["tools"] if tool not in known)
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema" and form.get("strict"):
        yield from strict_schema(form["schema"], "text.format")
    yield from ranges(body, temperature=(0, 2), top_p=(0, 1), max_output_tokens=(16, None), top_logprobs=(0, 20))


def anthropic(body):
    messages = body["messages"]
    if not messages or messages[0]["role"] != "user":
        yield "the first message is not the user's"
    marks, pending = 0, set()
    blocks_of_system = body.get("system") if isinstance(body.get("system"), list) else []
    for at, message in enumerate(messages):
        blocks = (
            message["content"]
            if isinstance(message["content"], list)
            else [{"type": "text", "text": message["content"]}]
        )
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if message["role"] != "system" and pending - set(results):
            yield f"messages[{at}]: calls are not answered: {sorted(pending - set(results))}"
        for result in results:
            if result not in pending:
                yield f"messages[{at}]: answers no call of the turn before: {result}"
        kinds = [block["type"] == "tool_result" for block in blocks]
        if kinds != sorted(kinds, reverse=True):
            yield f"messages[{at}]: a tool result after other content"
        if message["role"] != "system":
            pending = {block["id"] for block in blocks if block["type"] == "tool_use"}
        if not blocks:
            yield f"messages[{at}]: no content"
        yield from (
            f"messages[{at}]: an empty text" for block in blocks if block["type"] == "text" and not block["text"]
        )
        yield from tools(
            [block["name"] for block in blocks if block["type"] == "tool_use"], NAME_OF_ANTHROPIC, twice=True
        )
        marks += sum("cache_control" in block for block in blocks)
    if pending:
        yield f"calls are not answered: {sorted(pending)}"
    if blocks_of_system and any(not block["text"] for block in blocks_of_system):
        yield "system: an empty text"
    marks += sum("cache_control" in thing for thing in [*blocks_of_system, *body.get("tools", [])])
    if marks > 4:
        yield "more than four cache breakpoints"
    names = [tool["name"] for tool in body.get("tools", []) if "name" in tool]
    yield from tools(names, NAME_OF_ANTHROPIC)
    if pending_blocks(messages, "tool_use", "tool_result") and not names:
        yield "tool blocks in the history, and no tools"
    choice = body.get("tool_choice") or {}
    if choice and not names:
        yield "tool_choice without tools"
    if choice.get("type") == "tool":
        yield from chosen(choice["name"], names)
    thinking = body.get("thinking") or {}
    if thinking.get("type") == "enabled":
        yield from ranges(thinking, budget_tokens=(1024, body["max_tokens"] - 1))
    if thinking.get("type") in ("enabled", "adaptive"):
        if choice.get("type") in ("any", "tool"):
            yield "a tool is forced while thinking"
        if body.get("temperature", 1) != 1 or "top_k" in body or body.get("top_p", 1) < 0.95:
            yield "sampling parameters while thinking"
    for sequence in body.get("stop_sequences", []):
        if not sequence.strip() and sequence.strip(" \t\r\n") == sequence:
            yield "an empty stop sequence"
    form = (body.get("output_config") or {}).get("format")
    if form:
        yield from closed_schema(form["schema"], "output_config.format")
    yield from ranges(body, temperature=(0, 1), top_p=(0, 1), top_k=(1, None), max_tokens=(0, None))


def gemini(body):
    pending = []
    for at, content in enumerate(body["contents"]):
        parts = content.get("parts") or []
        if content.get("role") not in ("user", "model"):
            yield f"contents[{at}]: the role is {content.get('role')}"
        if not parts:
            yield f"contents[{at}]: no parts"
        for part in parts:
            data = [name for name in part if name in DATA_OF_A_PART]
            if len(data) != 1:
                yield f"contents[{at}]: a part with {data or 'nothing'} in it"
        answers = [part["functionResponse"] for part in parts if "functionResponse" in part]
        if pending or answers:
            if sorted(call["name"] for call in pending) != sorted(answer["name"] for answer in answers):
                yield f"contents[{at}]: as many answers as calls, by the same names, are wanted"
            if {call["id"] for call in pending if "id" in call} != {
                answer["id"] for answer in answers if "id" in answer
            }:
                yield f"contents[{at}]: other ids than those of the calls"
        pending = [part["functionCall"] for part in parts if "functionCall" in part]
        if pending and content.get("role") != "model":
            yield f"contents[{at}]: a call by the user"
    if pending:
        yield "calls are not answered"
    if body["contents"] and body["contents"][0].get("role") == "model":
        yield "the first content is the model's"
    functions = [function for tool in body.get("tools") or [] for function in tool.get("functionDeclarations") or []]
    yield from tools([function.get("name", "") for function in functions], NAME_OF_GEMINI)
    for function in functions:
        if "parameters" in function and "parametersJsonSchema" in function:
            yield f"{function['name']}: both kinds of parameters"
    choice = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    if choice.get("allowedFunctionNames"):
        if choice.get("mode") not in ("ANY", "VALIDATED"):
            yield "allowedFunctionNames where no call is forced"
        for name in choice["allowedFunctionNames"]:
            yield from chosen(name, [function["name"] for function in functions])
    config = body.get("generationConfig") or {}
    if "responseSchema" in config and "responseJsonSchema" in config:
        yield "both kinds of response schema"
    if ("responseSchema" in config or "responseJsonSchema" in config) and config.get("responseMimeType") not in (
        "application/json",
        "text/x.enum",
    ):
        yield "a response schema without responseMimeType"
    thinking = config.get("thinkingConfig") or {}
    if "thinkingBudget" in thinking and "thinkingLevel" in thinking:
        yield "both thinkingBudget and thinkingLevel"
    if "logprobs" in config and not config.get("responseLogprobs"):
        yield "logprobs without responseLogprobs"
    if len(config.get("stopSequences") or []) > 5:
        yield "more than five stop sequences"
    yield from ranges(config, temperature=(0, 2), topP=(0, 1), candidateCount=(1, 8), maxOutputTokens=(1, None))


DATA_OF_A_PART = (
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
)


def bedrock(body):
    turns = [message for message in body.get("messages", []) if message["role"] != "system"]
    if not turns or turns[0]["role"] != "user":
        yield "the first message is not the user's"
    pending, used = set(), False
    for at, message in enumerate(turns):
        if at and turns[at - 1]["role"] == message["role"]:
            yield f"messages[{at}]: the same role twice"
        if not message["content"]:
            yield f"messages[{at}]: no content"
        results = {block["toolResult"]["toolUseId"] for block in message["content"] if "toolResult" in block}
        if results != pending:
            yield f"messages[{at}]: answers {sorted(results)} where {sorted(pending)} are open"
        pending = {block["toolUse"]["toolUseId"] for block in message["content"] if "toolUse" in block}
        used = used or bool(results or pending)
        yield from (f"messages[{at}]: an empty text" for block in message["content"] if block.get("text") == "")
    if pending:
        yield f"calls are not answered: {sorted(pending)}"
    config = body.get("toolConfig") or {}
    names = [tool["toolSpec"]["name"] for tool in config.get("tools", []) if "toolSpec" in tool]
    yield from tools(names, NAME)
    if used and not names:
        yield "tool blocks in the history, and no toolConfig"
    if "tool" in config.get("toolChoice", {}):
        yield from chosen(config["toolChoice"]["tool"]["name"], names)
    form = (body.get("outputConfig") or {}).get("textFormat")
    if form:
        try:
            yield from closed_schema(json.loads(form["structure"]["jsonSchema"]["schema"]), "outputConfig")
        except ValueError:
            yield "outputConfig: the schema is no JSON"


def cohere(body):
    pending = set()
    for at, message in enumerate(body["messages"]):
        if message["role"] == "tool":
            if message["tool_call_id"] not in pending:
                yield f"messages[{at}]: answers no open call"
            pending.discard(message["tool_call_id"])
            continue
        if pending:
            yield f"messages[{at}]: calls are not answered"
        pending = {call["id"] for call in message.get("tool_calls") or []}
        for call in message.get("tool_calls") or []:
            yield from arguments(call["function"]["arguments"], f"messages[{at}]")
    if pending:
        yield "calls are not answered"
    yield from tools([tool["function"]["name"] for tool in body.get("tools") or []], NAME)
    if body.get("tool_choice") and not body.get("tools"):
        yield "tool_choice without tools"
    if body.get("response_format", {}).get("type") == "json_object" and (body.get("tools") or body.get("documents")):
        yield "response_format with tools or documents"
    if len(body.get("stop_sequences", [])) > 5:
        yield "more than five stop sequences"
    yield from ranges(
        body, temperature=(0, 1), p=(0.01, 0.99), k=(0, 500), frequency_penalty=(0, 1), presence_penalty=(0, 1)
    )


def ollama(body):
    yield from tools([tool["function"]["name"] for tool in body.get("tools") or []], NAME)
    for at, message in enumerate(body["messages"]):
        if message["role"] == "tool" and "tool_name" not in message and "tool_call_id" not in message:
            yield f"messages[{at}]: a result that says of which tool in no way"


# ---- what several demand ----


# What a model left unfinished, in the golden request tool_call_malformed: these APIs take it back as it is.
UNFINISHED = '{"city": "Par'


def arguments(text, where):
    if text == UNFINISHED:
        return
    try:
        if not isinstance(json.loads(text), dict):
            yield f"{where}: the arguments are no object"
    except ValueError:
        yield f"{where}: the arguments are no JSON: {text!r}"


def tools(names, pattern, twice=False):
    yield from (f"{name!r} is no name" for name in names if not pattern.fullmatch(name))
    if not twice and len(set(names)) < len(names):
        yield f"a name twice: {names}"


def chosen(name, names):
    if name not in names:
        yield f"{name} is chosen, which is none of {names}"


def ranges(body, **bounds):
    for name, (low, high) in bounds.items():
        value = body.get(name)
        if value is not None and not ((low is None or value >= low) and (high is None or value <= high)):
            yield f"{name} is {value}, not within {low} and {high}"


def pending_blocks(messages, *kinds):
    return [
        block
        for message in messages
        for block in (message["content"] if isinstance(message["content"], list) else [])
        if block["type"] in kinds
    ]


def objects_of(schema, path):
    """Every schema below this one, with its path."""
    if isinstance(schema, list):
        for at, one in enumerate(schema):
            yield from objects_of(one, f"{path}[{at}]")
    if not isinstance(schema, dict):
        return
    yield path, schema
    for name in ("items", "additionalProperties", "not", "anyOf", "allOf", "oneOf", "prefixItems"):
        yield from objects_of(schema.get(name), f"{path}.{name}")
    for name in ("properties", "$defs", "definitions"):
        for key, one in schema.get(name, {}).items():
            yield from objects_of(one, f"{path}.{name}.{key}")


def closed_schema(schema, where):
    """Anthropic's and Bedrock's subset: every object closed, no bounds, no references out of the document."""
    for path, one in objects_of(schema, where):
        if ("properties" in one or one.get("type") == "object") and one.get("additionalProperties") is not False:
            yield f"{path}: additionalProperties is not false"
        for name in UNKNOWN_TO_ANTHROPIC & set(one):
            yield f"{path}: {name} is not known"
        if one.get("minItems", 0) > 1:
            yield f"{path}: minItems above 1"
        if not str(one.get("$ref", "#")).startswith("#"):
            yield f"{path}: refers to another document"


UNKNOWN_TO_ANTHROPIC = {
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems"),
    *("uniqueItems", "contains", "prefixItems", "patternProperties", "propertyNames", "minProperties", "maxProperties"),
    *(
        "dependentRequired",
        "dependentSchemas",
        "if",
        "then",
        "else",
        "not",
        "oneOf",
        "unevaluatedProperties",
        "unevaluatedItems",
    ),
}


def strict_schema(schema, where):
    """OpenAI's subset for `strict`: an object at the root, everything required and closed, references alone in their object."""
    if schema.get("type") != "object" or "anyOf" in schema:
        yield f"{where}: the root is no plain object"
    for path, one in objects_of(schema, where):
        if "properties" in one or one.get("type") == "object":
            if one.get("additionalProperties") is not False:
                yield f"{path}: additionalProperties is not false"
            if set(one.get("required", [])) != set(one.get("properties", {})):
                yield f"{path}: not every property is required"
        for name in ("allOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas"):
            if name in one:
                yield f"{path}: {name} is not known"
        if "$ref" in one and len(one) > 1:
            yield f"{path}: $ref beside something else"


# ---- answers ----


def broken_error(dialect, value, path):
    """The shapes of errors: each client reads a code and a message from certain places."""
    error = value.get("error")
    if dialect == "cohere_chat":
        good = set(value) <= {"message", "id", "data"}
    elif dialect == "mistral":
        good = isinstance(value.get("message"), (str, dict)) and "type" in value
    elif dialect == "ollama":
        good = isinstance(error, str)
    elif not isinstance(error, dict):
        good = False
    elif dialect in ("anthropic_messages", "anthropic_elsewhere"):
        good = (
            value.get("type") == "error"
            and set(error) >= {"type", "message"}
            and set(value) <= {"type", "error", "request_id"}
        )
    elif dialect == "gemini":
        good = (
            isinstance(error.get("code"), int)
            and isinstance(error.get("status"), str)
            and isinstance(error.get("message"), str)
        )
    else:
        good = isinstance(error.get("message"), str) and set(error) >= {"message", "type"}
    return [] if good else [f"{path}: no error of {dialect}: {value}"]


def anthropic_stream(events):
    kinds = [event["type"] for event in events]
    if kinds and kinds[0] not in ("message_start", "error"):
        yield f"begins with {kinds[0]}"
    is_open, next_index = None, 0
    for at, event in enumerate(events):
        kind = event["type"]
        if kind == "content_block_start":
            if is_open is not None or event["index"] != next_index:
                yield f"event {at}: block {event['index']} opens where {next_index} is next and {is_open} is open"
            is_open = event["index"]
            next_index = is_open + 1
        if kind in ("content_block_delta", "content_block_stop") and event["index"] != is_open:
            yield f"event {at}: block {event['index']} is not open"
        if kind == "content_block_stop":
            is_open = None
        if kind in ("message_delta", "message_stop") and is_open is not None:
            yield f"event {at}: block {is_open} is still open"
    if "message_stop" not in kinds and "error" not in kinds:
        yield "message_stop is missing"


def responses_stream(events):
    numbers = [event.get("sequence_number") for event in events]
    if numbers != sorted(set(numbers)):
        yield "the sequence numbers do not rise"
    last = events[-1]["type"] if events else None
    if last not in ("response.completed", "response.incomplete", "response.failed", "error"):
        yield f"ends with {last}"


def chat_stream(events):
    # An error ends a stream without anything else.
    chunks = [event for event in events if "choices" in event]
    finished = {choice["index"] for chunk in chunks for choice in chunk["choices"] if choice.get("finish_reason")}
    opened = {choice["index"] for chunk in chunks for choice in chunk["choices"]}
    if opened - finished and len(chunks) == len(events):
        yield f"no finish reason for {sorted(opened - finished)}"
    named = set()
    for at, chunk in enumerate(chunks):
        for choice in chunk["choices"]:
            for call in choice["delta"].get("tool_calls") or []:
                place = (choice["index"], call["index"])
                if place not in named and not (call.get("id") and call["function"].get("name")):
                    yield f"chunk {at}: call {place} begins without id and name"
                named.add(place)


def gemini_stream(events):
    candidates = [candidate for event in events for candidate in event.get("candidates", [])]
    opened = {candidate.get("index", 0) for candidate in candidates}
    finished = {candidate.get("index", 0) for candidate in candidates if "finishReason" in candidate}
    if opened - finished and not any("error" in event for event in events):
        yield f"no finish reason for {sorted(opened - finished)}"


def bedrock_stream(events):
    """`events` are objects with one member, named as the frame is."""
    names = [name for event in events for name in event]
    if not names:
        yield "nothing in it"
        return
    if names[-1].endswith("Exception"):
        names.pop()
    elif names[-2:] != ["messageStop", "metadata"]:
        yield f"ends with {names[-1]}"
    if names and names[0] != "messageStart":
        yield f"begins with {names[0]}"
    yield from in_order(
        [
            (name.removeprefix("contentBlock"), event[name].get("contentBlockIndex"))
            for event in events
            for name in event
        ],
        ("Start", "Delta", "Stop"),
        begun_by_delta=True,
    )


def cohere_stream(events):
    kinds = [event["type"] for event in events]
    if kinds[:1] != ["message-start"]:
        yield f"begins with {kinds[:1]}"
    if "message-end" not in kinds:
        yield "message-end is missing"
    for thing in ("content", "tool-call"):
        yield from in_order(
            [(event["type"], event.get("index")) for event in events],
            (f"{thing}-start", f"{thing}-delta", f"{thing}-end"),
        )


def ollama_stream(events):
    if not any("error" in event for event in events) and not events[-1]["done"]:
        yield "the last line is not done"


def in_order(events, names, begun_by_delta=False):
    """That of the things with an index each begins once, ends once, and has nothing outside; a text of Bedrock's begins unannounced."""
    start, delta, stop = names
    is_open, closed = set(), set()
    for at, (name, index) in enumerate(events):
        if name == start or (name == delta and begun_by_delta and index not in is_open):
            if index in is_open | closed:
                yield f"event {at}: {index} begins twice"
            is_open.add(index)
        elif name == delta and index not in is_open:
            yield f"event {at}: {index} is not open"
        elif name == stop:
            if index not in is_open:
                yield f"event {at}: {index} ends and is not open"
            is_open.discard(index)
            closed.add(index)
