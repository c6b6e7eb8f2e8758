"""The networks a service joins, its ports, and the names and addresses it knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address

from iotistic.engines.attachments import own_attachment
from iotistic.engines.docker.document import Document, Endpoint
from iotistic.engines.docker.fields import Part, said
from iotistic.model.container import ContainerRequest
from iotistic.model.service import NetworkAttachment, PortBinding, ServiceSpec

MAC_OF_ENDPOINT_API = (1, 44)
"""From here on a hardware address belongs to a network, not to the container."""
_ID_DIGITS = 12
_EVERYWHERE = str(IPv4Address(0))
_MODES = ("bridge", "default", "host", "none")


def write(request: ContainerRequest, api: tuple[int, int]) -> Part:
    """Names, ports, and how the first network is joined.

    Only that one: our oldest engine takes one at creation, the others are joined before the start.
    """
    spec = request.spec
    part = said(
        Hostname=spec.hostname,
        Domainname=spec.domainname,
        ExposedPorts={_port(port): {} for port in spec.ports},
    )
    first = ""
    if request.networks:
        first = request.networks[0].network
        part["NetworkingConfig"] = {"EndpointsConfig": {first: endpoint(request, 0)}}
    if spec.mac_address and api < MAC_OF_ENDPOINT_API:
        part["MacAddress"] = spec.mac_address
    elif spec.mac_address:
        name = first or request.network_mode or "bridge"
        networking = part.setdefault("NetworkingConfig", {"EndpointsConfig": {name: {}}})
        networking["EndpointsConfig"][name].setdefault("MacAddress", spec.mac_address)
    return part


def write_host(request: ContainerRequest) -> Part:
    """Network mode, published ports and resolver of `HostConfig`."""
    spec = request.spec
    bindings: dict[str, list[Part]] = {}
    for port in spec.ports:
        host = "" if port.host is None else str(port.host)
        bindings.setdefault(_port(port), []).append({"HostIp": port.host_ip, "HostPort": host})
    return said(
        NetworkMode=request.networks[0].network if request.networks else request.network_mode,
        PortBindings=bindings,
        Dns=list(spec.dns),
        DnsOptions=list(spec.dns_opt),
        DnsSearch=list(spec.dns_search),
        ExtraHosts=[f"{name}:{address}" for name, address in spec.extra_hosts],
    )


def endpoint(request: ContainerRequest, number: int) -> Part:
    """How the container joins its network of that number."""
    how = request.networks[number].how
    return said(
        Aliases=list(how.aliases),
        IPAMConfig=said(
            IPv4Address=how.ipv4_address,
            IPv6Address=how.ipv6_address,
            LinkLocalIPs=list(how.link_local_ips),
        ),
        DriverOpts=dict(how.driver_opts),
        MacAddress=how.mac_address,
        GwPriority=how.gw_priority or None,
    )


def _port(port: PortBinding) -> str:
    return f"{port.container}/{port.protocol}"


def read(spec: ServiceSpec, found: Document, request: ContainerRequest) -> ServiceSpec:
    """The same, as found: networks by the app's names, and without what the engine adds."""
    config, host = found.Config, found.HostConfig
    mode = _mode(host.NetworkMode, request)
    return replace(
        spec,
        network_mode=mode,
        networks=tuple(sorted(_attachments(found, request))) if mode is None else (),
        # Without one the engine takes the beginning of the id.
        hostname=None if config.Hostname in ("", found.Id[:_ID_DIGITS]) else config.Hostname,
        domainname=config.Domainname or None,
        mac_address=_mac(found, request),
        ports=tuple(sorted(_ports(found), key=_in_order)),
        dns=tuple(host.Dns or ()),
        dns_opt=tuple(sorted(host.DnsOptions or ())),
        dns_search=tuple(host.DnsSearch or ()),
        extra_hosts=tuple(
            sorted((name, ip) for name, _, ip in (e.partition(":") for e in host.ExtraHosts or ()))
        ),
    )


def _mode(found: str, request: ContainerRequest) -> str | None:
    if found == request.network_mode:
        return request.spec.network_mode
    if found in _MODES or found.startswith("container:"):
        return "bridge" if found == "default" else found
    return None


def _attachments(found: Document, request: ContainerRequest) -> Iterator[NetworkAttachment]:
    wanted = {joining.network: joining.how for joining in request.networks}
    for name, settings in (found.NetworkSettings.Networks or {}).items():
        # The engine lets the container answer to these by itself.
        added = {found.Id[:_ID_DIGITS], found.Config.Hostname}
        how = _attachment(settings or Endpoint(), wanted.get(name), added)
        attachment = own_attachment(request, name, how)
        if attachment is not None:
            yield attachment


def _attachment(
    found: Endpoint, wanted: NetworkAttachment | None, added: set[str]
) -> NetworkAttachment:
    addresses = found.IPAMConfig
    asked = wanted or NetworkAttachment(name="")
    return NetworkAttachment(
        name="",
        aliases=tuple(sorted(set(found.Aliases or ()) - (added - set(asked.aliases)))),
        ipv4_address=addresses.IPv4Address if addresses else "",
        ipv6_address=addresses.IPv6Address if addresses else "",
        link_local_ips=tuple(sorted(addresses.LinkLocalIPs or ())) if addresses else (),
        # Shown while it runs only, and also where the engine has chosen it.
        mac_address=(found.MacAddress or asked.mac_address) if asked.mac_address else "",
        gw_priority=found.GwPriority,
        priority=asked.priority,
        driver_opts=tuple(sorted((found.DriverOpts or {}).items())),
    )


def _mac(found: Document, request: ContainerRequest) -> str | None:
    wanted = request.spec.mac_address
    if found.Config.MacAddress or not wanted:
        return found.Config.MacAddress or None
    name = request.networks[0].network if request.networks else request.network_mode or "bridge"
    settings = (found.NetworkSettings.Networks or {}).get(name)
    return settings.MacAddress or wanted if settings else None


def _ports(found: Document) -> Iterator[PortBinding]:
    for name, bindings in (found.HostConfig.PortBindings or {}).items():
        number, _, protocol = name.partition("/")
        for binding in bindings or ():
            yield PortBinding(
                container=int(number),
                protocol=protocol or "tcp",
                host_ip="" if binding.HostIp == _EVERYWHERE else binding.HostIp,
                host=int(binding.HostPort or 0) or None,
            )


def _in_order(port: PortBinding) -> tuple[int, str, str, int]:
    return port.container, port.protocol, port.host_ip, port.host or 0
