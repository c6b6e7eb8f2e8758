"""What can be checked about this device, what can be mended without risk, and what may leave it.

    registry.CHECKS   one check = one small function: id, title, run(rooms) -> Finding
    doctor.Doctor     runs them side by side, each within its time; one that raises has failed
    fixes.FIXES       what is wrong with our own files and notes, put right when a person agrees
    bundle            the support bundle: everything that helps, nothing that is secret

A check only looks. It never changes anything, and never shows a secret: its evidence is numbers,
names and states. A fix says beforehand exactly what it will do, does that, and may be done twice.
"""
