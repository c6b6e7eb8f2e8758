"""The pure heart: `plan(world, target, policy) -> Plan(steps, waits, verdicts)`.

It never makes a whole plan. It looks at the world and names the steps that are safe *right now*;
they are done, and the world is looked at again. So a crash anywhere means only: ask again.

    world      the facts of one round, the clock among them
    step       what a plan is made of
    normalize  a service as hashes and labels see it
    policy     what this device allows
    service    the one next thing for one service
    resources  networks and volumes
    plan       all apps together, caps, order

No I/O, no clock, no randomness: equal inputs, equal plan.
"""
