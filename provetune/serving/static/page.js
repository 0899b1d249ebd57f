// The form, asking, and conversations.

import { showAnswer } from "./answers.js";
import { element } from "./marks.js";
import { code, knows, readLanguage, switchLanguage, word } from "./words.js";

const at = (id) => document.getElementById(id);
const MOST_LABELS = 10;
// What stands above a column, where its task and its place say more than its name does.
const COLUMN_WORDS = {
  span_qa: ["question", "passage"], pair: ["first_text", "second_text"], similarity: ["first_text", "second_text"],
  retrieval: ["query"], seq2seq: ["source"], relation: ["marked"],
};
const SHORT = new Set(["question", "query", "message"]);

const state = { models: [], model: null, messages: [], asking: null, last: null, fault: null };

async function begin() {
  readLanguage();
  write();
  const told = await fetchJson("/v1/models");
  if (!told) return;
  state.models = told.data;
  at("model").append(...told.data.map((each) => new Option(each.id, each.id)));
  const production = told.aliases?.production?.model;
  choose(told.data.some((each) => each.id === production) ? production : told.data[0].id);
}

function choose(id) {
  state.asking?.abort();
  state.model = state.models.find((each) => each.id === id);
  state.messages = [];
  state.last = state.fault = null;
  at("model").value = id;
  at("fields").replaceChildren(...names().flatMap(field));
  at("form").hidden = false;
  write();
}

const isChat = () => state.model?.task === "chat";
const names = () => (isChat() ? ["message"] : state.model.columns);

function labelOf(name, place) {
  const known = isChat() ? "message" : COLUMN_WORDS[state.model.task]?.[place];
  if (known) return known;
  if (names().length === 1) return "text";
  return names().length === 2 && /^text(_pair)?$/.test(name) ? ["first_text", "second_text"][place] : name;
}

function field(name, place) {
  const box = element("textarea");
  box.id = `field-${place}`;
  box.rows = SHORT.has(labelOf(name, place)) ? 2 : 4;
  box.addEventListener("keydown", (event) => {
    const enter = event.key === "Enter" && !event.isComposing;
    if (enter && (event.ctrlKey || event.metaKey || (isChat() && !event.shiftKey))) {
      event.preventDefault();
      at("form").requestSubmit();
    }
  });
  const label = element("label");
  label.htmlFor = box.id;
  return [label, box];
}

const boxes = () => [...at("fields").querySelectorAll("textarea")];

function given() {
  const texts = boxes().map((box) => box.value);
  if (isChat()) return [...state.messages, { role: "user", content: texts[0] }];
  return texts.length === 1 ? texts[0] : Object.fromEntries(names().map((name, place) => [name, texts[place]]));
}

function requestBody() {
  const body = { model: state.model.id, input: given() };
  if (state.model.answer_keys[0] === "label") body.top_k = Math.max(1, Math.min(MOST_LABELS, state.model.labels.length));
  if (isChat() && state.model.streams) body.stream = true;
  return body;
}

async function ask() {
  if (boxes().every((box) => !box.value.trim())) return fail({ type: "empty" });
  const body = requestBody();
  const control = new AbortController();
  state.asking?.abort();
  state.asking = control;
  state.fault = null;
  const began = performance.now();
  if (isChat()) {
    state.messages.push({ role: "user", content: boxes()[0].value }, { role: "assistant", content: "" });
    boxes()[0].value = "";
  }
  write();
  try {
    const answered = await fetch("/v1/predict", {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal: control.signal,
    });
    if (!answered.ok) return fail(await errorOf(answered), control);
    const stream = (answered.headers.get("content-type") ?? "").startsWith("text/event-stream");
    const told = stream ? await readStream(answered, began) : { answer: (await answered.json()).answer };
    if (state.asking !== control) return;
    if (isChat() && !stream) state.messages.at(-1).content = told.answer.text ?? "";
    state.last = { ...told, body, ms: performance.now() - began };
    if (told.error) fail(told.error, control);
  } catch (error) {
    if (error.name !== "AbortError") fail({ type: "network" }, control);
  } finally {
    if (state.asking === control) {
      state.asking = null;
      dropSilence();
      write();
      if (isChat()) boxes()[0].focus();
    }
  }
}

// Events are "data: {…}" lines with an empty line behind each; the last is [DONE].
async function readStream(answered, began) {
  const reader = answered.body.pipeThrough(new TextDecoderStream()).getReader();
  const turn = state.messages.at(-1);
  let rest = "", first = null, error = { type: "broken" };
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events.filter((each) => each.startsWith("data: "))) {
      const data = event.slice(6);
      if (data === "[DONE]") {
        error = error.type === "broken" ? null : error;
        continue;
      }
      const piece = JSON.parse(data);
      if (piece.error) error = piece.error;
      else {
        first ??= performance.now() - began;
        turn.content += piece.text;
        write();
      }
    }
  }
  return { answer: { text: turn.content }, first, error };
}

// A turn that was never said is no part of the conversation; what was asked goes back into the box.
function dropSilence() {
  const last = state.messages.at(-1);
  if (last?.role !== "assistant" || last.content) return;
  state.messages.pop();
  const asked = state.messages.pop();
  if (!boxes()[0].value) boxes()[0].value = asked?.content ?? "";
}

async function errorOf(answered) {
  const wait = Number(answered.headers.get("retry-after")) || 1;
  try {
    return { ...(await answered.json()).error, wait };
  } catch {
    return { type: "network", wait };
  }
}

async function fetchJson(address) {
  try {
    const answered = await fetch(address);
    if (answered.ok) return await answered.json();
    fail(await errorOf(answered));
  } catch {
    fail({ type: "network" });
  }
  return null;
}

function fail(fault, control = state.asking) {
  if (control !== state.asking) return;
  state.fault = fault;
  write();
}

function fill() {
  const example = state.model.example;
  if (isChat()) boxes()[0].value = example?.[0]?.content ?? "";
  else boxes().forEach((box, place) => { box.value = typeof example === "string" ? example : example?.[names()[place]] ?? ""; });
  boxes()[0].focus();
}

function clear() {
  state.asking?.abort();
  state.asking = null;
  state.messages = [];
  state.last = state.fault = null;
  boxes().forEach((box) => { box.value = ""; });
  write();
  boxes()[0].focus();
}

// Everything on the page from what is known, in the language that is set.
function write() {
  document.documentElement.lang = code();
  at("language").textContent = code() === "en" ? "中文" : "English";
  at("language").lang = code() === "en" ? "zh-Hans" : "en";
  document.querySelectorAll("[data-word]").forEach((one) => { one.textContent = word(one.dataset.word); });
  at("choice").hidden = state.models.length < 2;
  writeFault();
  if (!state.model) return;
  const { task, id, labels } = state.model;
  const summary = knows(`task_${task}`) ? word(`task_${task}`, { count: labels.length }) : task;
  at("about").textContent = word("about", { model: id, summary });
  at("fields").querySelectorAll("label").forEach((label, place) => { label.textContent = word(labelOf(names()[place], place)); });
  at("ask").textContent = word(state.asking ? "asking" : isChat() ? "send" : "ask");
  at("ask").disabled = Boolean(state.asking);
  at("stop").hidden = !state.asking;
  writeTalk();
  writeAnswer();
}

function writeFault() {
  const { fault } = state;
  at("fault").hidden = !fault;
  if (fault) at("fault").textContent = knows(`fault_${fault.type}`) ? word(`fault_${fault.type}`, fault) : fault.message;
}

function writeTalk() {
  const last = state.messages.length - 1;
  at("talk").replaceChildren(...state.messages.map(({ role, content }, place) => {
    const writing = state.asking && place === last && role === "assistant";
    return element("div", `said ${role}${writing ? " writing" : ""}`, content);
  }));
}

function writeAnswer() {
  const { last } = state;
  at("answer").hidden = !last;
  at("answer").classList.toggle("old", Boolean(state.asking));
  if (!last) return;
  const { answer, body, ms, first } = last;
  at("shown").replaceChildren(...(isChat() ? [] : showAnswer(answer, body.input, state.model)));
  const whole = Math.round(ms);
  at("time").textContent = first == null ? word("time", { ms: whole }) : word("time_stream", { ms: whole, first: Math.round(first) });
  at("raw").textContent = JSON.stringify(answer, null, 2);
  const quoted = JSON.stringify(body).replaceAll("'", "'\\''");
  at("command").textContent =
    `curl ${location.origin}/v1/predict \\\n  -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \\\n  -d '${quoted}'`;
}

at("form").addEventListener("submit", (event) => { event.preventDefault(); if (!state.asking) ask(); });
at("language").addEventListener("click", () => { switchLanguage(); write(); });
at("model").addEventListener("change", (event) => choose(event.target.value));
at("example").addEventListener("click", fill);
at("clear").addEventListener("click", clear);
at("stop").addEventListener("click", () => state.asking?.abort());
begin();
