"""What genes are attributed to."""
