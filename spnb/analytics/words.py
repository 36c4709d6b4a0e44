"""What was said, where a dataset was loaded with `text=True`: keywords, emoji, questions, search; and who said most.

A word's keyness is its log-odds ratio with an informative Dirichlet prior, in standard deviations (Monroe, Colaresi and
Quinn, "Fightin' Words", 2008). It counts people, not messages: whoever pastes a word a hundred times is one. Of scripts
without spaces pairs of characters stand for words.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spnb.analytics.languages import language_of
from spnb.errors import InvalidInput

if TYPE_CHECKING:
    from spnb.analytics.dataset import Dataset

__all__ = [
    "emoji",
    "keywords",
    "languages",
    "moment_words",
    "questions",
    "redacted",
    "search",
    "top_chatters",
    "typical",
    "words_in",
]

PRIOR = 1_000
"""Words' worth of what is usual everywhere, that a comparison begins with: rare words need more than one mouth."""
FEWEST = 2
"""People who must have used a word."""
EMOJI = re.compile(
    "[\U0001f1e6-\U0001f1ff]{2}"
    "|[\u203c\u2049\u2194-\u21aa\u231a-\u23ff\u25aa-\u27bf\u2934\u2935\u2b05-\u2b55\U0001f000-\U0001faff]\ufe0f?"
    "[\U0001f3fb-\U0001f3ff]?(?:\u200d[\u2640\u2642\u2695-\u27bf\U0001f000-\U0001faff]\ufe0f?[\U0001f3fb-\U0001f3ff]?)*"
)
SHORTCODE = re.compile(r":[A-Za-z_][\w+-]+:")
UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
WORD = re.compile(rf"[^\W\d_{UNSPACED}](?:[^\W{UNSPACED}]|['’-](?=\w))+|[{UNSPACED}]+")
LINK = re.compile(r"\b(?:https?://|www\.)\S+")
QUESTION = re.compile(r"[?？؟;]\s*$|^\s*¿")


def words_in(text: str) -> Iterator[str]:
    """Words, emoji and `:shortcodes:` of a message; case does not matter, links are no words."""
    plain = LINK.sub(" ", text)
    yield from EMOJI.findall(plain)
    yield from SHORTCODE.findall(plain)
    for word in WORD.findall(SHORTCODE.sub(" ", plain)):
        if re.match(f"[{UNSPACED}]", word):
            yield from (word[place : place + 2] for place in range(max(1, len(word) - 1)))
        else:
            yield word.casefold().replace("’", "'")


def top_chatters(dataset: Dataset, *, most: int = 20) -> pd.DataFrame:
    """Who wrote most, without deleted messages; needs no text.

    Args:
        dataset: the audience.
        most: how many people.

    Returns:
        By `user_id`: `messages, streams, characters, first, last`.
    """
    standing = dataset.messages[~dataset.messages["deleted"]]
    made = standing.groupby("user_id").agg(
        messages=("created_at", "size"),
        streams=("room_id", "nunique"),
        characters=("length", "sum"),
        first=("created_at", "min"),
        last=("created_at", "max"),
    )
    return made.sort_values(["messages", "characters"], ascending=False, kind="stable").head(most)


def keywords(
    dataset: Dataset, room_ids: Sequence[str], *, against: Sequence[str] | None = None, most: int = 20
) -> pd.DataFrame:
    """Words that streams have more than the host's usual.

    Args:
        dataset: loaded with `text=True`.
        room_ids: the streams.
        against: what is usual; the other streams of the same hosts without it, all others where there are none.
        most: how many words.

    Returns:
        By `word`: `chatters` who used it, `share` of all who wrote, `usual_share`, and `score`, its keyness in standard
        deviations; highest first.

    Raises:
        InvalidInput: the dataset has no text, or no stream is asked for.
    """
    messages = _said(dataset)
    chosen = list(dict.fromkeys(room_ids))
    dataset.of_rooms([*chosen, *(against or ())])  # unknown ones are refused
    if not chosen:
        raise InvalidInput("keywords are of streams: give at least one")
    rooms = dataset.rooms
    others = rooms[~rooms["room_id"].isin(chosen)]
    if against is None:
        hosts = rooms.loc[rooms["room_id"].isin(chosen), "creator_id"].dropna()
        same = others[others["creator_id"].isin(hosts)]
        against = (same if len(same) else others)["room_id"].tolist()
    here, usual = (messages[messages["room_id"].isin(list(some))] for some in (chosen, against))
    scores = typical(_users_of(here), _users_of(usual))
    people, other = (max(len(frame.drop_duplicates(["room_id", "user_id"])), 1) for frame in (here, usual))
    rows = [(word, used, used / people, usually / other, score) for word, used, usually, score in scores[:most]]
    return pd.DataFrame(rows, columns=["word", "chatters", "share", "usual_share", "score"]).set_index("word")


def typical(here: Counter[str], usual: Counter[str]) -> list[tuple[str, int, int, float]]:
    """Words by keyness, the highest first: word, its count here, its usual count, standard deviations above usual."""
    total, total_usual = sum(here.values()), sum(usual.values())
    if not total:
        return []
    words = [word for word, count in here.items() if count >= FEWEST]
    one = np.array([here[word] for word in words], dtype=float)
    two = np.array([usual[word] for word in words], dtype=float)
    prior = PRIOR * (one + two) / (total + total_usual)
    odds = np.log((one + prior) / (total + PRIOR - one - prior))
    odds -= np.log((two + prior) / (total_usual + PRIOR - two - prior))
    scores = odds / np.sqrt(1 / (one + prior) + 1 / (two + prior))
    order = sorted(range(len(words)), key=lambda place: (-scores[place], words[place]))
    return [(words[place], int(one[place]), int(two[place]), float(scores[place])) for place in order]


def emoji(dataset: Dataset, *, most: int = 20) -> pd.DataFrame:
    """Emoji and `:shortcodes:` of emotes, as often as they were sent.

    Returns:
        By `emoji`: `sent`, and by how many `chatters`.
    """
    sent: Counter[str] = Counter()
    people: dict[str, set[str]] = {}
    messages = _said(dataset)
    for user, text in zip(messages["user_id"], messages["text"], strict=True):
        for one in (*EMOJI.findall(text), *SHORTCODE.findall(text)):
            sent[one] += 1
            people.setdefault(one, set()).add(user)
    rows = [(one, count, len(people[one])) for one, count in sent.most_common(most)]
    return pd.DataFrame(rows, columns=["emoji", "sent", "chatters"]).set_index("emoji")


def languages(dataset: Dataset) -> pd.DataFrame:
    """Which languages the chat is in. What each person wrote is judged together; short chats in letters that many
    languages share often tell none, and are counted as not told, by their script.

    Returns:
        By `language`: `chatters`, `messages`, and the `share` of all messages; most messages first.

    Raises:
        InvalidInput: the dataset has no text.
    """
    messages = _said(dataset)
    of_user = messages.groupby("user_id", observed=True)["text"].agg(language_of)
    made = messages.assign(language=messages["user_id"].astype(object).map(of_user)).groupby("language")
    counts = pd.DataFrame({"chatters": made["user_id"].nunique(), "messages": made.size()})
    counts["share"] = counts["messages"] / max(len(messages), 1)
    return counts.sort_values(["messages", "chatters"], ascending=False, kind="stable")


def questions(dataset: Dataset) -> pd.DataFrame:
    """Messages that end as questions do: `at, room_id, user_id, text`, in order of time."""
    messages = _said(dataset)
    return _rows(messages[[QUESTION.search(text) is not None for text in messages["text"]]])


def search(dataset: Dataset, wanted: str) -> pd.DataFrame:
    """Messages with a text in them, whatever its case: `at, room_id, user_id, text`, in order of time."""
    messages = _said(dataset)
    needle = wanted.casefold()
    return _rows(messages[[needle in text.casefold() for text in messages["text"]]])


def moment_words(messages: pd.DataFrame, moments: pd.DataFrame, most: int = 3) -> list[str]:
    """The words of each moment that the rest of its stream has less, e.g. `goal, 🔥`; empty where none stands out."""
    standing = messages[~messages["deleted"]]
    at = standing["created_at"]
    made = []
    for start, end in zip(moments["start"], moments["end"], strict=True):
        inside = (at >= start) & (at < end)
        found = typical(_users_of(standing[inside]), _users_of(standing[~inside]))
        made.append(", ".join(word for word, *_, score in found[:most] if score > 2))
    return made


def _said(dataset: Dataset) -> pd.DataFrame:
    """Messages that stand, with their words."""
    messages = dataset.messages
    if "text" not in messages.columns:
        raise InvalidInput("what was written is not in this dataset: load it with text=True")
    return messages[~messages["deleted"] & messages["text"].notna()]


def _users_of(messages: pd.DataFrame) -> Counter[str]:
    """How many people of each stream used each word."""
    used: set[tuple[str, str, str]] = set()
    for room, user, text in zip(messages["room_id"], messages["user_id"], messages["text"].fillna(""), strict=True):
        used.update((room, user, word) for word in words_in(text))
    return Counter(word for *_, word in used)


def _rows(messages: pd.DataFrame) -> pd.DataFrame:
    made = messages[["created_at", "room_id", "user_id", "text"]].rename(columns={"created_at": "at"})
    return made.sort_values("at", kind="stable", ignore_index=True)


def redacted(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Tables in which nobody can be recognised by an id; see `Dataset.redacted`."""
    ids = _people(tables.values())
    draw = np.random.default_rng().permutation(len(ids))  # not in the order of anything
    name_of = {person: f"person-{number + 1}" for person, number in zip(ids, draw.tolist(), strict=True)}
    said = _unnamed(name_of)
    made = {}
    for name, frame in tables.items():
        changed = {column: frame[column].map(name_of) for column in PEOPLE if column in frame.columns}
        if "text" in frame.columns:
            changed["text"] = frame["text"].map(said)
        made[name] = frame.assign(**{column: values.astype(frame[column].dtype) for column, values in changed.items()})
    return made


def _unnamed(name_of: Mapping[str, str]) -> Callable[[Any], Any]:
    """What replaces ids in a text, however many there are, in one pass: of several at one place the longest, and none
    inside a word. Scripts without spaces have no ends of words, so only Latin letters and figures make one."""
    lengths: defaultdict[str, set[int]] = defaultdict(set)
    for person in name_of:
        if person:
            lengths[RUN.match(person)[0]].add(len(person))  # type: ignore[index]
    several = {head: sorted(found, reverse=True) for head, found in lengths.items()}
    odd = "".join(re.escape(head) for head in several if not LATIN.match(head))
    place_of = re.compile(rf"@[\w.-]+|[A-Za-z0-9]+{f'|[{odd}]' if odd else ''}")

    def said(text: Any) -> Any:
        if pd.isna(text):
            return text
        made, done, at = [], 0, 0
        while found := place_of.search(text, at):
            first, at, told = found.start(), found.end(), None
            if found[0][0] == "@" and len(found[0]) > 1:
                told = name_of.get(found[0], "@somebody")
            elif not LATIN.match(text[first - 1 : first]):
                for length in several.get(found[0], ()):
                    person = text[first : first + length]
                    if person in name_of and not LATIN.match(text, first + length):
                        told, at = name_of[person], first + length
                        break
            if told is not None:
                made += [text[done:first], told]
                done = at
        return "".join([*made, text[done:]])

    return said


PEOPLE = ("user_id", "creator_id")
LATIN = re.compile(r"[A-Za-z0-9]")
RUN = re.compile(r"[A-Za-z0-9]+|.", re.DOTALL)


def _people(tables: Iterable[pd.DataFrame]) -> Collection[str]:
    found = [frame[column].dropna() for frame in tables for column in PEOPLE if column in frame.columns]
    return pd.unique(pd.concat(found, ignore_index=True)).tolist() if found else []
