"""Personas out of personas: relations, the groups they lead to, and how well a set covers them."""
