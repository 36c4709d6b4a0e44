"""What happens to a room: its life, its stage, its moderation."""
