"""What is behind `nanobanana doctor`."""
