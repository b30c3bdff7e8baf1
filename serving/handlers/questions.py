"""What a message asks or says, apart from some of its fields: the keys of caches, streams and tokens are made of it."""

from typing import TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)


def without(message: M, *names: str) -> M:
    """Return a copy of a message without some of its fields; names that it does not have are passed over."""
    same = type(message)()
    same.CopyFrom(message)
    for name in names:
        if name in same.DESCRIPTOR.fields_by_name:
            same.ClearField(name)
    return same


def question_of(request: Message, leave_out: tuple[str, ...] = ()) -> bytes:
    """Return a request, which names its tenant, as a key; requests that differ only in fields of `leave_out` have the
    same one."""
    same = without(request, *leave_out) if leave_out else request
    return same.DESCRIPTOR.full_name.encode() + b" " + same.SerializeToString(deterministic=True)
