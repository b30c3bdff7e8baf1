"""The suite's service, described as our contract describes services: unary calls and server streams, each request
with a tenant. Its clients never set the added field, so what they send and get back is what the suite expects."""

from __future__ import annotations

import tempfile
from pathlib import Path

import grpc_tools
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

PACKAGE = "connectrpc.conformance.v1"
SERVICE_FILE = "connectrpc/conformance/v1/service.proto"
# No message of the suite counts so far.
TENANT_FIELD_NUMBER = 1000


def load(protos: Path):
    """Load the suite's messages from the folder of its `.proto` files; returns the descriptor of the service."""
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder) / "suite.binpb"
        status = protoc.main(
            [
                "protoc",
                f"--proto_path={protos}",
                f"--proto_path={Path(grpc_tools.__file__).parent / '_proto'}",
                "--include_imports",
                f"--descriptor_set_out={compiled}",
                SERVICE_FILE,
                "connectrpc/conformance/v1/server_compat.proto",
            ]
        )
        if status:
            raise RuntimeError(f"protoc ended with status {status}")
        files = descriptor_pb2.FileDescriptorSet.FromString(compiled.read_bytes()).file
    pool = descriptor_pool.Default()
    for file in files:
        if file.name.startswith("google/"):
            continue
        if file.name == SERVICE_FILE:
            _as_our_contract(file)
        pool.AddSerializedFile(file.SerializeToString())
    return pool.FindServiceByName(f"{PACKAGE}.ConformanceService")


def message(name: str):
    """Return the class of one of the suite's messages."""
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(f"{PACKAGE}.{name}"))


def _as_our_contract(file: descriptor_pb2.FileDescriptorProto) -> None:
    service = file.service[0]
    kept = [method for method in service.method if not method.client_streaming]
    del service.method[:]
    service.method.extend(kept)
    requests = {method.input_type.rpartition(".")[2] for method in kept}
    for described in file.message_type:
        if described.name in requests:
            described.field.add(
                name="tenant_id",
                number=TENANT_FIELD_NUMBER,
                type=descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
                label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
            )
