"""What both clients are made of: the protocol's state machine, without threads, and without an event loop."""
