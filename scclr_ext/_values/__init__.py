"""The values in an AnnData: where they lie, what they are, and how to read them."""
