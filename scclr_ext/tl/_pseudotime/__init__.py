"""From a root and a graph to an order of cells."""
