"""Landmark situations, each told whole: every word and field of every plan on the way.

The text files beside the modules are what is expected; `test_stories_edges` compares.
"""
