"""Listening to the sound of a video: where there is a voice, and which stretches of it are transcribed at once."""
