"""Whether the planner's tests would notice a mistake: `python -m scripts.mutation`.

Small mistakes are put into the code one after the other, and the tests of the planner run for each.
One that no test notices has survived: a test is missing, or the code says more than it does. Four
modules at a time, other ones each day, in a copy of the project; what is not done when the time is
over is said, and not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.project_files import ROOT, project_files

PLANNER = Path("src/iotistic/planner")
AT_A_TIME = 4
SCORE_MIN = 0.9
_LIMIT_S = 40 * 60.0
_DAY_S = 86400
_SHOWN_MAX = 20
# What the exit code of the tests says of a mutant; all others are of one that never came to an end.
_UNDECIDED = (None, 2)
_SURVIVED = (0, 5, 33)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How the mutants of one module fared. `survivors` are their names."""

    module: str
    killed: int
    survivors: tuple[str, ...]
    undecided: int

    @property
    def share(self) -> float:
        """Of those that are decided, the ones that were noticed."""
        decided = self.killed + len(self.survivors)
        return self.killed / decided if decided else 1.0


def main() -> int:
    """Run it from the command line; 1 when too many survived."""
    parser = argparse.ArgumentParser(prog="python -m scripts.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", help="modules of the planner, by name")
    parser.add_argument("--all", action="store_true", help="all of them")
    parser.add_argument("--minutes", type=float, default=_LIMIT_S / 60, help="at most (40)")
    options = parser.parse_args()
    known = modules()
    if unknown := sorted(set(options.modules) - set(known)):
        parser.error(f"no such module: {', '.join(unknown)}; there are: {', '.join(known)}")
    chosen = known if options.all else tuple(options.modules) or of_the_day(known, time.time())
    print(f"mutation: {', '.join(chosen)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="iotistic-mutation-") as folder:
        copy = Path(folder)
        _copy(copy, chosen)
        if not _run(copy, options.minutes * 60):
            return 1
        scores = [score(module, copy) for module in chosen]
        print(table(scores))
        _show_survivors(copy, scores)
    return 0 if all(one.share >= SCORE_MIN for one in scores) else 1


def modules() -> tuple[str, ...]:
    """The planner's modules by name."""
    names = (path.stem for path in (ROOT / PLANNER).glob("*.py"))
    return tuple(sorted(name for name in names if name != "__init__"))


def of_the_day(known: Sequence[str], now_s: float) -> tuple[str, ...]:
    """Those whose turn it is; in as many days as it takes each has had one."""
    turns = -(-len(known) // AT_A_TIME)
    first = int(now_s // _DAY_S) % turns
    return tuple(known[first::turns])


def score(module: str, copy: Path) -> Score:
    """What is known of a module after a run in `copy`."""
    meta = copy / "mutants" / PLANNER / f"{module}.py.meta"
    found: Mapping[str, int | None] = {}
    if meta.exists():
        found = json.loads(meta.read_text())["exit_code_by_key"]
    survivors = tuple(name for name, code in found.items() if code in _SURVIVED)
    undecided = Counter(found.values())
    left = sum(undecided[code] for code in _UNDECIDED)
    return Score(
        module=module,
        killed=len(found) - len(survivors) - left,
        survivors=survivors,
        undecided=left,
    )


def table(scores: Sequence[Score]) -> str:
    """One line a module."""
    lines = [f"{'MODULE':<16} {'MUTANTS':>8} {'NOTICED':>8} {'SURVIVED':>9}  SCORE"]
    for one in scores:
        total = one.killed + len(one.survivors) + one.undecided
        note = f"  ({one.undecided} not tried)" if one.undecided else ""
        missed = "" if one.share >= SCORE_MIN else f"  below {SCORE_MIN:.0%}"
        lines.append(
            f"{one.module:<16} {total:>8} {one.killed:>8} {len(one.survivors):>9}"
            f"  {one.share:.1%}{missed}{note}"
        )
    return "\n".join(lines)


def _copy(folder: Path, chosen: Sequence[str]) -> None:
    for path in project_files():
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    project = folder / "pyproject.toml"
    only = json.dumps([f"{PLANNER}/{module}.py" for module in chosen])
    text = project.read_text()
    head, begin, rest = text.partition("[tool.mutmut]")
    line, _, rest = rest.partition("\n")
    project.write_text(f"{head}{begin}{line}\nonly_mutate = {only}\n{rest}")


def _run(folder: Path, limit_s: float) -> bool:
    """Whether it ran; also when the time was over before it was done."""
    command = [str(Path(sys.executable).parent / "mutmut"), "run", "--max-children", _children()]
    # Two levels down it has processes of its own, which have to end with it.
    with (folder / "mutation.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            code = 0
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if code:
        said = (folder / "mutation.log").read_text("utf-8", "replace").replace("\r", "\n")
        print(f"mutation: it did not run: {said[-2000:]}", file=sys.stderr)
    return code == 0


def _children() -> str:
    return str(max(1, os.cpu_count() or 1))


def _show_survivors(folder: Path, scores: Sequence[Score]) -> None:
    survivors = [name for one in scores for name in one.survivors]
    mutmut = str(Path(sys.executable).parent / "mutmut")
    for name in survivors[:_SHOWN_MAX]:
        said = subprocess.run(
            [mutmut, "show", name], cwd=folder, capture_output=True, text=True, check=False
        )
        changed = [
            line
            for line in said.stdout.splitlines()
            if line.startswith(("-", "+")) and not line.startswith(("---", "+++"))
        ]
        print("\n".join([f"\n{name}", *changed]))
    if len(survivors) > _SHOWN_MAX:
        print(f"\n… and {len(survivors) - _SHOWN_MAX} more")


if __name__ == "__main__":
    sys.exit(main())
