"""Everything that works with no terminal: engine, stages, media, models, outputs."""
