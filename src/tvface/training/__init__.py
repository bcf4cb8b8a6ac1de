"""Training: phases and their losses, sampling, checkpoints and the loop."""
