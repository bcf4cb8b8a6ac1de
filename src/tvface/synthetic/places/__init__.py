"""What lies around a person: light and background."""
