"""Languages by script, function words and letter groups."""

from __future__ import annotations

import pytest

from provetune.data.language import detect_language, script_shares


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("how do i change the address on my account", "en"),
        ("I never got the parcel and nobody answers", "en"),
        ("这家店的外卖很好吃，送餐也快", "zh"),
        ("我的iPhone手机无法connect到wifi怎么办", "zh"),
        ("この商品はとても良いです", "ja"),
        ("이 제품은 정말 좋아요", "ko"),
        ("как изменить пароль", "ru"),
        ("як змінити пароль, її немає", "uk"),
        ("كيف أغير كلمة المرور", "ar"),
        ("पासवर्ड कैसे बदलें", "hi"),
        ("wie kann ich mein Passwort ändern und wo ist die Rechnung", "de"),
        ("comment puis-je changer mon mot de passe", "fr"),
        ("cómo puedo cambiar mi contraseña", "es"),
        ("come posso cambiare la mia password", "it"),
        ("como posso mudar a minha senha, não sei", "pt"),
        ("hoe kan ik mijn wachtwoord wijzigen", "nl"),
        ("12345 !!!", "und"),
        ("red green blue", "und"),
        ("see the good book", "und"),  # one word is known, which a name may have as well
        ("question een", "und"),
        ("cheep seen tree moon door", "und"),
        ("", "und"),
    ],
)
def test_one_text(text: str, language: str) -> None:
    assert detect_language([text]) == language


def test_most_of_the_text_decides() -> None:
    assert detect_language(["how are you doing", "what is the time", "你好"]) == "en"
    assert detect_language([]) == "und"


def test_words_alone_are_no_language_however_many_there_are() -> None:
    assert detect_language(["red green blue", "keen on sheep", "moon tree"] * 500) == "und"
    assert detect_language(["red green blue", "the door is green", "see you at the tree"]) == "en"


def test_a_han_letter_counts_as_three() -> None:
    assert script_shares("abc好") == {"latin": 0.5, "han": 0.5}
