"""Benchmarks: the real programs on a real Docker Engine, measured from outside.

    scripts/bench NAME        README.md says what each figure means, and what it should be

footprint, converge, plan
                      what is measured, one module for each name
beside_compose        the part of `plan` with a compose program beside the agent
device                a device that has joined a cloud of its own, for the time of a benchmark
engine                the engine as somebody else uses it: shell loop, events, clean-up
counting              a way to the engine that counts the requests
process               a process as the kernel keeps account of it
outcome               the table for people, and the one line for programs

Everything publishes on loopback only, and what a benchmark makes it removes.
"""
