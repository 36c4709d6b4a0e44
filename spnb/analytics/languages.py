"""Which language a chat is in, as far as its script and its commonest words tell; the rest is said not to be told.

A script that one language alone writes names it at once (kana, Hangul, Thai, …). Of scripts that several share, words
decide that are among the commonest of one language and no words of the others here; they are counted over all that
somebody wrote, since a single message of a chat is too short to tell. Where there are too few, or two languages are
close, nobody is guessed at.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache

__all__ = ["NOT_TOLD", "language_of"]

NOT_TOLD = "not told"
FEWEST = 2
"""Words that must speak for a language."""
LEAD = 2.0
"""How many times as many as for the next one."""
NO_WORDS = re.compile(r"(?:https?://|www\.)\S+|[@#]\S+|:[A-Za-z][\w+-]*:")
# By what stands between words: the vowel signs of many scripts are no letters to a regular expression.
BETWEEN = re.compile(r"[\s\d.,;:!?¡¿…،؛؟۔।、。！？()\[\]{}\"“”«»<>/\\|*_=+~^%$&—–-]+")
BY_SCRIPT = {
    "HANGUL": "Korean",
    "THAI": "Thai",
    "GREEK": "Greek",
    "HEBREW": "Hebrew",
    "ARMENIAN": "Armenian",
    "GEORGIAN": "Georgian",
    "TAMIL": "Tamil",
    "TELUGU": "Telugu",
    "KANNADA": "Kannada",
    "MALAYALAM": "Malayalam",
    "GUJARATI": "Gujarati",
    "GURMUKHI": "Punjabi",
    "SINHALA": "Sinhala",
    "KHMER": "Khmer",
    "LAO": "Lao",
    "MYANMAR": "Burmese",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
}
"""Scripts that in our time one language alone writes, or nearly."""
SHARED = {"LATIN": "Latin", "CYRILLIC": "Cyrillic", "ARABIC": "Arabic", "DEVANAGARI": "Devanagari", "CJK": "Chinese"}
WORDS = {
    "English": "the and you is this that what with are was not have your for they just can how why who it's don't i'm",
    "German": "und ist nicht das ich der die wie auch aber mit ein eine wir auf für noch schon sind habe kann mal",
    "French": "est les des une vous dans pour pas c'est je qui avec mais sur très bonjour merci ça j'ai suis tout",
    "Spanish": "el los las es una pero como muy está qué por hola gracias yo más esto eso hay también cuando",
    "Portuguese": "não você uma é com isso muito obrigado são mas eu tem vai aqui está bom também ele ela pra",
    "Italian": "che è non sono il di per una questo ciao grazie come anche ma perché più molto bene gli della",
    "Dutch": "het een niet dat van ik je wat zijn maar ook met voor hebben deze hoe naar nog wel geen",
    "Polish": "nie jest się to na że jak co tak ale czy jestem dla tego już bardzo tylko dzień dobry",
    "Turkish": "bir bu ve çok için ne var değil ben sen mi ama evet hayır nasıl güzel şey merhaba",
    "Indonesian": "yang dan ini itu tidak saya ada untuk dengan bisa apa aku kamu juga sudah mau banget nih",
    "Vietnamese": "là không và của có cho được này một người tôi bạn rất đã với như thế gì ạ",
    "Swedish": "och är inte det jag att en som på med för har vad hej men kan ni så",
    "Russian": "и не что это как на я ты он она но привет да нет мы все так его очень",
    "Ukrainian": "і не що це як на я ти він вона але привіт так ні ми все його дуже є та",
    "Bulgarian": "и не че това как на аз ти той тя но здравей да ще ние със много съм е ли",
    "Arabic": "في من على هذا ما هو مع إلى أن لا كان هذه عن التي كل يا السلام شكرا",
    "Persian": "است این که را از با به آن می های خیلی سلام چه هم برای نیست من شما",
    "Urdu": "ہے کے کی میں یہ کا سے اور کو ہیں نہیں کیا آپ بہت تھا ہو",
    "Hindi": "है के में की यह और को से का नहीं हैं क्या बहुत आप भी मैं हम",
    "Marathi": "आहे आणि हे मी तू काय नाही आम्ही तुम्ही खूप आहेत ते मला झाले",
}


@cache
def _telling() -> dict[str, str]:
    """Words that are told of one language only."""
    spoken = [(word, language) for language, words in WORDS.items() for word in words.split()]
    often = Counter(word for word, _ in spoken)
    return {word: language for word, language in spoken if often[word] == 1}


@cache
def _script(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]


def language_of(texts: Iterable[str]) -> str:
    """The language of what one person wrote.

    Returns:
        Its English name; or `not told`, with the script in brackets where there is one.
    """
    letters: Counter[str] = Counter()
    told: Counter[str] = Counter()
    for text in texts:
        plain = NO_WORDS.sub(" ", text)
        letters.update(_script(letter) for letter in plain if letter.isalpha())
        for word in BETWEEN.split(plain.casefold().replace("’", "'")):
            if (language := _telling().get(word)) is not None:
                told[language] += 1
    if not letters:
        return NOT_TOLD
    # Whoever writes kana writes Japanese, most of it in Chinese characters.
    if (letters["HIRAGANA"] + letters["KATAKANA"]) * 10 > letters["CJK"] > 0:
        return "Japanese"
    script, _ = letters.most_common(1)[0]
    if script in BY_SCRIPT:
        return BY_SCRIPT[script]
    if script == "CJK":
        return "Chinese"
    (best, count), (_, next_count) = (*told.most_common(2), ("", 0), ("", 0))[:2]
    if count >= FEWEST and count >= LEAD * next_count:
        return best
    return f"{NOT_TOLD} ({SHARED.get(script, script.title())} script)"
