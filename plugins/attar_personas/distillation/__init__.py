"""Steps of the eight-stage distillation: dealing output types, near tasks, checks of what was written, enrichment."""
