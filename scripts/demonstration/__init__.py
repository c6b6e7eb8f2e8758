"""The demonstration: the main job once, for real, each claim checked from outside.

__main__   which engine, set-up, clean-up, the JSON line
story      the steps, in plain sentences
outside    the engine as somebody else sees it: Docker's own API, or the simulated engine's file
"""
