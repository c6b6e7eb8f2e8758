"""How a device joins: provisioning keys, the two phases of `v2`, the older dialect `o1`.

    keys       made by an operator, shown once, counted, expiring, revocable
    ring       the cloud's own RSA pairs: the active one and, for a while, the former
    decryption one at a time, a short queue, then 429
    exchange   phase one: hands out the public key, takes in the device's
    decision   whether a uuid that is known may register again (pure)
    registrar  phase two: new device, lost reply, return; fresh credentials each time
    o1         the same for devices that make their own key
    refusals   what happens after a "no": counted, written down
    replies    what a device is told when it was let in (pure)

The invariant: whatever is repeated, lost or raced, one uuid is one device, a use of a key is
counted once, and who cannot prove to be the device cannot take its place. A challenge of the
second key exchange is spent by the registration in the same transaction, so a recorded
registration is worth nothing to somebody who replays it.
"""
