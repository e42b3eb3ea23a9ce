"""Whether a JSON value is what a type of an official client says: nothing missing, nothing unknown, nothing converted.

The clients' own validation is lenient on purpose (unknown members are kept, "7" becomes 7, an open enumeration takes any string),
so that an old client survives a new server. What we send must not live from that, so their types are read as closed here. The types
come as TypedDicts, pydantic models, literals, enumerations and unions of these; of a union, the complaints are those of the member
that fits best. A complaint begins with the path to what it is about.
"""

import base64
import binascii
import collections.abc
import datetime
import enum
import functools
import types
import typing

import pydantic
import typing_extensions

WRAPPERS = tuple(
    getattr(module, name)
    for module in (typing, typing_extensions)
    for name in ("Required", "NotRequired", "ReadOnly")
    if hasattr(module, name)
)
MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
LISTS = (list, set, frozenset, collections.abc.Iterable, collections.abc.Sequence, collections.abc.Collection)
NAMES = {str: "a string", bool: "true or false", int: "an integer", float: "a number", type(None): "null"}


class Judge:
    """`extensions` are members that may stand in any object beyond what its type knows: their types by name, or only names."""

    def __init__(self, extensions=()):
        named = isinstance(extensions, collections.abc.Mapping)
        self.extensions = dict(extensions) if named else dict.fromkeys(extensions, object)

    def complaints(self, value, wanted, path="$"):
        wanted = plain(wanted)
        origin, arguments = typing_extensions.get_origin(wanted), typing_extensions.get_args(wanted)
        if wanted in (typing.Any, object):
            return []
        if wanted is typing_extensions.Never:
            return [f"{path}: must not be there"]
        if origin in (typing.Union, types.UnionType):
            return self._of_union(value, wanted, path)
        if origin in (typing.Literal, typing_extensions.Literal):
            return (
                []
                if any(value == one and type(value) is type(one) for one in arguments)
                else [f"{path}: {value!r} is none of {arguments}"]
            )
        if wanted in MAPPINGS or origin in MAPPINGS:
            if not isinstance(value, dict):
                return [f"{path}: {short(value)} is no object"]
            inner = arguments[1] if arguments else object
            return [said for key, one in value.items() for said in self.complaints(one, inner, f"{path}.{key}")]
        if origin in LISTS or wanted in LISTS or is_sequence(origin):
            if not isinstance(value, list):
                return [f"{path}: {short(value)} is no list"]
            inner = arguments[0] if arguments else object
            return [said for at, one in enumerate(value) for said in self.complaints(one, inner, f"{path}[{at}]")]
        if is_object(wanted):
            return self._of_object(value, wanted, path)
        if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
            known = [member.value for member in wanted]
            return [] if value in known else [f"{path}: {value!r} is none of {known}"]
        return of_scalar(value, wanted, path)

    def _of_object(self, value, wanted, path):
        if not isinstance(value, dict):
            return [f"{path}: {short(value)} is no object ({wanted.__name__})"]
        members = members_of(wanted)
        said = [
            f"{path}: {name} is missing ({wanted.__name__})"
            for name, (_, required) in members.items()
            if required and name not in value
        ]
        for name, one in value.items():
            if name in members:
                said += self.complaints(one, members[name][0], f"{path}.{name}")
            elif name in self.extensions:
                said += self.complaints(one, self.extensions[name], f"{path}.{name}")
            elif not is_open(wanted):
                said.append(f"{path}: {name} is unknown ({wanted.__name__})")
        return said

    def _of_union(self, value, wanted, path):
        fitting = [member for member in union_members(wanted) if may_fit(value, member)]
        if not fitting:
            return [f"{path}: {short(value)} fits no member of {short_type(wanted)}"]
        least = None
        for member in fitting:
            said = self.complaints(value, member, path)
            if not said:
                return []
            if least is None or len(said) < len(least):
                least = said
        return least


def plain(wanted):
    """The type below annotations, aliases, new types and what says whether a member must be there."""
    while True:
        if isinstance(
            wanted, (typing.TypeAliasType if hasattr(typing, "TypeAliasType") else typing_extensions.TypeAliasType)
        ):
            wanted = wanted.__value__
            continue
        if isinstance(wanted, typing_extensions.TypeAliasType):
            wanted = wanted.__value__
            continue
        origin = typing_extensions.get_origin(wanted)
        if isinstance(origin, typing_extensions.TypeAliasType):
            wanted = origin.__value__[typing_extensions.get_args(wanted)]
        elif hasattr(wanted, "__metadata__"):
            wanted = wanted.__origin__
        elif origin in WRAPPERS:
            wanted = typing_extensions.get_args(wanted)[0]
        elif hasattr(wanted, "__supertype__"):
            wanted = wanted.__supertype__
        else:
            return wanted


@functools.cache
def union_members(union):
    """All members, flat, without those that make a union open: anything at all, a variant that the client does not know."""
    flat = []
    for member in map(plain, typing_extensions.get_args(union)):
        nested = typing_extensions.get_origin(member) in (typing.Union, types.UnionType)
        flat += union_members(member) if nested else [member]
    closed = [member for member in flat if member not in (typing.Any, object) and not is_catch_all(member)]
    # A mapping of anything beside a model is a convenience for the client's caller, and would let everything pass.
    if any(is_object(member) for member in closed):
        closed = [member for member in closed if typing_extensions.get_origin(member) not in MAPPINGS]
    # "Anything or nothing" is open on purpose.
    return tuple(closed) if set(closed) - {type(None)} else tuple(flat)


def is_catch_all(member):
    """mistralai's names for what it does not know, or was not given."""
    return getattr(member, "__name__", "").startswith(("Unknown", "Unset", "Unrecognized"))


def may_fit(value, member):
    """Whether value and member are of one kind, and what has one possible value only (`type`, `role`) has it. Keeps a union of forty
    members from being tried whole, and its complaints to the point."""
    origin = typing_extensions.get_origin(member)
    if member in (typing.Any, object):
        return True
    if isinstance(value, list):
        return member in LISTS or origin in LISTS or is_sequence(origin)
    if not isinstance(value, dict):
        kinds = (*LISTS, *MAPPINGS)
        alike = not is_object(member) and member not in kinds and origin not in kinds and not is_sequence(origin)
        return alike and (value is None) == (member is type(None))
    if is_object(member):
        return all(value[name] in only for name, only in discriminators_of(member).items() if name in value)
    return member in MAPPINGS or origin in MAPPINGS


@functools.cache
def discriminators_of(wanted):
    found = {}
    for name, (kind, _) in members_of(wanted).items():
        kind = plain(kind)
        if typing_extensions.get_origin(kind) in (typing.Union, types.UnionType):
            inner = [member for member in union_members(kind) if member is not type(None)]
            kind = inner[0] if len(inner) == 1 else None
        if typing_extensions.get_origin(kind) in (typing.Literal, typing_extensions.Literal) and name in (
            "type",
            "role",
        ):
            found[name] = typing_extensions.get_args(kind)
    return found


@functools.cache
def members_of(wanted):
    """Name on the wire -> (type, whether it must be there)."""
    if typing_extensions.is_typeddict(wanted):
        hints = typing_extensions.get_type_hints(wanted, include_extras=True)
        return {name_of(name, kind): (kind, is_required(kind)) for name, kind in hints.items()}
    if not wanted.__pydantic_fields_complete__:
        wanted.model_rebuild()
    return {field.alias or name: (field.annotation, field.is_required()) for name, field in wanted.model_fields.items()}


def name_of(name, kind):
    """openai and anthropic name a member that Python cannot spell in an annotation."""
    for note in getattr(plain_wrapper(kind), "__metadata__", ()):
        name = getattr(note, "alias", None) or name
    return name


def plain_wrapper(kind):
    while typing_extensions.get_origin(kind) in WRAPPERS:
        kind = typing_extensions.get_args(kind)[0]
    return kind


def is_required(kind):
    """Their TypedDicts are all `total=False`, and say `Required` where they mean it."""
    while hasattr(kind, "__metadata__") and typing_extensions.get_origin(kind) not in WRAPPERS:
        kind = kind.__origin__
    return typing_extensions.get_origin(kind) in (typing.Required, typing_extensions.Required)


def is_object(wanted):
    return isinstance(wanted, type) and (
        typing_extensions.is_typeddict(wanted) or issubclass(wanted, pydantic.BaseModel)
    )


def is_open(wanted):
    """A JSON schema, of which the client only names the members that the server reads. (Models say the same of themselves, each of them.)"""
    return typing_extensions.is_typeddict(wanted) and getattr(wanted, "__pydantic_config__", {}).get("extra") == "allow"


def is_sequence(origin):
    """openai's and anthropic's "a sequence, but not a string" is a protocol of their own."""
    return getattr(origin, "__name__", "") == "SequenceNotStr"


def of_scalar(value, wanted, path):
    if wanted is bytes:
        try:
            base64.b64decode(value, validate=True)
        except (TypeError, ValueError, binascii.Error):
            return [f"{path}: {short(value)} is no base64"]
        return []
    if wanted in (datetime.datetime, datetime.date):
        wanted = str
    if wanted is float and type(value) is int:
        return []
    if wanted not in NAMES:
        raise TypeError(f"{path}: no rule for {wanted!r}")
    return [] if type(value) is wanted else [f"{path}: {short(value)} is not {NAMES[wanted]}"]


def short(value):
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "..."


def short_type(wanted):
    return " | ".join(getattr(member, "__name__", str(member)) for member in union_members(wanted))[:200]
