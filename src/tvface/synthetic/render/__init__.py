"""The renderer: surfaces, light and shadow to pictures with labels, points, depth and flow."""
