"""What is behind `nanobanana bulk`."""
