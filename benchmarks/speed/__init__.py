"""How long things take, as ratios measured side by side on one machine."""
