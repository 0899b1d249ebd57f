"""Every word of the page, in English and in Chinese, one line a word or sentence.

Names of candidates, labels, texts, and the notes that a study wrote down are shown as they are.
"""

from __future__ import annotations

from typing import Final

from provetune.core.errors import UsageError
from provetune.core.suggest import advice
from provetune.study.report_html.metric_words import METRICS, TASKS
from provetune.study.report_html.sentence_words import in_chinese
from provetune.study.report_html.table_words import CHINESE

LANGUAGES: Final = ("en", "zh")
HTML_LANGUAGE: Final = {"en": "en", "zh": "zh-Hans"}

WORDS: Final[dict[str, tuple[str, str]]] = {
    # The head of the page
    "report": ("Report", "报告"),
    "study": ("Study", "实验"),
    "contents": ("Contents", "目录"),
    "shown_validation": (
        "Shown: scores on the validation rows. What came of the sealed test is shown only with --open-test.",
        "此处为验证集上的分数。封存测试集的结果只有加上 --open-test 才会显示。",
    ),
    "shown_test": (
        "Shown: scores on the sealed test, from stored results; showing them again is no new look.",
        "此处为封存测试集上的分数，取自已存的结果；再次显示不算新的查看。",
    ),
    "shown_validation_judged": (
        "Shown: scores on the validation rows; verdicts are those of the sealed test.",
        "此处为验证集上的分数；结论来自封存测试集。",
    ),
    "not_ended": (
        "This study has not ended; runs that are missing are not shown.",
        "实验尚未结束；未完成的训练不在此列。",
    ),
    "numbers_lead": (
        "Every number leads to the trials that it comes from.",
        "点击任何数字都会跳到它所来自的训练。",
    ),
    # The question
    "question": ("The question", "问题"),
    "task": ("Task", "任务"),
    "metric": ("Metric", "指标"),
    "rows": ("Rows", "行数"),
    "train": ("training", "训练"),
    "validation": ("validation", "验证"),
    "test": ("test", "测试"),
    "candidates": ("Candidates", "候选方案"),
    "candidate": ("Candidate", "候选方案"),
    "confidence": ("Confidence", "置信水平"),
    "labels": ("Labels", "标签数"),
    "best": ("Best on validation", "验证集上最佳"),
    "best_run": ("{candidate}, seed {k}", "{candidate}，第 {k} 号种子"),
    "on_backbone": ("{method} on {backbone}", "{method}，基座 {backbone}"),
    # Claims
    "claims": ("Claims and verdicts", "命题与结论"),
    "claims_none": ("The problem file makes no claim.", "问题文件没有提出命题。"),
    "claims_sealed": (
        "Claims are judged on the sealed test. Add --open-test to show verdicts. Until then this is what validation "
        "rows say, which chose each run's best state and are somewhat too kind.",
        "命题在封存测试集上裁定，加上 --open-test 显示结论。以下是验证集上的情况；验证集参与了挑选，故略偏乐观。",
    ),
    "claims_unended": (
        "Claims are judged on the sealed test when all runs have ended. Until then this is what validation rows say.",
        "所有训练结束后，命题才在封存测试集上裁定。以下是目前验证集上的情况。",
    ),
    "claims_count": (
        "{supported} supported, {refuted} refuted, {inconclusive} inconclusive.",
        "{supported} 条得到支持，{refuted} 条被否定，{inconclusive} 条尚无定论。",
    ),
    "supported": ("supported", "得到支持"),
    "refuted": ("refuted", "被否定"),
    "inconclusive": ("inconclusive", "尚无定论"),
    "unjudged": ("not judged", "未裁定"),
    "forest": ("Effects and their intervals", "效应及其区间"),
    "forest_help": (
        "Dot: the estimate. Line: its two-sided interval. Dashed line or band: what the claim asks for.",
        "圆点为估计值，横线为双侧区间，虚线或色带为命题的要求。",
    ),
    "subject_order": ("{left} minus {right}", "{left} 减 {right}"),
    "subject_level": ("{left}", "{left}"),
    "subject_distance": ("{left} minus {right}", "{left} 减 {right}"),
    "claim_supported": (
        "It holds: {subject} is {effect} in {metric}, and {bound}. The claim asks for {asked}.",
        "成立：{subject} 在{metric}上为 {effect}，{bound}。命题要求{asked}。",
    ),
    "claim_refuted": (
        "It does not hold: {subject} is {effect} in {metric}, {interval}. The claim asks for {asked}.",
        "不成立：{subject} 在{metric}上为 {effect}，{interval}。命题要求{asked}。",
    ),
    "claim_inconclusive": (
        "Not decided: {subject} is {effect} in {metric}, {interval}. That does not settle whether it is {asked}.",
        "尚不能定：{subject} 在{metric}上为 {effect}，{interval}。这不足以判断它是否{asked}。",
    ),
    "claim_unjudged": (
        "On the validation rows {subject} is {effect} in {metric}, {interval}. The claim asks for {asked}.",
        "在验证集上，{subject} 在{metric}上为 {effect}，{interval}。命题要求{asked}。",
    ),
    "claim_unmeasured": ("It could not be judged.", "无法裁定。"),
    "asked_>": ("more than {value}", "大于 {value}"),
    "asked_>=": ("at least {value}", "不小于 {value}"),
    "asked_<": ("less than {value}", "小于 {value}"),
    "asked_<=": ("at most {value}", "不大于 {value}"),
    "asked_~": ("between {low} and {high}", "在 {low} 与 {high} 之间"),
    "bound_above": ("at {level} confidence at least {bound}", "在 {level} 置信水平下至少为 {bound}"),
    "bound_below": ("at {level} confidence at most {bound}", "在 {level} 置信水平下至多为 {bound}"),
    "interval_between": ("with a {level} interval from {low} to {high}", "{level} 区间为 {low} 到 {high}"),
    "effect": ("Effect", "效应"),
    "bound": ("Bound", "界"),
    "interval": ("Interval ({level})", "区间（{level}）"),
    "p": ("p", "p 值"),
    "p_holm": ("p, corrected (Holm)", "校正后 p 值（Holm）"),
    "estimand": ("The question is about", "所问对象"),
    "estimand.procedure": ("the procedure (seeds and rows)", "训练流程（种子与行）"),
    "estimand.these weights": ("these weights (rows alone)", "这组权重（仅行）"),
    "look": ("Look at these test rows", "第几次查看测试集"),
    "added_after_look": (
        "Added after the test had been looked at; it pays for that in the correction.",
        "在查看测试集之后才提出，校正中已计入其代价。",
    ),
    "needs_seeds": ("{seeds} seeds with these rows", "行数不变，{seeds} 个种子"),
    "needs_rows": ("{rows} test rows with these seeds", "种子不变，{rows} 行测试数据"),
    "needs_both": ("{seeds} seeds and {rows} test rows together", "{seeds} 个种子加 {rows} 行测试数据"),
    "needs": ("To settle it: {ways}.", "要定论，需要：{ways}。"),
    "or": ("; or ", "；或 "),
    "needs_none": (
        "No number of seeds or rows can be named that would settle it.",
        "给不出能使其定论的种子数或行数。",
    ),
    "needs_only_both": ("Seeds alone or rows alone would not.", "只加种子或只加行数都不够。"),
    # Acceptance
    "accept": ("Acceptance", "验收"),
    "accept_sealed": ("Levels are judged on the sealed test (--open-test).", "各项在封存测试集上裁定（--open-test）。"),
    "required": ("Required", "要求"),
    "value": ("Value", "数值"),
    "met": ("Met", "达到"),
    "met_yes": ("met", "达到"),
    "met_no": ("not met", "未达到"),
    "met_unknown": ("undecided", "未定"),
    # Scores
    "scores": ("Scores", "分数"),
    "scores_help": (
        "Mean ± standard deviation over seeds. ★ marks the best on validation.",
        "种子间的均值 ± 标准差。★ 为验证集上的最佳方案。",
    ),
    "seeds": ("Seeds", "种子"),
    "seeds_plot": ("{metric}: a dot for every seed, a bar at the mean", "{metric}：每个种子一点，竖线为均值"),
    "dots_said": ("{count} seeds from {low} to {high}, mean {mean}", "{count} 个种子，{low} 到 {high}，均值 {mean}"),
    "seed_said": ("{candidate}, seed {k}: {value}", "{candidate}，种子 {k}：{value}"),
    "failed": ("Failed runs", "失败的训练"),
    "failed_run": ("{candidate}, seed {k}: {message}", "{candidate}，种子 {k}：{message}"),
    "failed_check": (
        "A run counts as failed when its validation {metric} is no better than {level}, that of always answering the "
        "most frequent label. This was fixed beforehand; claims are about the runs that passed.",
        "若某次训练的验证集{metric}不优于 {level}（始终回答最常见标签的水平），则判为失败。"
        "此条件事先确定；命题只针对通过的训练。",
    ),
    "failed_guess": (
        "A run counts as failed when its validation {metric} is no better than {level}, that of a model that learned "
        "nothing from the texts. This was fixed beforehand; claims are about the runs that passed.",
        "若某次训练的验证集{metric}不优于 {level}（未从文本学到任何东西的水平），则判为失败。"
        "此条件事先确定；命题只针对通过的训练。",
    ),
    "lower_better": ("lower is better", "越低越好"),
    "arrow_help": ("↓: lower is better.", "↓ 表示越低越好。"),
    # One candidate
    "details": ("Each candidate in detail", "各方案详情"),
    "per_label": ("Per label", "各标签"),
    "per_label_help": ("Worst F1 first; averaged over the runs.", "F1 最低者在前；为各次训练的平均。"),
    "label": ("Label", "标签"),
    "support": ("rows", "行数"),
    "predicted": ("given", "给出"),
    "confusion": ("What was taken for what", "混淆"),
    "confusion_help": (
        "Gold labels down, given labels across; summed over the runs.",
        "行为真实标签，列为给出的标签；各次训练之和。",
    ),
    "confusion_map": ("Map of confusions of {count} labels", "{count} 个标签的混淆图"),
    "confusion_map_said": (
        "Gold labels down, given labels across, both sorted by name; stronger is a larger share of the gold label's.",
        "行为真实标签，列为给出的标签，按名称排序；颜色越深占比越大。",
    ),
    "confused_pairs": ("Most confused", "最易混淆"),
    "no_confusion": ("Nothing was confused.", "没有混淆。"),
    "gold": ("Gold", "真实"),
    "given": ("Given", "给出"),
    "times": ("Times", "次数"),
    "several_right": ("right", "正确"),
    "several_wrong": ("given wrongly", "误给"),
    "several_missed": ("missed", "漏给"),
    "calibration": ("Reliability", "可靠性"),
    "calibration_said": (
        "Calibration error {before} before and {after} after the temperature ({temperature}).",
        "校准误差：温度校准前 {before}，校准后 {after}（温度 {temperature}）。",
    ),
    "calibration_help": (
        "On the dashed line answers are as often right as they are sure. Filled: after the temperature, larger for "
        "more rows; hollow: before.",
        "落在虚线上表示把握与正确率一致。实心：校准后，行数越多越大；空心：校准前。",
    ),
    "axis_confidence": ("confidence", "把握"),
    "axis_accuracy": ("share right", "正确率"),
    "curves": ("Learning curves", "学习曲线"),
    "curve_loss": ("Training loss by step", "训练损失（按步）"),
    "curve_metric": ("Validation {metric} by step", "验证集{metric}（按步）"),
    "curve_said": ("{count} runs, from {first} to {last}", "{count} 次训练，从 {first} 到 {last}"),
    "stopped": ("Seed {k} stopped early: {reason}", "种子 {k} 提前停止：{reason}"),
    "no_curves": ("It learns in one go: no curve.", "一次拟合完成，没有曲线。"),
    "of_seed": ("seed {k}", "种子 {k}"),
    # Slices
    "slices": ("Slices", "切片"),
    "slices_help": (
        "Parts of the rows shown, by {metric}. Among many parts one is low by luck: take a low one as a question.",
        "所示数据的各部分，按{metric}。部分一多，总有一个会碰巧偏低：把它当作问题，而不是结论。",
    ),
    "slices_none": ("No raw column has few values.", "没有取值很少的原始列。"),
    "slices_unknown": (
        "Slices of the test need its rows, which are read through the workspace's ledger: name the problem file.",
        "测试集的切片需要经由工作区的台账读取：请指定问题文件。",
    ),
    "by_length": ("Length of the text, in characters", "文本长度（字符数）"),
    "few_rows": ("few rows", "行数少"),
    # Errors worth reading
    "errors": ("Errors worth reading", "值得一读的错误"),
    "errors_help": (
        "Always validation rows: reading wrong test rows and changing something would spend the test.",
        "一律取自验证集：若读了测试集的错误再作修改，测试集便失去了意义。",
    ),
    "mistakes": ("Most confident mistakes of {candidate}", "{candidate} 最有把握的错误"),
    "costly": ("Rows that cost {candidate} most", "{candidate} 失分最多的行"),
    "cost_help": (
        "A row's cost is how much better {metric} would be without it.",
        "一行的失分，是去掉它之后{metric}会好多少。",
    ),
    "costs": ("Costs", "失分"),
    "costs_in": ("In seeds", "失分的种子"),
    "row_value": ("This row", "此行"),
    "no_mistakes": ("It made no mistake.", "没有出错。"),
    "disagreements": ("Where candidates disagree", "各方案意见不一之处"),
    "no_disagreements": ("They agree on every row.", "每一行的答案都一致。"),
    "text": ("Text", "文本"),
    "sure": ("Sure", "把握"),
    "wrong_in": ("Wrong in", "出错的种子"),
    "of_runs": ("{count} of {all}", "{all} 次中 {count} 次"),
    "place": ("{file}, row {row}", "{file} 第 {row} 行"),
    # Cost
    "cost": ("Cost", "成本"),
    "seconds": ("Seconds", "秒"),
    "seconds_each": ("Seconds a run", "每次训练秒数"),
    "total": ("Total", "合计"),
    "runs": ("Runs", "训练次数"),
    # Trials
    "trials": ("Trials", "训练记录"),
    "trials_help": (
        "Every run that numbers above come from; folders are inside the study's.",
        "以上数字所来自的每次训练；目录相对于实验目录。",
    ),
    "folder": ("Folder", "目录"),
    "seed_number": ("No.", "编号"),
    "seed": ("Seed", "种子"),
    "bundle": ("Bundle", "模型包"),
    "kept": ("kept", "已保留"),
    "not_kept": ("not kept", "未保留"),
    # Provenance
    "provenance": ("Data, code and how to do it again", "数据、代码与复现"),
    "hash_data": ("Data (SHA-256)", "数据（SHA-256）"),
    "hash_code": ("Code (SHA-256)", "代码（SHA-256）"),
    "hash_split": ("Rows, {split} (SHA-256)", "{split}集（SHA-256）"),
    "packages": ("Packages", "软件包"),
    "machine": ("Machine", "机器"),
    "threads": ("threads a trial", "每次训练的线程数"),
    "looks": ("Looks at the test rows that count", "计入的测试集查看次数"),
    "notes": ("What was chosen", "自动选择"),
    "reproduce": ("Again", "复现"),
    "reproduce_help": (
        "On a CPU with the same threads a trial, precision and instruction set the result is equal bit for bit.",
        "在 CPU 上，每次训练的线程数、精度与指令集相同时，结果逐位相同。",
    ),
    "resolved_problem": ("The problem with nothing left to choose", "解析后的问题文件"),
    "made_by": (
        "Made by Provetune {version} from the study's folder alone.",
        "由 Provetune {version} 仅凭实验目录生成。",
    ),
    "scope_note": (
        "Verdicts cover the luck of training and of the test rows, not that of drawing another training file.",
        "结论涵盖训练与测试行的偶然性，不涵盖换一份训练数据的偶然性。",
    ),
    **TASKS,
    **METRICS,
}


class Words:
    """The table in one language.

    Raises:
        UsageError: the page does not speak that language.
    """

    def __init__(self, language: str) -> None:
        if language not in LANGUAGES:
            raise UsageError(f"The page does not speak '{language}'.", hint=advice(language, LANGUAGES))
        self.language = language
        self._column = LANGUAGES.index(language)

    def __call__(self, key: str, **values: object) -> str:
        """A word or sentence, with its places filled in."""
        return WORDS[key][self._column].format(**values)

    def metric(self, name: str) -> str:
        """A metric by its common name, ``metric:label`` too, or as it is written where it has none here."""
        plain, colon, label = name.partition(":")
        return f"{self(f'metric.{plain}')}{colon}{label}" if f"metric.{plain}" in WORDS else name

    def phrase(self, text: str) -> str:
        """A title, heading or note of a task's own table; as the task wrote it where this language lacks it."""
        return in_chinese(text, CHINESE) if self.language == "zh" else text

    def known(self, kind: str, name: str) -> str:
        """``kind.name`` where the table has it, else the name as it is."""
        return self(f"{kind}.{name}") if f"{kind}.{name}" in WORDS else name
