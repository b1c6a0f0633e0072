"""Turns any video into one that the pipeline likes: what is wrong with it, what to do, doing it, checking it."""
