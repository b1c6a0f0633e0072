"""The benchmark lab: plans what to measure, measures it, judges, compares and reports."""
