"""How each field of a service is written for the engine, and read back from it.

    process     what is run, as whom, how it ends, its health check, its output
    resources   processor, memory, limits
    security    capabilities, options, namespaces
    hardware    devices
    network     networks, ports, names and addresses
    storage     mounts and file systems in memory

Each module has two pure functions, which stand side by side because they undo each other:

    write(request, …)               parts of the body of a create call, of what is set only
    read(spec, document, request)   the specification with this module's fields as found

Reading is in the words of the request: of what an engine rounds, adds or does not show, that is
taken which the request says, as long as nothing speaks against it.
"""

from __future__ import annotations

from typing import Any

Part = dict[str, Any]


def said(**values: Any) -> Part:
    """Those that say something: neither None nor empty."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}
