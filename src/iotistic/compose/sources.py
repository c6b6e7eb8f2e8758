"""What a compose file says stands elsewhere: in files beside it, and in variables.

Where there are no files (in the cloud) a field that names one is refused with its path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from iotistic.compose.env_file import parse_env_file
from iotistic.compose.interpolation import interpolated
from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields, check_text, join

FILES_MAX = 100


class Files(Protocol):
    """The files beside a compose file."""

    def read(self, path: str, *, at: str) -> str | None:
        """The text of a file; None when it does not exist. Raises InvalidField for `at`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """A document that stands for itself, and what a person should know of how it came about."""

    document: Mapping[str, Any] = field(repr=False)
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Gathering:
    variables: Mapping[str, str]
    files: Files | None
    notes: list[str] = field(default_factory=list)
    read: int = 0

    def file(self, path: object, at: str) -> str | None:
        """The text of a file that the document names."""
        name = check_text(path, at, length_max=4096, expected="the path of a file")
        if self.files is None:
            raise InvalidField(
                at,
                expected="nothing, since files beside it are not here",
                found=name,
                remedy="iotctl reads them, beside the file: iotctl fleet target set DEVICE FILE",
            )
        self.read += 1
        if self.read > FILES_MAX:
            raise InvalidField(at, expected=f"at most {FILES_MAX} files", found="more")
        return self.files.read(name, at=at)

    def needed_file(self, path: object, at: str) -> str:
        """The text of a file that has to be there."""
        text = self.file(path, at)
        if text is None:
            raise InvalidField(at, expected="a file that exists", found=path)
        return text


def resolved(
    document: object, *, variables: Mapping[str, str], files: Files | None = None
) -> Gathered:
    """A document with its expressions replaced, and what stands elsewhere brought in.

    Raises InvalidField.
    """
    if not isinstance(document, Mapping):
        raise InvalidField("the document", expected="an object with services", found=document)
    return gathered(interpolated(document, variables), variables=variables, files=files)


def gathered(
    document: Mapping[str, Any], *, variables: Mapping[str, str], files: Files | None = None
) -> Gathered:
    """Bring in what stands elsewhere: `env_file`, `label_file`, variables without a value, and
    secrets that name a file or a variable.

    The document's own texts are not looked at here (see `interpolation`). Raises InvalidField.
    """
    work = _Gathering(variables=variables, files=files)
    done = dict(document)
    if isinstance(services := document.get("services"), Mapping):
        done["services"] = {
            name: _service(work, service, join("services", name))
            if isinstance(service, Mapping)
            else service
            for name, service in services.items()
        }
    if isinstance(secrets := document.get("secrets"), Mapping):
        done["secrets"] = {
            name: _secret(work, secret, join("secrets", name))
            if isinstance(secret, Mapping)
            else secret
            for name, secret in secrets.items()
        }
    return Gathered(document=done, notes=tuple(work.notes))


def _service(work: _Gathering, service: Mapping[str, Any], at: str) -> dict[str, Any]:
    done = dict(service)
    environment = _environment(work, done.get("environment"))
    if environment is not None:
        done["environment"] = environment
    for source, target in (("env_file", "environment"), ("label_file", "labels")):
        named = done.pop(source, None)
        if not named:
            continue
        values = _from_files(work, named, join(at, source))
        work.notes.append(f"{join(at, source)}: what it says is part of the target")
        done[target] = _beneath(values, done.get(target), join(at, target))
    return done


def _environment(work: _Gathering, raw: Any) -> Any:
    """Names alone get the value of a variable that was given."""
    if isinstance(raw, Mapping):
        return {
            name: work.variables.get(name) if value is None else value
            for name, value in raw.items()
        }
    if isinstance(raw, list):
        return [
            f"{item}={work.variables[item]}"
            if isinstance(item, str) and item in work.variables
            else item
            for item in raw
        ]
    return raw


def _from_files(work: _Gathering, named: Any, at: str) -> dict[str, str]:
    found: dict[str, str] = {}
    entries = named if isinstance(named, list) else [named]
    for n, entry in enumerate(entries):
        path = f"{at}[{n}]" if isinstance(named, list) else at
        if not isinstance(entry, Mapping):
            text = work.needed_file(entry, path)
            found |= parse_env_file(text, str(entry), work.variables)
            continue
        fields = Fields(entry, path)
        name = fields.text("path", expected="the path of a file")
        form = fields.optional_text("format")
        if form not in (None, "raw"):
            raise InvalidField(fields.path("format"), expected="raw, or nothing", found=form)
        if fields.boolean("required", default=True):
            content: str | None = work.needed_file(name, fields.path("path"))
        else:
            content = work.file(name, fields.path("path"))
        if content is not None:
            found |= parse_env_file(content, name, work.variables, raw=form == "raw")
    return found


def _beneath(values: Mapping[str, str], own: Any, at: str) -> dict[str, Any]:
    """What files say, with what stands in the document itself above it."""
    merged: dict[str, Any] = dict(values)
    if isinstance(own, Mapping):
        return {**merged, **own}
    for n, item in enumerate(own or ()):
        name, sign, value = check_text(item, f"{at}[{n}]", secret=True).partition("=")
        merged[name] = value if sign else merged.get(name)
    return merged


def _secret(work: _Gathering, secret: Mapping[str, Any], at: str) -> dict[str, Any]:
    rest = {name: value for name, value in secret.items() if name not in ("file", "environment")}
    if (path := secret.get("file")) is not None:
        text = work.needed_file(path, join(at, "file"))
        work.notes.append(f"{at}: the content of {path} is part of the target, sealed")
        return {**rest, "value": text}
    if (variable := secret.get("environment")) is not None:
        name = check_text(variable, join(at, "environment"), expected="the name of a variable")
        value = work.variables.get(name)
        if value is None:
            raise InvalidField(
                join(at, "environment"),
                expected=f"a value for {name}",
                remedy=f"give it with --env {name}=VALUE or --env-file FILE",
            )
        return {**rest, "value": value}
    return rest
