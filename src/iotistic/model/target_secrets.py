"""Which values of a target are secrets: hiding them from people, and keeping hidden ones.

Secret are: values of environments, values of an app's `secrets`, what stands under a name that
sounds secret, and texts that carry a password or a key inside. Each shows as the mask. A document
that comes back with masks keeps what was there: same app, same service, same name.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from iotistic.model.errors import MASK, InvalidField
from iotistic.model.reader import join
from iotistic.model.secret_names import is_secret_name

_ENVIRONMENT = frozenset({"environment", "env"})
_SECRETS = "secrets"
_VALUE = "value"
# By what an entry of a list is known again after others came or went.
_IDENTITY = ("serviceId", "appId", "id", "uuid", "name", "url", "source")
_NUMBER_IS_SECRET = re.compile(r"(?i).*(?:password|passwd|passphrase|secret|token|pin)")
_CARRIES_A_SECRET = re.compile(
    r"(?i)://[^\s/:@]{0,128}:[^\s/@]{1,256}@"
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"
    r"|(?:^|[\s,;&?])-{0,2}(?:[a-z]{1,20}[-_])?(?:password|passwd|pass|pwd|secret|token)=[^\s,;&]"
)
# In the use of a secret it is the name of a variable; in the config the operator's own word.
_NAME_OF_A_VARIABLE = re.compile(r"secrets\[[0-9]+\]\.environment$|^config\.")
_NOTHING = object()
_LOST = object()
"""Instead of a value before: a mask here stands for one of several that were hidden."""

_Leaf = Callable[[Any, Any, str], Any]
"""(value, the one before or _NOTHING, path) -> what stands there afterwards."""


def hidden(target: Any) -> Any:
    """A target `{apps, config}` as people see it: secrets masked, the rest as it is."""
    return _Walk(lambda *_: MASK).any(target, _NOTHING, "")


def restored(target: Any, before: Any) -> Any:
    """A target that people hand in: each mask replaced by the secret that it stands for in
    `before`.

    Raises InvalidField where there is none.
    """
    return _Walk(_kept).any(target, before, "")


def _kept(value: Any, before: Any, at: str) -> Any:
    if value != MASK:
        return value
    if before is _NOTHING or before is _LOST or before is None:
        raise InvalidField(
            at,
            expected="a value, for there is none yet that the mask could stand for",
            found=MASK,
            remedy="write the value itself",
        )
    return before


class _Walk:
    """Goes through a document beside an earlier one, and gives every secret to `leaf`."""

    def __init__(self, leaf: _Leaf) -> None:
        self._leaf = leaf

    def any(self, value: Any, before: Any, at: str) -> Any:
        """A value under a name that does not sound secret."""
        if isinstance(value, Mapping):
            return {
                name: self._field(
                    str(name), item, _text_called(name, item, before), join(at, str(name))
                )
                for name, item in value.items()
            }
        if isinstance(value, list | tuple):
            texts = _texts_in_order(value, before)
            return [
                self.any(item, texts.get(n, _same_entry(item, n, before)), f"{at}[{n}]")
                for n, item in enumerate(value)
            ]
        # A mask stands for a text that was hidden for what it carried; else it is just a text.
        was_hidden = before is _LOST or _carries_a_secret(before)
        if _carries_a_secret(value) or (value == MASK and was_hidden):
            return self._leaf(value, before, at)
        return value

    def _field(self, name: str, value: Any, before: Any, at: str) -> Any:
        if name in _ENVIRONMENT and isinstance(value, Mapping | list):
            return self._environment(value, before, at)
        if name in _ENVIRONMENT and not _NAME_OF_A_VARIABLE.search(at):
            return self._all(_SECRETS, value, before, at)  # in no form that it has
        if name == _SECRETS and isinstance(value, Mapping):
            return {
                key: self._secret(entry, _under(before, key), join(at, str(key)))
                for key, entry in value.items()
            }
        # A list of secrets names those that a service uses.
        if name != _SECRETS and is_secret_name(name):
            return self._all(name, value, before, at)
        return self.any(value, before, at)

    def _secret(self, entry: Any, before: Any, at: str) -> Any:
        if not isinstance(entry, Mapping):
            return self._all(_SECRETS, entry, before, at)
        return {
            name: self._all(_SECRETS, item, _under(before, name), join(at, str(name)))
            if name == _VALUE
            else self._field(str(name), item, _under(before, name), join(at, str(name)))
            for name, item in entry.items()
        }

    def _all(self, name: str, value: Any, before: Any, at: str) -> Any:
        """A value of which all is secret; how many there are and what they are called is not."""
        if isinstance(value, Mapping):
            return {
                key: self._all(name, item, _under(before, key), join(at, str(key)))
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [
                self._all(name, item, _nth(before, n), f"{at}[{n}]") for n, item in enumerate(value)
            ]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if (isinstance(value, str) and value) or (is_number and _NUMBER_IS_SECRET.fullmatch(name)):
            return self._leaf(value, before, at)
        return value

    def _environment(self, value: Any, before: Any, at: str) -> Any:
        known = dict(_variables(before))
        if isinstance(value, Mapping):
            return {
                name: None
                if item is None
                else self._leaf(item, known.get(str(name), _NOTHING), join(at, str(name)))
                for name, item in value.items()
            }
        return [
            # The line at its own place first: a name may stand there twice.
            self._line(item, ChainMap(dict(_variables([_nth(before, n)])), known), f"{at}[{n}]")
            if isinstance(item, str)
            # No line of an environment: refused by whoever reads it, and not shown here.
            else self._all(_SECRETS, item, _nth(before, n), f"{at}[{n}]")
            for n, item in enumerate(value)
        ]

    def _line(self, line: str, before: Mapping[str, Any], at: str) -> str:
        name, sign, value = line.partition("=")
        if not sign:
            return line
        kept = self._leaf(value, before.get(name, _NOTHING), at)
        return f"{name}={str(kept).lower() if isinstance(kept, bool) else kept}"


def _under(before: Any, name: Any) -> Any:
    return before.get(name, _NOTHING) if isinstance(before, Mapping) else _NOTHING


def _text_called(name: Any, item: Any, before: Any) -> Any:
    """What stood under that name. A mask whose name is new stands for none of those beside it."""
    found = _under(before, name)
    if item != MASK or found == MASK or _carries_a_secret(found):
        return found
    others = before.values() if isinstance(before, Mapping) else ()
    return _LOST if any(_carries_a_secret(one) for one in others) else found


def _texts_in_order(value: Sequence[Any], before: Any) -> Mapping[int, Any]:
    """What the masks of a list stand for, by place: what was hidden, in its order.

    Words come and go before them, as in a command. With one more or less of them nobody knows.
    """
    masks = [n for n, item in enumerate(value) if item == MASK]
    if not masks or not isinstance(before, list | tuple):
        return {}
    texts = [item for item in before if item == MASK or _carries_a_secret(item)]
    if not any(_carries_a_secret(text) for text in texts):
        return {}
    if len(texts) != len(masks):
        return dict.fromkeys(masks, _LOST)
    return dict(zip(masks, texts, strict=True))


def _same_entry(item: Any, n: int, before: Any) -> Any:
    """The entry of an earlier list that `item` is about."""
    if not isinstance(before, list | tuple):
        return _NOTHING
    if isinstance(item, Mapping):
        for key in _IDENTITY:
            if item.get(key, MASK) != MASK:
                wanted = str(item[key])
                return next(
                    (
                        one
                        for one in before
                        if isinstance(one, Mapping) and key in one and str(one[key]) == wanted
                    ),
                    _NOTHING,
                )
    return _nth(before, n)


def _nth(before: Any, n: int) -> Any:
    return before[n] if isinstance(before, list | tuple) and n < len(before) else _NOTHING


def _variables(environment: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(environment, Mapping):
        yield from ((str(name), value) for name, value in environment.items())
    elif isinstance(environment, list | tuple):
        for item in environment:
            name, sign, value = str(item).partition("=")
            if sign:
                yield name, value


def _carries_a_secret(value: Any) -> bool:
    return isinstance(value, str) and _CARRIES_A_SECRET.search(value) is not None
