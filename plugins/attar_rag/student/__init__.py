"""What a student model learnt: perplexity, graded replies, and both side by side with the model before training."""
