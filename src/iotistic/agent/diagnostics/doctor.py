"""class Doctor: runs every check, and mends what a person agrees to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from iotistic.agent.diagnostics.check import Check, CheckVerdict, Finding, failed, told
from iotistic.agent.diagnostics.fixes import FIXES, Fix
from iotistic.agent.diagnostics.registry import CHECKS
from iotistic.model.errors import IotisticError, NotFound

if TYPE_CHECKING:
    from iotistic.agent.api.rooms import Rooms

Json = dict[str, Any]


class Doctor:
    """All checks, run side by side, each within its own time; and the fixes."""

    def __init__(
        self, rooms: Rooms, *, checks: Sequence[Check] = CHECKS, fixes: Sequence[Fix] = FIXES
    ) -> None:
        self._rooms = rooms
        self._checks = checks
        self._fixes = {fix.id: fix for fix in fixes}
        self._mending = asyncio.Lock()

    async def examine(self) -> Json:
        """What every check finds, and what could be mended."""
        found, fixes = await asyncio.gather(
            asyncio.gather(*(self._run(check) for check in self._checks)), self.fixes()
        )
        return {
            "healthy": all(check["verdict"] != CheckVerdict.FAILED for check in found),
            "checks": found,
            "fixes": fixes,
        }

    async def _run(self, check: Check) -> Json:
        started_s = self._rooms.clock.now_s()
        finding = await self._finding(check)
        return {
            "id": check.id,
            "title": check.title,
            "verdict": str(finding.verdict),
            "message": finding.message,
            "evidence": dict(finding.evidence),
            "remedy": finding.remedy,
            "tookMs": round((self._rooms.clock.now_s() - started_s) * 1000),
        }

    async def _finding(self, check: Check) -> Finding:
        try:
            async with asyncio.timeout(check.timeout_s):
                return await check.run(self._rooms)
        except TimeoutError:
            return failed(f"no answer within {check.timeout_s:.0f} s")
        except IotisticError as error:
            return told(error)
        except OSError as error:
            return failed(f"{error.filename or check.id}: {error.strerror or error}")
        except Exception as error:  # noqa: BLE001 - one broken check must not hide the others
            self._rooms.log.warning("a check failed", check=check.id, error=error)
            return failed(f"the check itself failed: {type(error).__name__}", "iotctl logs")

    async def fixes(self) -> list[Json]:
        """What could be mended now, and exactly how."""
        return [
            {"id": fix.id, "title": fix.title, "will": will}
            for fix in self._fixes.values()
            if (will := await self._will(fix))
        ]

    async def _will(self, fix: Fix) -> list[str]:
        try:
            return await fix.will(self._rooms)
        except (IotisticError, OSError) as error:
            self._rooms.log.debug("a fix cannot be judged", fix=fix.id, error=str(error))
            return []

    async def mend(self, fix_id: str) -> Json:
        """Do one fix. Raises NotFound, or what goes wrong; half of it may be done then."""
        fix = self._fixes.get(fix_id)
        if fix is None:
            known = ", ".join(sorted(self._fixes))
            raise NotFound(
                f"there is no fix {fix_id[:64]!r}", code="fix-not-found", remedy=f"known: {known}"
            )
        async with self._mending:
            done = await fix.do(self._rooms)
        self._rooms.log.info("mended on request", fix=fix.id, done=done)
        return {"id": fix.id, "done": done}
