"""Training crops with ground truth, and their files."""
