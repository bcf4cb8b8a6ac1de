"""What a camera does to a picture: lens, sensor, codec."""
