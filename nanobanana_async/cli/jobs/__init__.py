"""What is behind `generate`, `submit`, `status`, `wait` and `download`: single pictures."""
