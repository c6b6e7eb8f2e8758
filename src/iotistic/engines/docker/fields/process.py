"""What is run, as whom, how it ends, its health check, its output."""

from __future__ import annotations

from dataclasses import replace

from iotistic.engines.docker import document as found_as
from iotistic.engines.docker.document import Document
from iotistic.engines.docker.fields import Part, said
from iotistic.model.container import ContainerRequest
from iotistic.model.naming import OUR_LABELS
from iotistic.model.secret import Secret
from iotistic.model.service import (
    Healthcheck,
    Logging,
    Pairs,
    RestartName,
    RestartPolicy,
    ServiceSpec,
)

_NS_PER_MS = 1_000_000
_MS_PER_S = 1_000


def write(request: ContainerRequest, entrypoint: tuple[str, ...] | None) -> Part:
    """What concerns the process itself; `entrypoint` is in place of what the request says."""
    spec = request.spec
    variables = (*spec.environment, *request.secret_environment)
    part = said(
        User=spec.user,
        WorkingDir=spec.working_dir,
        Tty=spec.tty,
        OpenStdin=spec.stdin_open,
        StopSignal=spec.stop_signal,
        Env=[f"{name}={value.reveal()}" for name, value in variables],
        Healthcheck=_check(spec.healthcheck) if spec.healthcheck else None,
    )
    if spec.stop_grace_period_ms is not None:
        part["StopTimeout"] = _seconds(spec.stop_grace_period_ms)
    if spec.command is not None:
        part["Cmd"] = list(spec.command)
    if entrypoint is not None:
        # [""] is the engine's way to say "none at all"; [] would mean the image's own.
        part["Entrypoint"] = list(entrypoint) or [""]
    return part


def write_host(request: ContainerRequest) -> Part:
    """What the engine does about the process."""
    spec = request.spec
    policy: Part = {"Name": str(spec.restart.name)}
    if spec.restart.name is RestartName.ON_FAILURE:
        policy["MaximumRetryCount"] = spec.restart.retries_max
    return {"RestartPolicy": policy} | said(
        Init=spec.init,
        Annotations=dict(spec.annotations),
        LogConfig=said(Type=spec.logging.driver, Config=dict(spec.logging.options))
        if spec.logging
        else None,
    )


def read(spec: ServiceSpec, found: Document, request: ContainerRequest) -> ServiceSpec:
    """The same, as found. The image's own command, variables and labels are among it."""
    config, host, wanted = found.Config, found.HostConfig, request.spec
    return replace(
        spec,
        command=_words(config.Cmd, wanted.command),
        entrypoint=_words(config.Entrypoint, wanted.entrypoint),
        user=config.User,
        working_dir=config.WorkingDir,
        tty=config.Tty,
        stdin_open=config.OpenStdin,
        init=host.Init,
        stop_signal=config.StopSignal or None,
        stop_grace_period_ms=_grace_ms(config.StopTimeout, wanted.stop_grace_period_ms),
        healthcheck=_read_check(config.Healthcheck, wanted.healthcheck),
        restart=_policy(host.RestartPolicy),
        environment=_environment(config.Env or [], request),
        labels=tuple(
            sorted((n, text) for n, text in (config.Labels or {}).items() if n not in OUR_LABELS)
        ),
        annotations=tuple(sorted((host.Annotations or {}).items())),
        platform=wanted.platform,  # the engine does not show what was asked for
        logging=_logging(host.LogConfig, wanted.logging),
    )


def _words(found: list[str] | None, wanted: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if not found:
        # "None at all" and "nothing said" look the same.
        return () if wanted == () else None
    return tuple(found)


def _seconds(span_ms: int) -> int:
    return -(-span_ms // _MS_PER_S)


def _grace_ms(found_s: int | None, wanted_ms: int | None) -> int | None:
    if found_s is None:
        return None
    if wanted_ms is not None and _seconds(wanted_ms) == found_s:
        return wanted_ms  # the engine keeps whole seconds
    return found_s * _MS_PER_S


def _check(check: Healthcheck) -> Part:
    spans_ms = {
        "Interval": check.interval_ms,
        "Timeout": check.timeout_ms,
        "StartPeriod": check.start_period_ms,
        "StartInterval": check.start_interval_ms,
    }
    return said(
        Test=list(check.test) if check.test else None,
        Retries=check.retries,
        **{name: span_ms * _NS_PER_MS for name, span_ms in spans_ms.items() if span_ms},
    )


def _read_check(
    found: found_as.Healthcheck | None, wanted: Healthcheck | None
) -> Healthcheck | None:
    if found is None:
        return None
    if found.Test == ["NONE"]:
        return wanted if wanted and wanted.test == ("NONE",) else Healthcheck(test=("NONE",))
    return Healthcheck(
        test=tuple(found.Test) if found.Test else None,
        interval_ms=_ms(found.Interval),
        timeout_ms=_ms(found.Timeout),
        start_period_ms=_ms(found.StartPeriod),
        start_interval_ms=_ms(found.StartInterval),
        retries=found.Retries or None,
    )


def _ms(span_ns: int) -> int | None:
    return span_ns // _NS_PER_MS or None


def _policy(found: found_as.RestartPolicy) -> RestartPolicy:
    name = RestartName(found.Name or "no")
    on_failure = name is RestartName.ON_FAILURE
    return RestartPolicy(name=name, retries_max=found.MaximumRetryCount if on_failure else 0)


def _environment(found: list[str], request: ContainerRequest) -> tuple[tuple[str, Secret], ...]:
    added = {name for name, _ in request.secret_environment}
    pairs = (line.partition("=")[::2] for line in found)
    kept = sorted((name, value) for name, value in pairs if name not in added)
    return tuple((name, Secret(value)) for name, value in kept)


def _logging(found: found_as.LogConfig, wanted: Logging | None) -> Logging | None:
    options = found.Config or {}
    if wanted is None:
        return Logging(driver=found.Type, options=_pairs(options)) if found.Type else None
    # Where the engine's own driver is meant, the engine adds its own options too.
    names = {name for name, _ in wanted.options}
    return Logging(
        driver=found.Type if wanted.driver else "",
        options=_pairs({name: value for name, value in options.items() if name in names}),
    )


def _pairs(values: dict[str, str]) -> Pairs:
    return tuple(sorted(values.items()))
