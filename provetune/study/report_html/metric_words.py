"""Common names of metrics and tasks, in English and in Chinese; joined to `provetune.study.report_html.words.WORDS`."""

from __future__ import annotations

from typing import Final

TASKS: Final[dict[str, tuple[str, str]]] = {
    "task.classification": ("classification", "分类"),
    "task.regression": ("regression", "回归"),
    "task.ordinal": ("ordered labels", "有序标签"),
    "task.tagging": ("tagging", "序列标注"),
    "task.pair": ("pairs of texts", "文本对"),
    "task.similarity": ("similarity of texts", "文本相似度"),
    "task.retrieval": ("retrieval", "检索"),
    "task.relation": ("relations", "关系抽取"),
    "task.span_qa": ("question answering", "抽取式问答"),
    "task.seq2seq": ("writing texts from texts", "文本生成"),
    "task.chat": ("conversation", "对话"),
}

METRICS: Final[dict[str, tuple[str, str]]] = {
    # Labels
    "metric.accuracy": ("accuracy", "准确率"),
    "metric.macro_f1": ("macro F1", "宏平均 F1"),
    "metric.macro_precision": ("macro precision", "宏平均精确率"),
    "metric.macro_recall": ("macro recall", "宏平均召回率"),
    "metric.micro_f1": ("micro F1", "微平均 F1"),
    "metric.micro_precision": ("micro precision", "微平均精确率"),
    "metric.micro_recall": ("micro recall", "微平均召回率"),
    "metric.weighted_f1": ("weighted F1", "加权 F1"),
    "metric.weighted_precision": ("weighted precision", "加权精确率"),
    "metric.weighted_recall": ("weighted recall", "加权召回率"),
    "metric.precision": ("precision", "精确率"),
    "metric.recall": ("recall", "召回率"),
    "metric.f1": ("F1", "F1"),
    "metric.log_loss": ("log-loss", "对数损失"),
    "metric.ece": ("calibration error", "校准误差"),
    "metric.auc": ("area under the ROC curve", "ROC 曲线下面积"),
    "metric.in_scope_accuracy": ("in-scope accuracy", "范围内准确率"),
    "metric.out_of_scope_recall": ("out-of-scope recall", "范围外召回率"),
    "metric.coverage": ("share answered", "作答比例"),
    "metric.selective_accuracy": ("accuracy where answered", "作答部分的准确率"),
    "metric.aurc": ("area under risk and coverage", "风险覆盖曲线下面积"),
    "metric.undirected_macro_f1": ("macro F1 without directions", "不计方向的宏平均 F1"),
    "metric.quadratic_kappa": ("quadratic kappa", "二次加权 Kappa"),
    "metric.within_one": ("at most one step off", "相差不超过一级的比例"),
    # Numbers
    "metric.r2": ("R²", "决定系数 R²"),
    "metric.rmse": ("root mean squared error", "均方根误差"),
    "metric.mae": ("mean absolute error", "平均绝对误差"),
    "metric.pearson": ("Pearson correlation", "皮尔逊相关系数"),
    "metric.spearman": ("Spearman correlation", "斯皮尔曼相关系数"),
    # Spans, answers and documents
    "metric.token_accuracy": ("token accuracy", "词元准确率"),
    "metric.exact_rows": ("texts all right", "全对文本比例"),
    "metric.exact_match": ("exact match", "完全匹配"),
    "metric.has_answer_f1": ("F1 where there is an answer", "有答案问题的 F1"),
    "metric.has_answer_exact_match": ("exact match where there is an answer", "有答案问题的完全匹配"),
    "metric.no_answer_accuracy": ("accuracy where there is none", "无答案问题的准确率"),
    "metric.ndcg_at_10": ("nDCG of the first 10", "前 10 位 nDCG"),
    "metric.mrr": ("mean reciprocal rank", "平均倒数排名"),
    "metric.mrr_at_10": ("mean reciprocal rank in the first 10", "前 10 位平均倒数排名"),
    "metric.recall_at_1": ("recall in the first place", "首位召回率"),
    "metric.recall_at_5": ("recall in the first 5", "前 5 位召回率"),
    "metric.recall_at_10": ("recall in the first 10", "前 10 位召回率"),
    "metric.recall_at_100": ("recall in the first 100", "前 100 位召回率"),
    # Texts that are written
    "metric.perplexity": ("perplexity", "困惑度"),
    "metric.bits_per_byte": ("bits a byte", "每字节比特数"),
    "metric.preference_accuracy": ("preference accuracy", "偏好准确率"),
    "metric.chrf": ("chrF", "chrF"),
    "metric.bleu": ("BLEU", "BLEU"),
    "metric.rouge1": ("ROUGE-1", "ROUGE-1"),
    "metric.rouge2": ("ROUGE-2", "ROUGE-2"),
    "metric.rougeL": ("ROUGE-L", "ROUGE-L"),
    "metric.meteor_stem": ("METEOR (stems)", "METEOR（词干）"),
    # The machine
    "metric.latency_p50_ms": ("median latency (ms)", "延迟中位数（毫秒）"),
    "metric.latency_p95_ms": ("latency, 95th percentile (ms)", "延迟 95 分位（毫秒）"),
    "metric.latency_p99_ms": ("latency, 99th percentile (ms)", "延迟 99 分位（毫秒）"),
}
