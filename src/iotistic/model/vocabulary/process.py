"""The process of a service: what is run, as whom, how it ends, and where its output goes."""

from __future__ import annotations

import re
import shlex
import signal

from iotistic.model.errors import InvalidField
from iotistic.model.image import ImageRef, parse_image
from iotistic.model.reader import ITEMS_MAX, Fields, check_text
from iotistic.model.secret import Secret
from iotistic.model.service import Logging, Pairs, PullPolicy, RestartName, RestartPolicy
from iotistic.model.vocabulary.entries import absolute, labels, matching, pairs, text_pairs, unset
from iotistic.model.vocabulary.quantities import milliseconds_of

_ENV_NAME = re.compile(r"[^=\s\0]{1,256}")
_PLAIN_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?")
_PLATFORM = re.compile(r"[a-z0-9_]{1,32}/[a-z0-9_]{1,32}(?:/[a-z0-9_.]{1,32})?")
_DRIVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:-]{0,127}")
_REAL_TIME_SIGNAL = re.compile(r"SIGRT(?:MIN\+(?:[1-9]|1[0-5])|MAX-(?:[1-9]|1[0-4]))")
_REAL_TIME_FIRST, _REAL_TIME_LAST = 34, 64
_PULL_POLICIES = {
    "missing": PullPolicy.MISSING,
    "if_not_present": PullPolicy.MISSING,
    "always": PullPolicy.ALWAYS,
    "never": PullPolicy.NEVER,
}


def image(service: Fields, config: Fields) -> ImageRef:
    """The image: `imageName` of the service wins over `image` of its `config`."""
    outer, inner = service.raw("imageName"), config.raw("image")
    if outer is None and inner is None:
        raise InvalidField(service.path("imageName"), expected="an image reference")
    if outer is None:
        return parse_image(inner, at=config.path("image"))
    found = parse_image(outer, at=service.path("imageName"))
    if inner is not None and parse_image(inner, at=config.path("image")) != found:
        service.warn(config.path("image"), f"differs from imageName, which is used ({found})")
    return found


def words(config: Fields, name: str) -> tuple[str, ...] | None:
    """A command: a text is split as a shell would, a list stays. None: the image's own."""
    raw = config.raw(name)
    at = config.path(name)
    if raw is None:
        return None
    if isinstance(raw, str):
        try:
            return tuple(shlex.split(check_text(raw, at)))
        except ValueError as error:
            raise InvalidField(at, expected="a command with closed quotes", found=raw) from error
    if not isinstance(raw, list):
        raise InvalidField(at, expected="a text or a list of texts", found=raw)
    if len(raw) > ITEMS_MAX:
        raise InvalidField(at, expected=f"at most {ITEMS_MAX} words", found=len(raw))
    return tuple(check_text(word, f"{at}[{n}]") for n, word in enumerate(raw))


def environment(config: Fields) -> tuple[tuple[str, Secret], ...]:
    """The variables, sorted by name."""
    values: dict[str, Secret] = {}
    for name, value, at in pairs(config, "environment", secret=True, high=ITEMS_MAX):
        # A line of a list that was written wrong may be the secret itself: not shown either.
        check_text(name, at, pattern=_ENV_NAME, expected="a variable name", secret=True)
        if value is None:
            # A name without a value would mean "take it from where compose runs": there is no
            # such place on a fleet.
            shown = f"{name} " if _PLAIN_ENV_NAME.fullmatch(name) else ""
            config.warn(at, f"{shown}has no value, ignored")
            continue
        values[name] = Secret(value)
    return tuple(sorted(values.items(), key=lambda item: item[0]))


def service_labels(config: Fields) -> Pairs:
    """Labels of the container."""
    return labels(config, high=ITEMS_MAX)


def runtime_annotations(config: Fields) -> Pairs:
    """Annotations for the engine's runtime."""
    return text_pairs(config, "annotations")


def restart(config: Fields) -> RestartPolicy:
    """What the engine does when the service ends; not said is `unless-stopped`."""
    raw = config.raw("restart")
    at = config.path("restart")
    if raw is None:
        return RestartPolicy()
    # YAML reads a bare `no` as False; to mean anything else by it would restart for ever.
    if raw is False or raw == "":
        return RestartPolicy(name=RestartName.NO)
    name, _, retries = str(raw).partition(":")
    try:
        policy = RestartName(name)
    except ValueError as error:
        raise InvalidField(
            at, expected="no, always, unless-stopped or on-failure[:N]", found=raw
        ) from error
    if retries and (
        policy is not RestartName.ON_FAILURE or not (retries.isascii() and retries.isdigit())
    ):
        raise InvalidField(at, expected="a number of retries after on-failure only", found=raw)
    return RestartPolicy(name=policy, retries_max=int(retries[:6]) if retries else 0)


def working_dir(config: Fields) -> str | None:
    """The folder that the process begins in."""
    raw = config.optional_text("working_dir", "workingDir")
    return absolute(raw, config.path("working_dir")) if raw else None


def user(config: Fields) -> str | None:
    """`USER[:GROUP]`, by name or number."""
    raw = unset(config, "user")
    if raw is None:
        return None
    text = str(raw) if isinstance(raw, int) and not isinstance(raw, bool) else raw
    return check_text(
        text, config.path("user"), length_max=256, pattern=_USER, expected="a user or user:group"
    )


def stop_signal(config: Fields) -> str | None:
    """The signal that asks the process to end, by its whole name: 15, TERM, SIGTERM are one."""
    raw = unset(config, "stop_signal", "stopSignal")
    if raw is None:
        return None
    text = str(raw).upper() if isinstance(raw, str | int) and not isinstance(raw, bool) else ""
    if text.isascii() and text.isdigit() and len(text) <= 2:
        name = _signal_name(int(text))
    else:
        name = text if text.startswith("SIG") else f"SIG{text}"
    if name in signal.Signals.__members__:
        return signal.Signals[name].name
    if _REAL_TIME_SIGNAL.fullmatch(name):
        return name
    raise InvalidField(
        config.path("stop_signal"), expected="a signal such as SIGTERM or 15", found=raw
    )


def _signal_name(number: int) -> str:
    if _REAL_TIME_FIRST < number < _REAL_TIME_LAST:
        middle = (_REAL_TIME_FIRST + _REAL_TIME_LAST) // 2
        if number <= middle:
            return f"SIGRTMIN+{number - _REAL_TIME_FIRST}"
        return f"SIGRTMAX-{_REAL_TIME_LAST - number}"
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def stop_grace_period_ms(config: Fields) -> int | None:
    """How long the process may take to end, in milliseconds. None: the engine's own."""
    raw = unset(config, "stop_grace_period", "stopTimeout")
    return None if raw is None else milliseconds_of(raw, config.path("stop_grace_period"))


def platform(config: Fields) -> str | None:
    """`OS/ARCHITECTURE[/VARIANT]` of the image to take."""
    return (
        config.optional_text(
            "platform", pattern=_PLATFORM, expected="a platform such as linux/arm64"
        )
        or None
    )


def pull_policy(config: Fields) -> PullPolicy:
    """When the image is pulled."""
    raw = config.raw("pull_policy")
    if raw is None:
        return PullPolicy.MISSING
    found = _PULL_POLICIES.get(raw) if isinstance(raw, str) else None
    if found is None:
        raise InvalidField(
            config.path("pull_policy"), expected=f"one of {', '.join(_PULL_POLICIES)}", found=raw
        )
    return found


def logging(config: Fields) -> Logging | None:
    """Where the output is kept; without a driver it is the engine's own, with these options."""
    raw = config.raw("logging")
    if raw is None:
        return None
    fields = config.nested(raw, config.path("logging"))
    driver = unset(fields, "driver") or ""
    if driver:
        driver = matching(_DRIVER, "the name of a driver")(driver, fields.path("driver"))
    found = Logging(driver=driver, options=text_pairs(fields, "options"))
    fields.warn_unknown()
    return None if found == Logging(driver="") else found
