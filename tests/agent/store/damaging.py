"""Ways in which a dying disk loses what a file held."""

from __future__ import annotations

from pathlib import Path
from random import Random

PAGE = 4096
FILES = ("device.sqlite", "device.sqlite", "device.sqlite-wal")
KINDS = ("cut", "zeros", "noise", "bit", "page", "pages", "empty")


def damage(rng: Random, folder: Path) -> str:
    """Damage a file, which stays the same file to whoever has it open; says how."""
    victim = folder / rng.choice([name for name in FILES if (folder / name).exists()])
    content = bytearray(victim.read_bytes())
    size = len(content)
    kind = rng.choice(KINDS)
    at, length = rng.randrange(max(1, size)), rng.choice([1, 16, 512, PAGE])
    match kind:
        case "cut":
            del content[at:]
        case "zeros":
            content[at : at + length] = bytes(len(content[at : at + length]))
        case "noise":
            content[at : at + length] = rng.randbytes(len(content[at : at + length]))
        case "bit" if size:
            content[at] ^= 1 << rng.randrange(8)
        case "page" if size >= PAGE:
            at, other = (PAGE * rng.randrange(size // PAGE) for _ in range(2))
            content[at : at + PAGE] = content[other : other + PAGE]
        case "pages":
            for start in range(0, size, PAGE):
                if rng.random() < 0.3:
                    content[start : start + PAGE] = rng.randbytes(
                        len(content[start : start + PAGE])
                    )
        case _:
            content.clear()
    with victim.open("r+b") as file:
        file.write(content)
        file.truncate()
    return f"{kind} of {victim.name} at {at}, {length}"
