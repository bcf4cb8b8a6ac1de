"""The running process: log, progress, devices, threads."""
