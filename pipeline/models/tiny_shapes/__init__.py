"""The toy CLIP `tiny-shapes`: its configuration, its weights and the script that trains them."""
