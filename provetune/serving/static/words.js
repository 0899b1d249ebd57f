// Every word of the page, in English and in Chinese. What bundles are called and what they say is shown as it is.

const WORDS = {
  about: ["{model}: {summary}", "{model}：{summary}"],
  model: ["Bundle", "模型包"],
  ask: ["Ask", "运行"],
  send: ["Send", "发送"],
  asking: ["Asking …", "运行中…"],
  stop: ["Stop", "停止"],
  example: ["Example", "示例"],
  clear: ["Clear", "清空"],
  raw: ["The answer as JSON", "JSON 格式的回答"],
  command: ["The same on the command line", "用命令行提出同样的请求"],
  kept: ["What you type goes to this server and nowhere else; this page keeps nothing.",
    "您输入的内容只会发送到本服务器；本页面不保存任何内容。"],
  time: ["Answered in {ms} ms, the way here and back included.", "用时 {ms} 毫秒（含网络往返）。"],
  time_stream: ["First letters after {first} ms, all of it after {ms} ms.", "{first} 毫秒后出现首字，共 {ms} 毫秒。"],
  unsure: ["Not sure enough to answer", "把握不足，不作回答"],
  none: ["None of the labels", "无任何标签"],
  nothing_found: ["Nothing was found in this text", "文中未找到任何内容"],
  no_answer: ["The passage does not say", "文中没有答案"],
  more: ["and {count} more", "另有 {count} 项"],
  vector: ["A vector of {count} numbers, of length {length}", "{count} 维向量，长度 {length}"],
  message: ["Your message", "您的消息"],
  text: ["Text", "文本"],
  first_text: ["First text", "第一段文本"],
  second_text: ["Second text", "第二段文本"],
  question: ["Question", "问题"],
  passage: ["Passage", "文章"],
  query: ["What is looked for", "查询内容"],
  source: ["Text to rewrite", "原文"],
  marked: ["Text with <e1>…</e1> and <e2>…</e2> around the two names", "文本，两个实体分别用 <e1>…</e1> 和 <e2>…</e2> 标出"],
  fault_empty: ["Write something first.", "请先输入内容。"],
  fault_network: ["The server cannot be reached.", "无法连接服务器。"],
  fault_broken: ["The answer broke off.", "回答中断。"],
  fault_unauthorized: ["Your key is not good any more. Load the page again.", "密钥已失效，请重新加载页面。"],
  fault_forbidden: ["Your key may not ask the bundles.", "您的密钥无权使用模型。"],
  fault_rate_limited: ["Too many requests; try again in {wait} s.", "请求过于频繁，请在 {wait} 秒后重试。"],
  fault_queue_full: ["The server is busy; try again in {wait} s.", "服务器繁忙，请在 {wait} 秒后重试。"],
  fault_too_large: ["The text is too long.", "文本过长。"],
  fault_deadline: ["There was no answer in time.", "未能在时限内得到回答。"],
  fault_not_ready: ["The bundle is not ready yet.", "模型尚未就绪。"],
  task_classification: ["sorts texts into {count} labels", "将文本归入 {count} 个类别"],
  task_ordinal: ["grades texts on {count} steps", "按 {count} 个等级评定文本"],
  task_regression: ["gives texts a number", "为文本给出数值"],
  task_tagging: ["finds {count} kinds of things in texts", "在文本中找出 {count} 类内容"],
  task_pair: ["compares two texts", "比较两段文本"],
  task_similarity: ["says how alike two texts are", "判断两段文本的相似程度"],
  task_relation: ["says how two names in a text are related", "判断文中两个实体的关系"],
  task_retrieval: ["finds documents, or makes vectors of texts", "检索文档，或生成文本向量"],
  task_span_qa: ["finds answers in a passage", "在文章中寻找答案"],
  task_seq2seq: ["writes a text from a text", "由文本生成文本"],
  task_chat: ["answers in conversations", "对话"],
};

let language = 0;

export function readLanguage() {
  let kept = null;
  try { kept = localStorage.getItem("provetune-language"); } catch { /* a browser may keep nothing */ }
  language = (kept ?? navigator.language).toLowerCase().startsWith("zh") ? 1 : 0;
  return code();
}

export function switchLanguage() {
  language = 1 - language;
  try { localStorage.setItem("provetune-language", code()); } catch { /* as above */ }
  return code();
}

export function code() {
  return language ? "zh-Hans" : "en";
}

export function knows(name) {
  return Object.hasOwn(WORDS, name);
}

export function word(name, values = {}) {
  const text = knows(name) ? WORDS[name][language] : name;
  return text.replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ""));
}

export function percent(share) {
  return new Intl.NumberFormat(code(), { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(share);
}

export function number(value, digits = 4) {
  return new Intl.NumberFormat(code(), { maximumSignificantDigits: digits }).format(value);
}
