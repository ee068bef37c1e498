"""Making personas from texts and from other personas: stances, checks, confidence, caps."""
