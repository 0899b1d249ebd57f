// An answer shown: by what is in it, not by the name of the task.

import { element, markedText } from "./marks.js";
import { number, percent, word } from "./words.js";

const MOST_BARS = 10;

export function showAnswer(answer, given, model) {
  if (Array.isArray(answer.spans)) return spans(answer, given, model);
  if ("answer" in answer) return passage(answer, given);
  if ("label" in answer) return labels(answer);
  if ("value" in answer) return value(answer.value);
  if (Array.isArray(answer.embedding)) return vector(answer.embedding);
  if ("document" in answer) return documents(answer);
  if ("text" in answer) return [element("div", "text plain", answer.text ?? "")];
  return [];
}

function bars(shares) {
  const ranked = Object.entries(shares).sort((one, other) => other[1] - one[1]);
  const shown = ranked.slice(0, MOST_BARS).map(([name, share], place) => {
    const row = element("div", place ? "row" : "row first");
    const bar = element("div", "bar");
    const filled = element("i");
    // By the object model: the page's policy allows no style in attributes.
    filled.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
    bar.append(filled);
    row.append(element("span", "", name), bar, element("span", "number", percent(share)));
    return row;
  });
  const left = ranked.length - shown.length;
  return left > 0 ? [...shown, element("p", "soft", word("more", { count: left }))] : shown;
}

function labels(answer) {
  const shares = answer.labels && Object.keys(answer.labels).length ? answer.labels : null;
  if (Array.isArray(answer.label)) {
    const chips = element("div", "chips");
    chips.append(...answer.label.map((name) => element("b", "", name)));
    const top = answer.label.length ? chips : element("h2", "", word("none"));
    return [top, ...bars(shares ?? {})];
  }
  const said = element("h2", "", answer.label === null ? word("unsure") : String(answer.label));
  const alone = answer.label === null || typeof answer.score !== "number" ? {} : { [answer.label]: answer.score };
  return [said, ...bars(shares ?? alone)];
}

function value(found) {
  if (found !== null && typeof found === "object") {
    return Object.entries(found).map(([name, each]) => {
      const row = element("div", "row");
      row.append(element("span", "", name), element("span"), element("span", "number", number(each)));
      return row;
    });
  }
  return [element("div", "big", found === null ? word("unsure") : number(found))];
}

function spans(answer, given, model) {
  const text = typeof given === "string" ? given : String(Object.values(given)[0]);
  const tell = (span) => `${span.label}${typeof span.score === "number" ? ` ${percent(span.score)}` : ""}`;
  const shown = [markedText(text, answer.spans, model.labels, tell)];
  return answer.spans.length ? shown : [element("p", "soft", word("nothing_found")), ...shown];
}

function passage(answer, given) {
  const text = String(Object.values(given)[1] ?? "");
  const score = typeof answer.score === "number" ? percent(answer.score) : "";
  if (!answer.answer) return [element("h2", "", word("no_answer")), element("p", "soft", score)];
  const span = { start: answer.start, end: answer.end, label: "" };
  const head = element("h2", "", answer.answer);
  return [head, element("p", "soft", score), markedText(text, [span], [], () => "")];
}

function vector(numbers) {
  const length = Math.hypot(...numbers);
  const few = numbers.slice(0, 8).map((each) => number(each, 3)).join("  ");
  return [
    element("p", "", word("vector", { count: numbers.length, length: number(length) })),
    element("pre", "", `${few}${numbers.length > 8 ? "  …" : ""}`),
  ];
}

function documents(answer) {
  const list = element("ol", "found");
  for (const each of answer.documents ?? [answer]) {
    const item = element("li");
    item.append(element("div", "text plain", each.document ?? ""));
    if (typeof each.score === "number") item.append(element("span", "soft", number(each.score)));
    list.append(item);
  }
  return [list];
}
