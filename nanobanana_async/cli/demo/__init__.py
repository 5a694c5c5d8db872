"""What is behind `nanobanana demo`."""
