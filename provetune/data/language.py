"""Which language texts are in: their script first, then function words, then letter groups.

Small on purpose. It answers for a column of texts (one short text may well be undecidable) and knows the
languages for which there is a word list below; for all others, and for texts of names and single words, it says
``und``, undetermined.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_SCRIPTS = {
    "han": re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"),
    "kana": re.compile(r"[\u3040-\u30ff]"),
    "hangul": re.compile(r"[\uac00-\ud7af\u1100-\u11ff]"),
    "cyrillic": re.compile(r"[\u0400-\u04ff]"),
    "arabic": re.compile(r"[\u0600-\u06ff]"),
    "devanagari": re.compile(r"[\u0900-\u097f]"),
    "thai": re.compile(r"[\u0e00-\u0e7f]"),
    "greek": re.compile(r"[\u0370-\u03ff]"),
    "hebrew": re.compile(r"[\u0590-\u05ff]"),
    "latin": re.compile(r"[A-Za-z\u00c0-\u024f]"),
}
_ONE_LANGUAGE = {"hangul": "ko", "arabic": "ar", "devanagari": "hi", "thai": "th", "greek": "el", "hebrew": "he"}
# A Chinese, Japanese or Korean letter carries about as much text as three Latin ones.
_DENSE = frozenset({"han", "kana", "hangul"})
_DENSITY = 3

_WORDS = {
    "en": "the of and to a in is you that it he was for on are as with his they i at be this have from or my me what "
    "how do can not but your we which there if will up about out please would when where why who don't i'm does did",
    "de": "der die das und ist nicht ein eine ich sie es den dem mit von zu auf für im wie was wir kann mein meine "
    "auch sich werden haben sind war bitte aber wenn noch nur oder bei nach aus",
    "fr": "le la les et est un une des je vous il elle que qui dans pour pas sur avec ce cette mon ma mes nous sont "
    "au du ne plus comment être avoir c'est j'ai mais ou où très suis",
    "es": "el la los las y es un una de que en no por para con mi me su se lo como más pero qué cuál está son muy "
    "tengo puedo del al cómo cuándo hay este esta ser",
    "it": "il lo la gli e è un una di che non per con mi sono come più ma del della nel questo questa ho hai "
    "anche quando perché posso mio mia si ci alla dei molto",
    "pt": "o a os as e é um uma de que não por para com meu minha se do da em no na como mais mas está são "
    "eu você quando muito tenho posso foi isso",
    "nl": "de het een en is niet ik je van op te dat die voor met mijn wat hoe zijn kan aan er maar ook naar "
    "waar wij heb om bij nog deze",
}
_GROUPS = {
    "en": "the ing and ion ed_ er_ th_ ly_ _wh ght _th ow_ y_ ous ck_ ay_ all oo ew_ _sh",
    "de": "ein ich sch der und cht gen en_ ung ier tz ch_ _ge ß ä ö ü eit",
    "fr": "eau oux ent_ ez_ ais ait ç è ê à eur qu' é ons_ que_ _l' _d'",
    "es": "ción ando ñ ado_ ar_ í á ó ú ll ¿ ¡ os_ as_ que_ _es",
    "it": "zione gli_ che_ ò ì are_ ere_ ato_ tta gh sci à ù ella",
    "pt": "ção ão_ ões nh lh ç ã õ ê mente_ ar_ que_",
    "nl": "ij_ ij oe ee aa gen_ _ge sch cht uw_ en_ oo uu ver",
}
_UKRAINIAN = re.compile(r"[іїєґІЇЄҐ]")
_LEAST_KNOWN_WORDS = 2
_SAMPLE_TEXTS = 2_000
_SAMPLE_LETTERS = 1_000


def detect_language(texts: Sequence[str]) -> str:
    """The language of most of the text: ``"en"``, ``"zh"``, …, or ``"und"`` when nothing speaks for one.

    Args:
        texts: any number; at most 2,000, evenly spread, and the first 1,000 letters of each are looked at.
    """
    step = max(1, len(texts) // _SAMPLE_TEXTS)
    sample = [text[:_SAMPLE_LETTERS] for text in texts[::step][:_SAMPLE_TEXTS] if text]
    whole = "\n".join(sample)
    shares = script_shares(whole)
    if not shares:
        return "und"
    script = max(shares, key=lambda name: shares[name])
    if script in ("han", "kana"):
        kana, han = shares.get("kana", 0.0), shares.get("han", 0.0)
        return "ja" if kana > 0.1 * (kana + han) else "zh"
    if script == "cyrillic":
        return "uk" if len(_UKRAINIAN.findall(whole)) > 0.01 * len(_SCRIPTS["cyrillic"].findall(whole)) else "ru"
    if script == "latin":
        return _latin_language(whole)
    return _ONE_LANGUAGE[script]


def script_shares(text: str) -> dict[str, float]:
    """Share of each script in the letters of a text; a dense script's letter counts as three."""
    weights = {}
    for script, pattern in _SCRIPTS.items():
        count = len(pattern.findall(text))
        if count:
            weights[script] = count * (_DENSITY if script in _DENSE else 1)
    total = sum(weights.values())
    return {script: weight / total for script, weight in weights.items()}


def _latin_language(text: str) -> str:
    words = Counter(re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text.lower()))
    total = sum(words.values())
    if not total:
        return "und"
    # A word that several languages share speaks for each of them only in part.
    owners = Counter(word for known in _WORDS.values() for word in known.split())
    scores = {
        language: sum(words[word] / owners[word] for word in known.split()) / total
        for language, known in _WORDS.items()
    }
    padded = "_".join(["", *words.elements(), ""])
    for language, groups in _GROUPS.items():
        scores[language] += 0.3 * sum(padded.count(group) for group in groups.split()) / total
    first, second = sorted(scores.values(), reverse=True)[:2]
    best = max(scores, key=lambda language: scores[language])
    # Groups of letters tell kindred languages apart; alone they take "green tree" for Dutch.
    known = sum(word in words for word in _WORDS[best].split())
    if first < 0.05 or first < 1.05 * second or known < _LEAST_KNOWN_WORDS:
        return "und"
    return best
