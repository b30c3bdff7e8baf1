"""Alert rules over campaign and tenant figures."""
