"""A run as one file that another machine can import (store.arriving): a zip of the Parquet folder, uncompressed, with a
manifest of its content."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import zipfile
from pathlib import Path

from synergy_tui import __version__
from synergy_tui.store.archive import write_folder
from synergy_tui.store.cache import Cache
from synergy_tui.store.schema import VERSION

FORMAT, LAYOUT = "synergy-tui run", 1

MANIFEST = "manifest.json"


def write(cache: Cache, decomposition: str, path: Path) -> None:
    """Writes the file. Raises OSError."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as scratch:
        folder = Path(scratch) / "run"
        write_folder(cache, decomposition, folder)
        members = {
            one.relative_to(folder).as_posix(): one for one in sorted(folder.rglob("*.parquet")) if one.is_file()
        }
        manifest = {
            "format": FORMAT,
            "layout": LAYOUT,
            "schema": VERSION,
            "synergy-tui": __version__,
            "decomposition": decomposition,
            "members": {name: {"bytes": one.stat().st_size, "sha256": digest(one)} for name, one in members.items()},
        }
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
            file.writestr(zipfile.ZipInfo(MANIFEST), json.dumps(manifest, indent=1))
            for name, one in members.items():
                # This machine's times and permissions are left out, so that equal runs have equal bytes.
                entry = zipfile.ZipInfo(name)
                entry.external_attr = 0o644 << 16
                with one.open("rb") as source, file.open(entry, "w", force_zip64=True) as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
