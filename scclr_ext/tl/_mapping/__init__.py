"""New cells onto a reference."""
