"""What every report for people is made of: Markdown that outside text cannot break, plots, one HTML page."""
