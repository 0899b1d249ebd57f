"""Where weights come from, how they are adapted, and the bundle they end in."""
