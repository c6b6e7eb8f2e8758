"""One service: every field of its `config`, from whichever form it comes in to its one form."""

from __future__ import annotations

from iotistic.model.reader import Fields
from iotistic.model.service import ServiceSpec
from iotistic.model.vocabulary import (
    elsewhere,
    hardware,
    health,
    networking,
    process,
    resources,
    secrets,
    security,
    storage,
)
from iotistic.model.vocabulary.entries import flag
from iotistic.model.vocabulary.ports import parse_ports


def parse_service_config(
    service: Fields, config: Fields, *, known_secrets: frozenset[str] = frozenset()
) -> ServiceSpec:
    """Read `imageName` of a service and its `config`; raises InvalidField.

    `known_secrets` are the names that the app has.
    """
    elsewhere.set_aside(config)
    network_mode = networking.network_mode(config)
    networks = networking.networks(config)
    networking.check_mode(config, network_mode, networks)
    limit = resources.limits(config)
    memory_and_swap = resources.memswap_limit(config)
    resources.check_together(config, limit, memory_and_swap)
    environment = process.environment(config)
    volumes, tmpfs = storage.storage(config)
    used = secrets.uses(config)
    secrets.check_uses(
        config,
        used,
        known=known_secrets,
        variables=frozenset(name for name, _ in environment),
        mounts=(*volumes, *tmpfs),
    )
    return ServiceSpec(
        image=process.image(service, config),
        command=process.words(config, "command"),
        entrypoint=process.words(config, "entrypoint"),
        user=process.user(config),
        working_dir=process.working_dir(config),
        tty=flag(config, "tty"),
        stdin_open=flag(config, "stdin_open"),
        init=flag(config, "init"),
        stop_signal=process.stop_signal(config),
        stop_grace_period_ms=process.stop_grace_period_ms(config),
        healthcheck=health.healthcheck(config),
        restart=process.restart(config),
        environment=environment,
        labels=process.service_labels(config),
        annotations=process.runtime_annotations(config),
        platform=process.platform(config),
        nano_cpus=limit.nano_cpus,
        cpu_shares=resources.number(config, "cpu_shares", low=0, high=resources.SHARES_MAX),
        cpu_quota=resources.quota(config, "cpu_quota"),
        cpu_period=resources.quota(config, "cpu_period"),
        cpu_rt_runtime=resources.quota(config, "cpu_rt_runtime"),
        cpu_rt_period=resources.quota(config, "cpu_rt_period"),
        cpuset=resources.cpuset(config),
        mem_limit=limit.mem_limit,
        mem_reservation=limit.mem_reservation,
        memswap_limit=memory_and_swap,
        mem_swappiness=resources.mem_swappiness(config),
        pids_limit=limit.pids_limit,
        shm_size=resources.size(config, "shm_size"),
        oom_score_adj=resources.number(config, "oom_score_adj", low=-1000, high=1000),
        oom_kill_disable=flag(config, "oom_kill_disable"),
        ulimits=resources.ulimits(config),
        storage_opt=resources.storage_opt(config),
        privileged=flag(config, "privileged"),
        read_only=flag(config, "read_only", "readonlyRootfs"),
        cap_add=security.capabilities(config, "cap_add"),
        cap_drop=security.capabilities(config, "cap_drop"),
        security_opt=security.security_opt(config),
        group_add=security.group_add(config),
        sysctls=security.sysctls(config),
        userns_mode=security.userns_mode(config),
        pid=security.pid(config),
        ipc=security.ipc(config),
        uts=security.uts(config),
        cgroup=security.cgroup(config),
        cgroup_parent=security.cgroup_parent(config),
        runtime=security.runtime(config),
        devices=hardware.devices(config),
        device_cgroup_rules=hardware.device_cgroup_rules(config),
        device_requests=limit.device_requests,
        ports=parse_ports(config),
        networks=networks,
        network_mode=network_mode,
        hostname=networking.hostname(config),
        domainname=networking.hostname(config, "domainname"),
        mac_address=networking.mac_address(config),
        dns=networking.dns(config),
        dns_opt=networking.dns_opt(config),
        dns_search=networking.dns_search(config),
        extra_hosts=networking.extra_hosts(config),
        volumes=volumes,
        tmpfs=tmpfs,
        secrets=used,
        logging=process.logging(config),
    )
