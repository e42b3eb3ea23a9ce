"""The judges look everywhere: what is unknown or of a wrong kind is refused at every place of every request and answer.

Free places are those that carry somebody else's JSON, such as a schema or a call's arguments.
"""

import copy
import json
from pathlib import Path

import pytest

from judges import judge

GOLDEN = Path(__file__).parent.parent / "golden"
RIGHT = Path(__file__).parent / "right"
REQUESTS = sorted([*(GOLDEN / "_requests").glob("*/*.json"), *RIGHT.glob("*.json")])
ANSWERS = [
    GOLDEN / "_answers" / dialect / f"{case}.json"
    for dialect in sorted(judge.DIALECTS)
    for case in ("text", "parallel_tools", "reasoning", "usage_details")
]
FREE = {
    *(
        "parameters",
        "parametersJsonSchema",
        "parameters_json_schema",
        "input_schema",
        "schema",
        "responseJsonSchema",
        "format",
    ),
    *("args", "arguments", "input", "response", "json", "metadata", "logit_bias", "additionalModelRequestFields"),
}


def dialect_of(path):
    return path.stem if path.parent == RIGHT else path.parent.name


def places(value, way=()):
    """The way to every object and scalar that is not in a free place."""
    if isinstance(value, dict):
        yield way, value
        for name, one in value.items():
            # Responses calls its messages `input`; `format` is a schema itself in Ollama's dialect only.
            if name not in FREE or isinstance(one, list) or way in (("text",), ("output_config",)):
                yield from places(one, (*way, name))
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from places(one, (*way, at))
    else:
        yield way, value


def spoilt(body, way, value):
    """The body with something unknown in the object at that place, or something of a wrong kind in place of the scalar."""
    body = copy.deepcopy(body)
    at = body
    for step in way[:-1]:
        at = at[step]
    if isinstance(value, dict):
        (at[way[-1]] if way else at)["ringway_unknown"] = 1
    else:
        at[way[-1]] = [[]]
    return body


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: f"{dialect_of(path)}-{path.stem}")
def test_every_place_of_a_request_is_judged(path):
    dialect, body = dialect_of(path), json.loads(path.read_text())
    missed = [way for way, value in places(body) if not judge.client_request(dialect, spoilt(body, way, value))]
    assert missed == []


@pytest.mark.parametrize(
    "path", [path for path in ANSWERS if path.exists()], ids=lambda path: f"{dialect_of(path)}-{path.stem}"
)
def test_every_place_of_an_answer_is_judged(path):
    dialect, body = dialect_of(path), json.loads(path.read_text())
    missed = [
        way
        for way, value in places(body)
        if not judge.answer(dialect, path.name, json.dumps(spoilt(body, way, value)).encode())
    ]
    assert missed == []
