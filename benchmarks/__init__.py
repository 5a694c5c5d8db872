"""What the client reaches and what it costs. `make bench` measures and writes the pages of docs."""
