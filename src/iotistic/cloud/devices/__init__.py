"""Who is in the fleet, how a device proves to be itself, what it says about itself.

    records      the rows of devices, as provisioning writes and operators read them
    credentials  device keys: hashed, in pairs while a reply may be lost
    reports      merge patches against the last accepted document
    releases     what a report says of releases; one that was rejected goes into the audit log
    fleet        what operators see and change

The invariant: a device's word counts for itself only, and a device that was removed stays
removed (its row is a tombstone, not a gap).
"""
