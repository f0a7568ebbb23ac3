"""What goes into an embedding, and what is kept of it."""
