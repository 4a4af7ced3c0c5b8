"""How a worker runs its handlers."""
