"""What a device should run: versions, history, deploys.

    draft           a target as an operator hands it in: checked with the device's models (pure)
    compose_change  a compose file as one app of a target (pure)
    bodies          which of them a body is, JSON or YAML
    version         what a version looks like to operators and to devices (pure)
    targets         adds versions, and decides which one is deployed
    history         who saved which version, when, and why
    routes          operators' and devices' calls

The invariant: a device gets whole, valid, deployed versions only, and a version's number is
never given twice. Saving and deploying are two things; saving alone is a stage nobody sees but
operators. Bodies are sealed at rest, whole: they hold secrets. Only the device gets these; to
people they show as a mask, and a target that comes back with masks keeps what was there.
"""
