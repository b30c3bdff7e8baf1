"""The registry's files as they are in a git revision."""

import subprocess
from pathlib import Path

from connectors.schema_registry.file_registry import FileRegistry

# Reading one file of a local repository takes milliseconds; a hanging git must not hang a merge check.
_TIMEOUT_SECONDS = 30


def registry_at(folder: Path, revision: str) -> FileRegistry:
    """The registry in `folder` as of a revision. Raises InvalidSchemaError when the revision or a file is not there."""
    if revision.startswith("-"):
        raise ValueError(f"not a git revision: {revision!r}")

    def read_text(file: str) -> str:
        # "./" makes the path relative to the folder, wherever that is in the repository.
        command = ["git", "-C", str(folder), "show", f"{revision}:./{file}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
        if done.returncode != 0:
            raise ValueError(done.stderr.strip() or f"git show ended with {done.returncode}")
        return done.stdout

    return FileRegistry(folder, read_text)
