"""What hides a face: hands, things held, microphones, graphics."""
