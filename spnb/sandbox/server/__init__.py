"""The sandbox as a process: what it listens on, who may come in, what it is told at its start."""
