"""Examines this machine: each check is tried for real in a child process of its own."""
