"""Titles, headings and notes of tasks' own tables in Chinese; what is not here is shown as the task wrote it."""

from __future__ import annotations

from typing import Final

NAMED_CELLS: Final = (
    *("span_errors", "cut", "answer_lengths", "answered", "perplexity_by_length", "places", "value_ranges"),
)
"""Tables whose cells are words of the task's own, and not of the data."""

CHINESE: Final[dict[str, str]] = {
    # Headings that several tables have
    "label": "标签",
    "precision": "精确率",
    "recall": "召回率",
    "f1": "F1",
    "support": "实有",
    "found": "找到",
    "what": "情形",
    "rows": "行数",
    "share": "占比",
    "score": "分数",
    "number": "数值",
    "r2": "决定系数 R²",
    "rmse": "均方根误差",
    "mae": "平均绝对误差",
    "pearson": "皮尔逊相关系数",
    "spearman": "斯皮尔曼相关系数",
    # Classification
    "How wrong the surest answers are (risk and coverage)": "最有把握的回答错多少（风险与覆盖率）",
    "coverage": "覆盖率",
    "rows answered": "作答行数",
    "wrong": "错误",
    "share wrong": "错误率",
    "least confidence": "最低把握",
    "A row counts as wrong unless its label is right.": "标签正确才不算错。",
    "A row counts as wrong unless all of its labels are right.": "所有标签都正确才不算错。",
    "With options.abstain the model leaves the least sure unanswered.": "设 options.abstain 可不答最没把握的行。",
    # Regression
    "What is said by what is true": "各真实值区间的预测",
    "true value": "真实值",
    "mean true": "真实均值",
    "mean said": "预测均值",
    "mean error": "平均误差",
    "mean absolute error": "平均绝对误差",
    "A mean error above 0 says too much, below 0 too little.": "平均误差大于 0 为偏高，小于 0 为偏低。",
    "Each number by itself": "各数值分别的分数",
    # Tagging
    "Spans by label": "各标签的片段",
    "What became of the spans": "片段的去向",
    "Tokens by label": "各标签的词元",
    "spans": "片段数",
    "right": "正确",
    "right place, wrong label": "位置正确，标签错误",
    "right label, wrong start or end": "标签正确，边界错误",
    "overlaps a span of another label and another place": "与其他标签、其他位置的片段重叠",
    "missed": "漏掉",
    "found where there is none": "无中生有",
    "A span is right when its start, its end and its label are.": "起点、终点与标签都对，片段才算正确。",
    "Every span of the data falls under one of the first five.": "数据中的每个片段都属于前五种之一。",
    "O are the tokens outside of all spans.": "O 为不在任何片段中的词元。",
    # Relations
    "Relations, both directions together": "各关系（两个方向合计）",
    "relation": "关系",
    "gold rows": "实有行数",
    "predicted rows": "给出行数",
    "wrong way round": "方向颠倒",
    "The right relation the wrong way round counts as wrong.": "关系正确而方向颠倒算错。",
    "There is no label that means no relation.": "没有表示“无关系”的标签。",
    # Retrieval
    "Place of the first right document": "首个正确文档的位次",
    "place": "位次",
    "queries": "查询数",
    # Questions
    "Scores by the length of the gold answer": "各真实答案长度的分数",
    "words": "词数",
    "characters": "字数",
    "questions": "问题数",
    "exact match": "完全匹配",
    "Of several gold answers the shortest counts.": "有多个真实答案时按最短的计。",
    "Who was told that there is no answer": "哪些问题被判为没有答案",
    "the question has": "问题",
    "answered": "作答",
    "told 'no answer'": "判为无答案",
    "an answer": "有答案",
    "no answer": "无答案",
    # Texts that are written
    "How the scores were computed": "分数的计算方式",
    "signature": "签名",
    "Who wants the same numbers from other tools needs these settings.": "要用其他工具得到相同数字，需要这些设置。",
    "What was cut": "截断情况",
    "sources longer than the model was given": "超出模型输入长度的原文",
    "texts that are empty": "空文本",
    "conversations with turns that the chat template lets nobody learn": "含有对话模板不允许学习的轮次的对话",
    "conversations longer than the model was given": "超出模型输入长度的对话",
    "answers that are empty": "空回答",
    "Perplexity by length of the answer": "各回答长度的困惑度",
    "tokens": "词元数",
    "perplexity": "困惑度",
    "Tokens of the assistant's turns, end marks included.": "助手各轮的词元，含结束符。",
}
