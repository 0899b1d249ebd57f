// A text with places of it marked. Places count characters as Unicode does, not halves as JavaScript's strings do.

const COLOURS = 8;

export function element(name, classes = "", text = null) {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  if (text !== null) made.textContent = text;
  return made;
}

// The colour of a label: the same in each answer, by its place among the bundle's labels.
export function colour(label, labels) {
  const place = labels.indexOf(label);
  return `k${(place < 0 ? 0 : place) % COLOURS}`;
}

// Spans are {start, end, label, score}; of two that overlap the later is left out.
export function markedText(text, spans, labels, tell) {
  const letters = Array.from(text);
  const shown = element("div", "text");
  let end = 0;
  for (const span of [...spans].sort((one, other) => one.start - other.start)) {
    if (span.start < end || span.end > letters.length) continue;
    shown.append(letters.slice(end, span.start).join(""));
    const mark = element("mark", colour(span.label, labels), letters.slice(span.start, span.end).join(""));
    const beside = tell(span);
    if (beside) mark.append(element("small", "", beside));
    shown.append(mark);
    end = span.end;
  }
  shown.append(letters.slice(end).join(""));
  return shown;
}
