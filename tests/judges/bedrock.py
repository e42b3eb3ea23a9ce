"""Bedrock's Converse as botocore's service model describes it.

A request goes through botocore's own validator, after its base64 has become bytes, as the client's caller would have given them. What
the validator does not look at is looked at here: enumerations, patterns, lengths, and answers, which botocore reads leniently.
"""

import base64
import binascii
import json
import re
import urllib.parse

import botocore.loaders
import botocore.model
import botocore.validate
from botocore.eventstream import EventStreamBuffer

from judges import rules

SCALARS = {"integer": int, "long": int, "boolean": bool, "string": str, "double": (int, float), "float": (int, float)}


class Bedrock:
    def __init__(self):
        description = botocore.loaders.Loader().load_service_model("bedrock-runtime", "service-2")
        self.service = botocore.model.ServiceModel(description, "bedrock-runtime")

    def request(self, path, body):
        model, _, stream = path.removeprefix("/model/").partition("/converse")
        shape = self.service.operation_model("ConverseStream" if stream else "Converse").input_shape
        said = []
        parameters = self._read(body, shape, "$", said)
        if said:
            return said
        parameters["modelId"] = urllib.parse.unquote(model)
        report = botocore.validate.ParamValidator().validate(parameters, shape)
        return report.generate_report().splitlines() if report.has_errors() else []

    def answer(self, body):
        said = []
        if "message" in body:
            return [] if set(body) == {"message"} and isinstance(body["message"], str) else [f"no error: {body}"]
        self._read(body, self.service.operation_model("Converse").output_shape, "$", said)
        return said

    def events(self, data):
        """Complaints about the frames of a ConverseStream."""
        events, said = self.frames(data)
        return said or rules.broken_stream("bedrock_converse", events)

    def invoked(self, data):
        """What the frames of an invoked model's stream carry in base64, as (values, complaints). A failure is a value too."""
        events, said = self.frames(data, "InvokeModelWithResponseStream", "body")
        return [
            json.loads(base64.b64decode(event["chunk"]["bytes"])) if "chunk" in event else event for event in events
        ], said

    def frames(self, data, operation="ConverseStream", member="stream"):
        """Frames, as botocore cuts them (it checks both sums): what they carry by its name, and complaints."""
        buffer = EventStreamBuffer()
        buffer.add_data(data)
        union = self.service.operation_model(operation).output_shape.members[member]
        said, events, length = [], [], 0
        for at, frame in enumerate(buffer):
            length += frame.prelude.total_length
            kind = frame.headers.get(":event-type") or frame.headers.get(":exception-type")
            if kind not in union.members:
                said.append(f"frame {at}: {kind!r} is no event")
                continue
            events.append({kind: json.loads(frame.payload)})
            self._read(events[-1][kind], union.members[kind], f"frame {at} ({kind})", said)
        if length != len(data):
            said.append(f"{len(data) - length} bytes after the last whole frame")
        return events, said

    def _read(self, value, shape, path, said):
        """The value as a caller of botocore would give it; complaints go to `said`."""
        kind = shape.type_name
        if getattr(shape, "is_document_type", False):
            return value
        if kind == "structure":
            return self._structure(value, shape, path, said)
        if kind == "list":
            if not isinstance(value, list):
                said.append(f"{path}: {value!r} is no list")
                return []
            return [self._read(one, shape.member, f"{path}[{at}]", said) for at, one in enumerate(value)]
        if kind == "map":
            if not isinstance(value, dict):
                said.append(f"{path}: {value!r} is no object")
                return {}
            return {key: self._read(one, shape.value, f"{path}.{key}", said) for key, one in value.items()}
        if kind == "blob":
            try:
                return base64.b64decode(value, validate=True)
            except (TypeError, ValueError, binascii.Error):
                said.append(f"{path}: no base64")
                return b""
        self._scalar(value, shape, path, said)
        return value

    def _structure(self, value, shape, path, said):
        if not isinstance(value, dict):
            said.append(f"{path}: {value!r} is no object ({shape.name})")
            return {}
        # What stands in the path or in headers has no place in the body.
        members = {
            member.serialization.get("name", name): (name, member)
            for name, member in shape.members.items()
            if "location" not in member.serialization
        }
        said += [f"{path}: {name} is unknown ({shape.name})" for name in value if name not in members]
        said += [
            f"{path}: {name} is missing ({shape.name})"
            for name in shape.required_members
            if name in {python for python, _ in members.values()} and name not in value
        ]
        if getattr(shape, "is_tagged_union", False) and len(value) != 1:
            said.append(f"{path}: {sorted(value)} where exactly one is wanted ({shape.name})")
        return {
            members[name][0]: self._read(one, members[name][1], f"{path}.{name}", said)
            for name, one in value.items()
            if name in members
        }

    def _scalar(self, value, shape, path, said):
        wanted = SCALARS[shape.type_name]
        if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
            said.append(f"{path}: {value!r} is no {shape.type_name}")
            return
        facts = shape.metadata
        if "enum" in facts and value not in facts["enum"]:
            said.append(f"{path}: {value!r} is none of {facts['enum']}")
        if "pattern" in facts and not re.fullmatch(facts["pattern"], value):
            said.append(f"{path}: {value!r} does not match {facts['pattern']}")
        size = len(value) if isinstance(value, str) else value
        if not facts.get("min", size) <= size <= facts.get("max", size):
            said.append(f"{path}: {value!r} is not within {facts.get('min')} and {facts.get('max')}")
