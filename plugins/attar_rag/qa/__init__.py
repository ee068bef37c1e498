"""Questions and answers from chunks: what code can see to be wrong with them, evidence, and what came of it all."""
