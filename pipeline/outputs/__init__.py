"""What a run leaves behind: feature files, manifest, reports and saved pictures, and the one way to write them."""
