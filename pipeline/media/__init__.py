"""Everything that opens, decodes or makes media."""
