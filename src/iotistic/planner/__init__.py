"""The pure heart: `plan(world, target, policy) -> Plan(steps, waits, verdicts)`.

It never makes a whole plan. It looks at the world and names the steps that are safe *right now*;
they are done, and the world is looked at again. So a crash anywhere means only: ask again.

    plan         all apps together, caps, order
    app          one app in a round; `part` is what it finds out, `clearing` what has to go
    service      the one next thing for one service; `pairing` says with which container,
                 `steps` makes it
    order        what starts after what, and stops before what
    resources    networks and volumes
    images       which come first, which may go, what a tag meant
    releases     watched, good, or taken back
    gates        failures, locks, too little room
    verdict      how each app stands

    world        the facts of one round, the clock among them; `sight` looks them up
    wanted       the target worked out once; `making` makes the requests
    step         what a plan is made of
    attempts, wishes    what is to be remembered after a step, after a look

    fields       every field of a service: how it is hashed, compared, read back
    normalize    hashes and labels (`normal_form`), close looks (`drift`)
    compare      whether a container is the one that is wanted
    policy       what this device allows: `service_policy`, `object_policy`, `permissions`

    foresight    where a plan leads to

No I/O, no clock, no randomness: equal inputs, equal plan.
"""
