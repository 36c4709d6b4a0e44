"""What simulated viewers say, and what simulated creators call their streams."""

from __future__ import annotations

__all__ = [
    "BURSTS",
    "CHAT",
    "COMMUNITIES",
    "CREATORS",
    "MOMENTS",
    "QUESTIONS",
    "REACTIONS",
    "TITLES",
    "TROLL",
    "VIEWERS",
]

MOMENTS = ("goal", "reveal", "giveaway", "surprise", "performance")
"""Kinds of planted moments; each has its own cries in `BURSTS`."""

BURSTS: dict[str, tuple[str, ...]] = {
    "goal": ("GOAL!!!", "what a shot", "unbelievable", "YESSS", "replay please", "🔥🔥🔥"),
    "reveal": ("no way", "finally!", "take my money", "it looks so good", "want it", "😍"),
    "giveaway": ("me me me", "pick me!", "good luck everyone", "in!", "🙏", "first time here, hi"),
    "surprise": ("WAIT WHAT", "did not see that coming", "omg", "I'm shaking", "😱", "how??"),
    "performance": ("goosebumps", "encore!", "this song ❤️", "best one yet", "👏👏👏", "so talented"),
}

CHAT = (
    "hello from Lisbon",
    "hi everyone 👋",
    "good evening",
    "love this",
    "haha",
    "so true",
    "the sound is great today",
    "nice setup",
    "greetings from Seoul",
    "first time watching",
    "I was here last week too",
    "this is my favourite part",
    "lol",
    "that is helpful, thank you",
    "agreed",
    "can't stop watching",
    "the picture froze for a second here",
    "back again",
    "you are the best",
    "👍",
    "❤️",
    "same here",
    "good point",
    "my dog is watching too",
    "need this in my life",
    "the light is lovely",
    "well said",
    "sending love from Nairobi",
    "I made this at home and it worked",
    "see you all next week",
)

QUESTIONS = (
    "how long did that take you?",
    "where can I get this?",
    "which camera do you use?",
    "will there be a recording?",
    "what is the song called?",
    "can you show it again?",
    "does it come in blue?",
    "when is the next stream?",
)

TROLL = (
    "boring",
    "who even watches this",
    "fake",
    "BORING BORING BORING",
    "everybody leave, this is a waste of time",
    "skip skip skip",
)

REACTIONS = ("like", "love", "fire", "clap", "wow", "laugh")

TITLES = (
    "Morning coffee and news",
    "Cooking from the market",
    "Building a keyboard, part {number}",
    "Live from the studio",
    "Questions and answers",
    "Sunday match together",
    "New arrivals, shown live",
    "Late night piano",
    "Learning to draw hands",
    "Speed run practice",
    "Garden walk",
    "The big reveal",
)

CREATORS = (
    "Amara",
    "Bruno",
    "Chiara",
    "Dae-jung",
    "Elif",
    "Farid",
    "Greta",
    "Hiro",
    "Ines",
    "Jonas",
    "Kavya",
    "Luca",
    "Mina",
    "Noor",
    "Olek",
    "Priya",
    "Quentin",
    "Rosa",
    "Siti",
    "Tomas",
)

COMMUNITIES = ("Kitchen table", "Makers", "Music room", "Match day", "Market square")

VIEWERS = ("Alex", "Bao", "Cleo", "Dina", "Emil", "Fay", "Gus", "Hana", "Ivo", "Jia", "Kim", "Lior", "Mo", "Nia", "Oz")
