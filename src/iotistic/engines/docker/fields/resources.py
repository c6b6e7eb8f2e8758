"""How much of the machine a service may use."""

from __future__ import annotations

from dataclasses import replace

from iotistic.engines.docker.document import Document
from iotistic.engines.docker.fields import Part, said
from iotistic.model.container import ContainerRequest
from iotistic.model.service import ServiceSpec, Ulimit


def write(request: ContainerRequest) -> Part:
    """Limits of `HostConfig`."""
    spec = request.spec
    return said(
        NanoCpus=spec.nano_cpus,
        CpuShares=spec.cpu_shares,
        CpuQuota=spec.cpu_quota,
        CpuPeriod=spec.cpu_period,
        CpuRealtimeRuntime=spec.cpu_rt_runtime,
        CpuRealtimePeriod=spec.cpu_rt_period,
        CpusetCpus=spec.cpuset,
        Memory=spec.mem_limit,
        MemoryReservation=spec.mem_reservation,
        MemorySwap=spec.memswap_limit,
        MemorySwappiness=spec.mem_swappiness,
        PidsLimit=spec.pids_limit,
        ShmSize=spec.shm_size,
        OomScoreAdj=spec.oom_score_adj,
        OomKillDisable=spec.oom_kill_disable,
        Ulimits=[{"Name": u.name, "Soft": u.soft, "Hard": u.hard} for u in spec.ulimits],
        StorageOpt=dict(spec.storage_opt),
    )


def read(spec: ServiceSpec, found: Document, _: ContainerRequest) -> ServiceSpec:
    """The same, as found; 0 is the engine's word for "no limit"."""
    host = found.HostConfig
    return replace(
        spec,
        nano_cpus=host.NanoCpus or None,
        cpu_shares=host.CpuShares or None,
        cpu_quota=host.CpuQuota or None,
        cpu_period=host.CpuPeriod or None,
        cpu_rt_runtime=host.CpuRealtimeRuntime or None,
        cpu_rt_period=host.CpuRealtimePeriod or None,
        cpuset=host.CpusetCpus or None,
        mem_limit=host.Memory or None,
        mem_reservation=host.MemoryReservation or None,
        memswap_limit=host.MemorySwap or None,
        mem_swappiness=None if host.MemorySwappiness == -1 else host.MemorySwappiness,
        pids_limit=host.PidsLimit if (host.PidsLimit or 0) > 0 else None,
        shm_size=host.ShmSize or None,
        oom_score_adj=host.OomScoreAdj or None,
        oom_kill_disable=host.OomKillDisable,
        ulimits=tuple(
            sorted(Ulimit(name=u.Name, soft=u.Soft, hard=u.Hard) for u in host.Ulimits or ())
        ),
        storage_opt=tuple(sorted((host.StorageOpt or {}).items())),
    )
