"""`import_all.py FOLDER`: imports every module in it, so that one which can't be imported is named."""

import importlib
import sys
from pathlib import Path

root = Path(sys.argv[1])
for file in sorted(root.rglob("*.py")):
    parts = file.relative_to(root).with_suffix("").parts
    if "migrations" not in parts and parts[-1] != "__main__":
        importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
