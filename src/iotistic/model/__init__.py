"""What travels and what is stored. Frozen, typed, validated at the edge; imports nothing of ours.

The invariant of this room: whoever holds one of its objects may trust it. What arrives goes
through `reader` (limits, paths, warnings) and one of the parsers; everything behind that deals
with the domain only.
"""
