"""What was said, on request only: keywords against the usual, emoji, questions, search, and nobody's id given away."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spnb import analytics
from spnb.analytics import words
from spnb.errors import InvalidInput

ZERO = pd.Timestamp("2026-03-01T18:00:00Z")
COMMON = ["hello", "nice", "stream", "today", "where", "from", "love", "this", "game", "what"]


def said(*rows: tuple[str, str, str]) -> pd.DataFrame:
    at = [ZERO + pd.Timedelta(seconds=number) for number in range(len(rows))]
    frame = pd.DataFrame(rows, columns=["room_id", "user_id", "text"])
    return frame.assign(created_at=at, length=frame["text"].str.len(), message_id=[str(n) for n in range(len(rows))])


@pytest.fixture(scope="module")
def dataset() -> analytics.Dataset:
    """Three streams of one host and one of another; "penguin" is planted in s0, pasted a hundred times by one in s1."""
    draw = np.random.default_rng(3)
    rows = []
    for room in ("s0", "s1", "s2", "x"):
        for number in range(400):
            text = " ".join(draw.choice(COMMON, 4))
            text += " Penguin!" if room == "s0" and number % 10 == 0 else ""
            rows.append((room, f"u{number % 60}", text))
    rows += [("s1", "spammer", "walrus")] * 100 + [("x", f"u{n}", "walrus") for n in range(40)]
    rooms = pd.DataFrame({"room_id": ["s0", "s1", "s2", "x"], "creator_id": ["ann", "ann", "ann", "bo"]})
    return analytics.load({"rooms": rooms, "messages": said(*rows)}, text=True)


def test_words_are_kept_on_request_only_and_the_card_says_so(dataset: analytics.Dataset, tmp_path: Path) -> None:
    silent = analytics.load({"messages": said(("r", "u", "secret"))})
    assert "text" not in silent.messages.columns
    assert silent.quality.rows("text") == 1
    with pytest.raises(InvalidInput, match="text=True"):
        words.emoji(silent)
    place = dataset.save(tmp_path / "spoken")
    assert json.loads((place / "dataset.json").read_text())["text"] is True
    again = analytics.load(place)
    pd.testing.assert_frame_equal(words.keywords(again, ["s0"]), words.keywords(dataset, ["s0"]))
    assert "text" not in json.loads((silent.save(tmp_path / "silent") / "dataset.json").read_text())
    assert b"secret" not in b"".join(file.read_bytes() for file in (tmp_path / "silent").rglob("*") if file.is_file())


def test_keywords_are_what_people_said_more_than_usual(dataset: analytics.Dataset) -> None:
    made = words.keywords(dataset, ["s0"])
    assert made.index[0] == "penguin"
    assert made.loc["penguin", "chatters"] == 6
    assert made.loc["penguin", "share"] == pytest.approx(6 / 60)
    assert made.iloc[0]["score"] > 2 > abs(made.iloc[1]["score"])
    assert "walrus" not in words.keywords(dataset, ["s1"]).index  # one who pastes is one
    assert words.keywords(dataset, ["x"]).index[0] == "walrus"
    own = words.keywords(dataset, ["s0"], most=50)  # the host's other streams are the usual, not the other host's
    pd.testing.assert_frame_equal(own, words.keywords(dataset, ["s0"], against=["s1", "s2"], most=50))
    with pytest.raises(InvalidInput, match="no stream nowhere"):
        words.keywords(dataset, ["nowhere"])


@pytest.mark.parametrize("seed", range(4))
def test_keyness_by_the_formula_of_the_paper(seed: int) -> None:
    draw = np.random.default_rng(seed)
    vocabulary = [f"w{number}" for number in range(30)]
    here, usual = (Counter(dict(zip(vocabulary, draw.poisson(6, 30).tolist(), strict=True))) for _ in range(2))
    total, before = sum(here.values()), sum(usual.values())
    for word, one, two, score in words.typical(here, usual):
        alpha = words.PRIOR * (here[word] + usual[word]) / (total + before)
        first = math.log((one + alpha) / (total + words.PRIOR - one - alpha))
        second = math.log((two + alpha) / (before + words.PRIOR - two - alpha))
        assert (one, two) == (here[word], usual[word])
        assert score == pytest.approx((first - second) / math.sqrt(1 / (one + alpha) + 1 / (two + alpha)))


def test_words_of_many_scripts_emoji_and_shortcodes() -> None:
    found = list(words.words_in("Don’t LOOK :PogChamp: 🇩🇪👩🏽‍💻🔥🔥 https://example.com/love 東京タワー 安녕 x 12"))
    assert {"don't", "look", ":PogChamp:", "🇩🇪", "👩🏽‍💻", "🔥", "東京", "京タ"} <= set(found)
    assert not {"love", "x", "12", "https"} & set(found)
    rows = [
        ("r", "a", "🔥🔥 :LUL:"),
        ("r", "b", "🔥"),
        ("r", "b", "really?"),
        ("r", "c", "そうですか？"),
        ("r", "c", "no"),
    ]
    made = analytics.load({"messages": said(*rows)}, text=True)
    assert words.emoji(made).loc["🔥"].tolist() == [3, 2]
    assert words.questions(made)["text"].tolist() == ["really?", "そうですか？"]
    assert words.search(made, "REAL")["user_id"].tolist() == ["b"]
    shouted = analytics.load({"messages": said(("r", "a", "GOAL!"))}, text=True)
    assert words.search(shouted, "goal")["user_id"].tolist() == ["a"]
    assert words.top_chatters(made)["messages"].to_dict() == {"b": 2, "c": 2, "a": 1}


def test_what_was_deleted_has_no_words() -> None:
    frame = said(("r", "a", "kept"), ("r", "b", "gone")).assign(deleted=[False, True])
    made = analytics.load({"messages": frame}, text=True)
    assert made.messages["text"].tolist() == ["kept", ""]


def test_a_moment_carries_its_words() -> None:
    draw = np.random.default_rng(1)
    seconds = np.sort(draw.uniform(0, 3600, 1200))
    texts = [" ".join(draw.choice(COMMON, 3)) for _ in seconds]
    burst = np.sort(draw.uniform(1800, 1860, 250))
    at = ZERO + pd.to_timedelta(np.concatenate((seconds, burst)), unit="s")
    users = [f"u{number % 97}" for number in range(len(at))]
    frame = pd.DataFrame({"room_id": "r", "user_id": users, "created_at": at, "text": texts + ["GOAL ⚽"] * 250})
    report = analytics.load({"messages": frame}, text=True).report("r")
    tallest = report.moments.sort_values("score").iloc[-1]
    assert set(tallest["words"].split(", ")) == {"goal", "⚽"}
    assert "goal" in report.to_html()
    assert "words" not in analytics.load({"messages": frame}).report("r").moments.columns


def test_nobody_is_recognised_by_an_id_once_it_is_redacted(dataset: analytics.Dataset) -> None:
    rows = [("r", "ann-77", "hi @bob and carl-9"), ("r", "carl-9", "ask ann-77"), ("r", "ann-77", "me")]
    rooms = pd.DataFrame({"room_id": ["r"], "creator_id": ["ann-77"]})
    made = analytics.load({"rooms": rooms, "messages": said(*rows)}, text=True)
    plain = made.redacted()
    ids = plain.messages["user_id"].tolist()
    assert ids[0] == ids[2] == plain.rooms["creator_id"].iloc[0] != ids[1]
    assert plain.messages["text"].tolist() == [f"hi @somebody and {ids[1]}", f"ask {ids[0]}", "me"]
    numbers = plain.kpis.drop(columns="creator_id")
    pd.testing.assert_frame_equal(numbers, made.kpis.drop(columns="creator_id"))
    whole = dataset.redacted()
    assert not set(whole.messages["user_id"]) & set(dataset.messages["user_id"])
    assert whole.messages["user_id"].nunique() == dataset.messages["user_id"].nunique()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("chat.log", "[2026-03-02 18:01:00] <cy> Hello there\n[2026-03-02 18:01:20] <di> soup?\n"),
        (
            "twitch.json",
            json.dumps(
                {
                    "comments": [
                        {
                            "_id": str(n),
                            "content_offset_seconds": n,
                            "commenter": {"_id": who},
                            "message": {"body": text},
                        }
                        for n, (who, text) in enumerate((("cy", "Hello there"), ("di", "soup?")))
                    ]
                }
            ),
        ),
        (
            "danmaku.xml",
            '<i><d p="1.5,1,25,0,0,0,cy,1">Hello there</d><d p="2.5,1,25,0,0,0,di,2">soup?</d></i>',
        ),
        (
            "messages.csv",
            "room_id,user_id,created_at,text\nr,cy,2026-03-02T18:01:00Z,Hello there\nr,di,2026-03-02T18:01:20Z,soup?\n",
        ),
    ],
)
def test_logs_and_files_hand_their_words_over_on_request(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    options = {"time_zone": "UTC"} if name.endswith(".log") else {}
    made = analytics.load(tmp_path / name, text=True, **options)
    assert made.messages["text"].tolist() == ["Hello there", "soup?"]
    assert "text" not in analytics.load(tmp_path / name, **options).messages.columns


SPOKEN = {
    "English": ["what are you doing today", "I think this is great, don't you?"],
    "German": ["ich finde das auch schön", "wir sind noch nicht fertig"],
    "French": ["bonjour à tous, je suis très content", "c'est pas mal ça"],
    "Spanish": ["hola, ¿cómo están?", "muchas gracias, yo también"],
    "Portuguese": ["oi, você está bem?", "muito obrigado, não vai dar"],
    "Italian": ["ciao, come va?", "sono molto contento, grazie anche a te"],
    "Dutch": ["wat is het mooi", "ik weet niet of dat wel kan"],
    "Polish": ["nie wiem, ale jest bardzo dobrze", "czy to już?"],
    "Turkish": ["merhaba, nasılsın?", "bu çok güzel bir yayın"],
    "Indonesian": ["apa kabar, ini bagus banget", "saya tidak bisa"],
    "Vietnamese": ["tôi rất thích cái này", "không có gì"],
    "Swedish": ["hej, vad är det här?", "jag kan inte"],
    "Russian": ["привет, как дела? это очень хорошо", "я не знаю"],
    "Ukrainian": ["привіт, як справи? це дуже добре", "що це є"],
    "Bulgarian": ["здравей, това е много добре", "аз съм тук"],
    "Arabic": ["السلام عليكم", "هذا جميل شكرا على البث"],
    "Persian": ["سلام، این خیلی خوب است", "من هم"],
    "Urdu": ["یہ بہت اچھا ہے", "آپ کیا کر رہے ہیں"],
    "Hindi": ["यह बहुत अच्छा है", "आप क्या कर रहे हैं"],
    "Marathi": ["हे खूप छान आहे", "मला माहीत नाही"],
    "Japanese": ["こんにちは", "今日の配信は最高です"],
    "Chinese": ["主播好厉害", "哈哈哈哈"],
    "Korean": ["안녕하세요", "ㅋㅋㅋ 대박"],
    "Thai": ["สวัสดีครับ"],
    "Greek": ["καλησπέρα"],
    "Hebrew": ["שלום לכולם"],
}


def test_languages_are_told_by_script_and_common_words_or_not_at_all() -> None:
    rows = [("s", language, text) for language, texts in SPOKEN.items() for text in texts]
    rows += [("s", "laughs", "LOL"), ("s", "laughs", "PogChamp gg"), ("s", "smiles", "😀 :Kappa: 123")]
    rows += [("s", "mixed", "ich bin nicht da, what are you doing"), ("s", "links", "https://the.and.you/what")]
    made = words.languages(analytics.load({"messages": said(*rows)}, text=True))
    for language, texts in SPOKEN.items():
        assert made.loc[language, ["chatters", "messages"]].tolist() == [1, len(texts)], language
    assert made.loc["not told (Latin script)", "chatters"] == 2  # the one who laughs, and the one who speaks both
    assert made.loc["not told", "chatters"] == 2  # nothing but emoji, nothing but a link
    assert len(made) == len(SPOKEN) + 2
    assert made["share"].sum() == pytest.approx(1)
    assert made["messages"].is_monotonic_decreasing
    with pytest.raises(InvalidInput, match="text=True"):
        words.languages(analytics.load({"messages": said(("s", "u", "x"))}))


def test_an_id_is_hidden_where_it_stands_and_nowhere_else() -> None:
    """In one pass: what stands for a name is no text to look for names in."""
    said = ["hi @ada and bo", "body language of nobody", "谢谢bo哈哈", "bo-bo, BO!"]
    rows = [
        {"room_id": "r", "user_id": user, "message_id": f"{place}", "created_at": "2026-03-01T18:00Z", "text": words}
        for place, (user, words) in enumerate(zip(["ada", "bo", "bo", "cy"], said, strict=True))
    ]
    messages = analytics.load({"messages": pd.DataFrame(rows)}, text=True).redacted().messages
    bo = messages["user_id"][1]
    assert sorted(messages["text"]) == sorted(
        [f"hi @somebody and {bo}", "body language of nobody", f"谢谢{bo}哈哈", f"{bo}-{bo}, BO!"]
    )


@given(
    st.lists(st.text("ab1-_@é中 .", min_size=1, max_size=5), min_size=1, max_size=8, unique=True),
    st.text("ab1-_@é中 .", max_size=40),
)
def test_ids_are_hidden_as_one_expression_of_all_of_them_would(ids: list[str], text: str) -> None:
    name_of = {person: f"<{number}>" for number, person in enumerate(ids)}
    either = "|".join(re.escape(person) for person in sorted(ids, key=len, reverse=True))
    plain = re.compile(rf"@[\w.-]+|(?<![A-Za-z0-9])(?:{either})(?![A-Za-z0-9])")
    expected = plain.sub(lambda found: name_of.get(found[0], "@somebody"), text)
    assert words._unnamed(name_of)(text) == expected
