"""Pure functions from a snapshot to lines of cells: what the screen says, with no screen needed."""
