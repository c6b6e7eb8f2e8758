"""What a device should run: versions, history, deploys.

    draft    a target as an operator hands it in: checked with the device's own models (pure)
    version  what a version looks like to operators and to devices (pure)
    targets  adds versions, and decides which one is deployed
    history  who saved which version, when, and why
    routes   operators' and devices' calls

The invariant: a device gets whole, valid, deployed versions only, and a version's number is
never given twice. Saving and deploying are two things; saving alone is a stage nobody sees but
operators. Bodies are sealed at rest: they hold environment values, which are often secrets.
"""
