"""Ringway and its simulated providers as child processes of a test.

Only the standard library is used: every client runs in an environment of its own, and this package in each of them.
"""
