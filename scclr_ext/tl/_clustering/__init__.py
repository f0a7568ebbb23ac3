"""Ways to cut an embedding, and how many clusters there are."""
