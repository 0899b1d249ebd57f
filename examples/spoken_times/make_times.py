"""Writes times.csv: appointments as people say them, and as a calendar writes them.

    python examples/spoken_times/make_times.py

The same file comes out every time. A few rows are wrong on purpose; their ids are in known_noise.csv.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path

ROWS = 1500
NOISE = 30
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
ORDINALS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
    "twenty-first",
    "twenty-second",
    "twenty-third",
    "twenty-fourth",
    "twenty-fifth",
    "twenty-sixth",
    "twenty-seventh",
    "twenty-eighth",
]
HOURS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
MINUTES = {5: "five", 10: "ten", 20: "twenty", 25: "twenty-five"}
OPENINGS = ("", "please put me down for ", "can i come on ", "i would like ", "book ", "let us say ", "what about ")
CLOSINGS = ("", " please", " if that is possible", " thank you", " sharp")


def say_clock(draw: random.Random, hour: int, minute: int) -> str:
    """The time of day in words; hours are those of a twelve-hour clock, with the part of the day behind."""
    part = "in the morning" if hour < 12 else "in the afternoon" if hour < 18 else "in the evening"
    this, following = HOURS[(hour - 1) % 12], HOURS[hour % 12]
    if hour == 12 and minute == 0 and draw.random() < 0.5:
        return "at noon"
    if minute == 0:
        return f"at {this} {draw.choice(('', 'o clock '))}{part}"
    if minute == 30:
        return f"at half past {this} {part}"
    if minute in (15, 45):
        return f"at a quarter past {this} {part}" if minute == 15 else f"at a quarter to {following} {part}"
    if minute < 30:
        return f"at {MINUTES[minute]} past {this} {part}"
    return f"at {MINUTES[60 - minute]} to {following} {part}"


def make_row(draw: random.Random) -> tuple[str, str]:
    """What is said, and what is written."""
    day, month, number = draw.choice(DAYS), draw.randrange(12), draw.randrange(28)
    hour, minute = draw.randrange(8, 21), draw.choice((0, 0, 5, 10, 15, 20, 25, 30, 30, 35, 40, 45, 50, 55))
    date = draw.choice((f"the {ORDINALS[number]} of {MONTHS[month]}", f"{MONTHS[month]} the {ORDINALS[number]}"))
    clock = say_clock(draw, hour, minute)
    when = draw.choice((f"{day} {date} {clock}", f"{clock} on {day} {date}"))
    written = f"{day[:3].title()} {number + 1} {MONTHS[month][:3].title()} {hour}:{minute:02d}"
    return " ".join(f"{draw.choice(OPENINGS)}{when}{draw.choice(CLOSINGS)}".split()), written


def main() -> None:
    """Write both files."""
    draw = random.Random(20)
    rows: dict[str, str] = {}
    while len(rows) < ROWS:
        said, written = make_row(draw)
        rows[said] = written
    folder, listed = Path(__file__).parent, [[said, written] for said, written in rows.items()]
    wrong = sorted(draw.sample(range(ROWS), NOISE))
    with (folder / "known_noise.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["said", "written", "intended"])
        for number in wrong:
            said, intended = listed[number]
            clock = intended.rpartition(" ")[2]
            hour, _, minute = clock.partition(":")
            listed[number][1] = intended.removesuffix(clock) + f"{(int(hour) + 11) % 12 + 1}:{minute}"
            if listed[number][1] == intended:
                listed[number][1] = intended.removesuffix(clock) + f"{int(hour) + 1}:{minute}"
            writer.writerow([said, listed[number][1], intended])
    with (folder / "times.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["said", "written"])
        writer.writerows(listed)


if __name__ == "__main__":
    main()
