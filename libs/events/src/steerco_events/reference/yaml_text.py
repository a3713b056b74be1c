"""A generated document as YAML that a person reads: in its own order, texts of several lines as blocks, no alias."""

from typing import Any

import yaml

HEAD = "# Written by `make docs` from the contracts; a test compares.\n"


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _words(dumper: _Plain, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Plain.add_representer(str, _words)


def yaml_text(document: Any) -> str:
    """The text of its file."""
    return HEAD + yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)
