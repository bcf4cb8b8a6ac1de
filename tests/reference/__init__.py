"""Numbers computed by the public original implementations, and what is needed to read them."""
