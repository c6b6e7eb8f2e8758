"""From a network as an engine shows it on a container to the words of the target."""

from __future__ import annotations

from dataclasses import replace

from iotistic.model.container import ContainerRequest
from iotistic.model.service import NetworkAttachment


def own_attachment(
    request: ContainerRequest, network: str, found: NetworkAttachment
) -> NetworkAttachment | None:
    """How a container is in the engine's `network`, by the app's name for that network.

    Of the names it answers to, those that the agent adds (its service's) are left out. A network
    in which it does not answer to them is not joined as it was asked for: None.
    """
    joining = next((joining for joining in request.networks if joining.network == network), None)
    if joining is None:
        return replace(found, name=network)
    own = next((a.aliases for a in request.spec.networks if a.name == joining.how.name), ())
    added = set(joining.how.aliases) - set(own)
    if not added <= set(found.aliases):
        return None
    return replace(
        found,
        name=joining.how.name,
        aliases=tuple(sorted(set(found.aliases) - added)),
    )
