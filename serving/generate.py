"""Generate the Python messages, stubs and type information from `serving/proto` into `serving/gen`: `python -m
serving.generate`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import grpc_tools  # type: ignore[import-untyped] # ships no types
from grpc_tools import protoc

from serving import GENERATED_FOLDER

PROTO_FOLDER = Path(__file__).parent / "proto"


def generate(target: Path = GENERATED_FOLDER) -> list[Path]:
    """Write the generated package anew and return its files.

    Raises:
        RuntimeError: the compiler refused a file; it has printed why.
    """
    sources = sorted(PROTO_FOLDER.glob("tributary/**/*.proto"))
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    # protoc finds the plugin that writes the types of the stubs beside the running interpreter.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    status = protoc.main(
        [
            "protoc",
            f"--proto_path={PROTO_FOLDER}",
            f"--proto_path={Path(grpc_tools.__file__).parent / '_proto'}",
            f"--python_out={target}",
            f"--mypy_out={target}",
            f"--grpc_python_out={target}",
            f"--mypy_grpc_out={target}",
            *map(str, sources),
        ]
    )
    if status:
        msg = f"protoc ended with status {status}"
        raise RuntimeError(msg)
    return sorted(target.glob("**/*.py"))


if __name__ == "__main__":
    files = generate()
    sys.stdout.write(f"proto: {len(files)} files in {GENERATED_FOLDER.relative_to(Path.cwd())}\n")
