"""What has one meaning everywhere: points, classes, boxes, similarity transforms, square crops, pixel coordinates."""
