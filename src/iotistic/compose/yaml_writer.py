"""Writing YAML that every reader takes for the same, whichever version of YAML it follows."""

from __future__ import annotations

import re
from typing import Any

import yaml

from iotistic.compose.yaml_reader import resolved

_WIDTH = 10_000
# A reader of another version of YAML, or compose, may see a number in it.
_LIKE_A_NUMBER = re.compile(r"[-+.]?[0-9][0-9a-fA-FxXoO_.:eE+-]*")
# Some of these end a line for one reader and not for another, some cannot stand in a document.
_UNUSUAL = re.compile(
    r"[^\n\t -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_STRING = "tag:yaml.org,2002:str"


class _Dumper(yaml.SafeDumper):
    """Texts over several lines as blocks, everything written out where it stands."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never an anchor: a person reads it."""
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if _UNUSUAL.search(text):
        style = '"'
    elif "\n" in text and not any(line != line.rstrip() for line in text.split("\n")):
        style = "|"
    elif not isinstance(resolved(text), str) or _LIKE_A_NUMBER.fullmatch(text):
        style = "'"
    return dumper.represent_scalar(_STRING, text, style=style)


_Dumper.add_representer(str, _text)


def yaml_text(value: Any) -> str:
    """`value` (mappings, lists, scalars) as YAML, names in the order they stand."""
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=_WIDTH,
    )
    return text
