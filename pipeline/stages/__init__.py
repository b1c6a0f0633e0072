"""The stages of a job, a file each, with a section of the same name in the settings."""
