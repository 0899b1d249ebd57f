"""What strangers send: names that climb, addresses to fetch, and generated requests of every kind."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def climbing_names(outside: Path) -> list[str]:
    """Names that mean a place outside of the library, written in every way."""
    plain = [
        "../outside",
        "../secret.txt",
        "../../../../../../etc/passwd",
        str(outside),
        "/etc/passwd",
        "..",
        ".",
        "~root",
    ]
    plain += [
        "library/../../outside",
        "./../outside",
        "....//outside",
        "..;/outside",
        "../outside\0.json",
        "..//outside",
    ]
    found = list(plain)
    for name in plain:
        once = quote(name, safe="")
        found += [
            once,
            quote(once, safe=""),
            name.replace("/", "\\"),
            once.replace(".", "%2e"),
            name.replace("/", "%c0%af"),
        ]
        found += [f"file://{name}", name.replace("/", "\uff0f"), name.replace("..", "\uff0e\uff0e")]
    return sorted(set(found))


def bodies_with(name: str) -> list[Any]:
    """Bodies with a name in each field that any route reads."""
    return [
        {"model": name, "input": "card"},
        {"model": name, "inputs": ["card"]},
        {"model": name, "messages": [{"role": "user", "content": "card"}]},
        {"model": name},
        {"alias": name, "model": "plain"},
        {"alias": name},
        {"alias": "canary", "model": name, "share": 0.5},
        {"input": "card", "path": name, "bundle": name, "library": name},
    ]


def urls_of(port: int) -> list[str]:
    """Addresses that somebody might be made to fetch."""
    here = f"127.0.0.1:{port}"
    kinds = [f"http://{here}/x", f"https://{here}/x", f"ftp://{here}/x", f"//{here}/x", f"http://user:pw@{here}/x"]
    return [*kinds, f"http://localhost:{port}/model.safetensors", "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd",
            "hf://evil/model", "evil-user/evil-model", "http://evil.example/config.json"]  # fmt: skip


def generated(draw: random.Random) -> tuple[str, str, bytes, dict[str, str], int]:
    """A request: method, path, body, headers, and the size of the chunks it is sent in (0: whole)."""
    paths = [*paths_of_table(), "/page/page.js", "/nowhere", "/v1/models/x", "/%2e%2e/", "/v1/predict?top_k=\x7f%00"]
    method = draw.choice(("POST", "POST", "POST", "POST", *METHODS))
    path = draw.choice(("/v1/predict", "/v1/predict", "/v1/embeddings", "/v1/chat/completions", *paths))
    body = draw.choice((json_body, json_body, json_body, broken_body, noise))(draw)
    headers = {"Content-Type": draw.choice(("application/json", "application/json", "text/plain", "a/b;c=\xff", ""))}
    if draw.random() < 0.2:
        name = draw.choice(
            ("Accept", "Authorization", "X-API-Key", "Cookie", "Range", "If-Match", "Expect-CT", "Accept-Encoding")
        )
        headers[name] = "".join(chr(draw.randrange(32, 127)) for _ in range(draw.randrange(60)))
    return method, path, body, headers, draw.choice((0, 0, 0, 1, 2, 7, 64))


def json_body(draw: random.Random) -> bytes:
    """Something near to what a route takes."""
    fields = (
        "input",
        "inputs",
        "model",
        "top_k",
        "proba",
        "stream",
        "messages",
        "encoding_format",
        "alias",
        "share",
        "x",
    )
    body = {name: value(draw, 3) for name in draw.sample(fields, draw.randint(0, 5))}
    if draw.random() < 0.5:
        body["input"] = draw.choice((text(draw), [text(draw) for _ in range(draw.randint(0, 40))], value(draw, 4)))
    found = json.dumps(body, ensure_ascii=draw.random() < 0.5)
    return found.encode("utf-8", "surrogatepass")


def broken_body(draw: random.Random) -> bytes:
    """JSON that was cut, or of which a byte was changed; or that is JSON by Python's reader alone."""
    found = bytearray(json_body(draw))
    match draw.randrange(6):
        case 0:
            del found[draw.randrange(len(found) + 1) :]
        case 1:
            found[draw.randrange(len(found))] = draw.randrange(256)
        case 2:
            found = bytearray(
                b'{"input": "a", "top_k": ' + draw.choice((b"NaN", b"-Infinity", b"1e999", b"9" * 5000)) + b"}"
            )
        case 3:
            depth = draw.choice((10, 1000, 100_000))
            found = bytearray(b'{"input":' * depth if draw.random() < 0.5 else b"[" * depth + b"]" * depth)
        case 4:
            found = bytearray(json.dumps({"input": "\ud800" + text(draw)}).encode())
        case _:
            found = bytearray(b"\xef\xbb\xbf") + found
    return bytes(found)


def noise(draw: random.Random) -> bytes:
    return draw.randbytes(draw.choice((0, 1, 10, 1_000, 100_000)))


def value(draw: random.Random, depth: int) -> Any:
    """Any value of JSON."""
    kinds: list[Callable[[], Any]] = [
        lambda: None,
        lambda: draw.random() < 0.5,
        lambda: draw.choice((0, 1, -1, 10_000, 2**31, 2**63, 10**30, 10**290, 0.5, -0.0, 1e308, 5e-324)),
        lambda: text(draw),
        lambda: draw.choice(("plain", "production", "canary", "user", "assistant", "system", "float", "base64")),
    ]
    if depth:
        kinds += [
            lambda: [value(draw, depth - 1) for _ in range(draw.randint(0, 4))],
            lambda: {
                draw.choice(("text", "role", "content", "a")): value(draw, depth - 1) for _ in range(draw.randint(0, 4))
            },
        ]
    return draw.choice(kinds)()


def text(draw: random.Random) -> str:
    """A text: letters of many scripts, control characters, halves of characters, or very long."""
    match draw.randrange(8):
        case 0:
            return ""
        case 1:
            return draw.choice(("card charged", "parcel lost", "the card"))
        case 2:
            return "".join(chr(draw.randrange(0x110000)) for _ in range(draw.randrange(30)))
        case 3:
            return chr(draw.randrange(0xD800, 0xE000)) + "a"
        case 4:
            return draw.choice(
                ("\0", "\x1b[2J", "\u202e", "\ufeff", "﷽", "Z͑ͫ̓ͪ̂ͫ", "👩‍👩‍👧", "ﬁ", "İ", "\u2028")
            ) * draw.randint(1, 50)
        case 5:
            return draw.choice(("a", " ", "é", "语", "a ", "\n")) * draw.choice((100, 10_000, 300_000))
        case 6:
            return "".join(draw.choice("{}[]<>\"'`$%\\/;|&") for _ in range(draw.randrange(60)))
        case _:
            return " ".join(
                draw.choice(("card", "parcel", "was", "charged", "lost")) for _ in range(draw.randrange(40))
            )


def paths_of_table() -> list[str]:
    """Every path that the server declares."""
    from provetune.serving.routes import ROUTES

    return sorted({route.path for route in ROUTES})
