"""Container engines behind one Protocol.

    protocol    what the agent needs of an engine (the contract both kinds are tested against)
    guarded     a breaker before an engine, so that one in trouble is left in peace
    docker/     the Docker Engine, over its own API socket
    simulated/  a whole engine in memory, with a virtual clock and faults to order
    attachments how a container is in a network, in the words of the target (for both)

The planner decides; an engine only does. The invariant: an engine object is made for one device
and neither sees nor touches anything without that device's label.
"""
