"""What can be done in each place, a table a file; `screens.actions` puts them together."""
