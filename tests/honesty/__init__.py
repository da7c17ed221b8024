"""What the statistics say of simulated markets in which there is nothing, or a known something."""
