"""What columns are commonly called, in English and Chinese, by the part they play. Most telling names first."""

from __future__ import annotations

import re


def _words(*lines: str) -> list[str]:
    return [word for line in lines for word in line.split()]


TEXT_NAMES = _words(
    "text texts message utterance sentence review content comment body question query document description tweet post",
    "feedback transcript article passage phrase input headline dialogue statement remark request prompt abstract",
    "文本 评论 内容 正文 句子 消息 留言 评价 反馈 问题 语句 文章 描述 原文 话术 咨询 输入 对话 新闻 弹幕 微博 短信",
)
TITLE_NAMES = _words("title subject headline summary 标题 题目 摘要")
LABEL_NAMES = _words(
    "label labels intent category class sentiment topic tag tags emotion polarity y judgment judgement gold",
    "intents categories classes topics emotions sentiments domain target type kind genre department rating stars score",
    "标签 类别 分类 意图 情感 情感倾向 类型 主题 领域 情绪 标注 类目 部门 极性",
    "星级 评级 等级 评分 打分 好评 好坏 是否 结论 结果 判断 倾向 态度 级别",
)
# These stand for a text as well as for the judgement on one: the cells tell which.
EITHER_NAMES = _words("评价 反馈 review feedback opinion")
ID_NAMES = _words(
    "id ids uuid guid key index idx rowid row number no num serial hash unnamed",
    "编号 序号 主键 单号 订单号 流水号 工号 编码",
)
PAIRS = (
    (("premise",), ("hypothesis",)),
    (("query",), ("document", "passage", "title", "doc")),
    (("question",), ("sentence", "passage", "context")),
    (tuple(TITLE_NAMES), ("text", "content", "body", "message", "article", "description", "正文", "内容", "文本")),
)
_SIDES = re.compile(r"^(?P<stem>.+?)[ _\-.]?(?P<side>[abAB12])$")
_OTHER_SIDE = {"a": "b", "A": "B", "1": "2"}
_SIDE_FIRST = re.compile(r"(?<![^\W_])1(?![^\W_])")


def name_words(name: str) -> list[str]:
    """A column name in its words, lower case: ``"customerMessage_id"`` → customer, message, id."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[\W_]+", spaced.lower()) if word]


def name_score(name: str, names: list[str]) -> float:
    """How much a name speaks for a part: over 2 for the very name, over 1 for the name among other words, else 0.

    The last word of a compound says what it is ("message label" is a label), so it counts more.
    """
    whole = "".join(name_words(name))
    if whole in names:
        return 3.0 - names.index(whole) / len(names)
    words = name_words(name)
    if words and all(word in names for word in words):
        return 3.0 - min(map(names.index, words)) / len(names)  # "gold label", "message text"
    places = [(names.index(word), position) for position, word in enumerate(words) if word in names]
    if places:
        index, position = min(places)
        return 1.5 - 0.4 * index / len(names) + (0.1 if position == len(words) - 1 else 0.0)
    inside = [known for known in names if not known.isascii() and known in whole]
    return 1.2 if inside else 0.0


def find_partner(name: str, others: list[str]) -> str | None:
    """The column that makes a pair with this one as its first half, by name alone."""
    match = _SIDES.match(name)
    if match and match["side"] in _OTHER_SIDE:
        partner = name[:-1] + _OTHER_SIDE[match["side"]]
        if partner in others:
            return partner
    if (partner := _SIDE_FIRST.sub("2", name)) != name and partner in others:
        return partner  # "#1 String" and "#2 String"
    for firsts, seconds in PAIRS:
        if "".join(name_words(name)) in firsts:
            for other in others:
                if "".join(name_words(other)) in seconds and other != name:
                    return other
    return None
