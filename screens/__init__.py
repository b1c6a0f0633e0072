"""What an operator sees: one file a screen, its stylesheet beside it, presenters and widgets in their own folders."""
