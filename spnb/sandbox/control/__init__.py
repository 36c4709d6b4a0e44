"""What a user's process uses of the sandbox: start it, find it, and ask it for faults, webhooks and audiences."""
