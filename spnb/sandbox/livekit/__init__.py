"""Where a room's media live: in the embedded server, or in a LiveKit deployment."""
