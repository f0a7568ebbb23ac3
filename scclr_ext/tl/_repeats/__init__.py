"""The same embedding again, and what the runs agree on."""
