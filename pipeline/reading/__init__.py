"""Reading the text that pictures show: engines, what changed between pictures, lines over time."""
