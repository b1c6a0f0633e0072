"""How it starts: command line, configuration, headless output, demo and the way into the console."""
