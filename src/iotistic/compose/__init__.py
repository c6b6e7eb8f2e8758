"""Compose files in, apps of a target out, and the other way round (pure, no I/O).

    text ── yaml_reader ──▶ document ── sources.resolved ──▶ document ── from_compose ──▶ app
                                        (interpolation, env_file)        (places)
    app ── to_compose ──▶ document ── yaml_writer ──▶ text

The one invariant: what a compose field means is said in one place, the parser of targets
(`iotistic.model.target`). Here fields only move; what the parser refuses is refused with the path
in the compose file. Nothing is taken from where this runs: variables are handed in, files are
read by whoever has them (`Files`), and what cannot be resolved is an error.

What compose has no word for stands under `x-iotistic`, at the top (`app_id`, `release`,
`strategy`, `verify`, `lock`) and in services (`service_id`, `state`, `update_lock`, `secrets` as
variables): compose passes it over.
"""

from iotistic.compose.env_file import parse_env_file
from iotistic.compose.from_compose import (
    APP_ID_DEFAULT,
    FromCompose,
    NotOnADevice,
    app_id_of,
    from_compose,
    is_compose,
    own_app_id,
    own_name,
)
from iotistic.compose.sources import Files, Gathered, resolved
from iotistic.compose.to_compose import ToCompose, to_compose
from iotistic.compose.yaml_reader import YAML_BYTES_MAX, YamlDocument, read_yaml
from iotistic.compose.yaml_writer import yaml_text

__all__ = [
    "APP_ID_DEFAULT",
    "YAML_BYTES_MAX",
    "Files",
    "FromCompose",
    "Gathered",
    "NotOnADevice",
    "ToCompose",
    "YamlDocument",
    "app_id_of",
    "from_compose",
    "is_compose",
    "own_app_id",
    "own_name",
    "parse_env_file",
    "read_yaml",
    "resolved",
    "to_compose",
    "yaml_text",
]
