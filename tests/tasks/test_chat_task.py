"""The chat task on a tiny Llama: likelihood, written answers, streaming, and options that become part of a bundle."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from chat_tokenizers import CHATML, COUNTING, PLAIN, make_chat_tokenizer, make_tiny_llama

from provetune.core.errors import DataError, UsageError
from provetune.core.protocols import EncodeSettings, Targets
from provetune.inference.features import FeatureTable
from provetune.models.forward import predict_outputs
from provetune.tasks import TASKS
from provetune.tasks.chat.streaming import _pieces

CHAT: Any = TASKS.get("chat")
SETTINGS = EncodeSettings(max_length=300, long_texts="head_tail")


def conversation(*contents: str, system: str | None = None) -> str:
    found = [{"role": ("user", "assistant")[k % 2], "content": text} for k, text in enumerate(contents)]
    return json.dumps([{"role": "system", "content": system}, *found] if system else found)


def rows(rejected: bool = False) -> pa.Table:
    table = {
        "row_id": ["a", "b", "c"],
        "text": [conversation("hi"), conversation("hi", "hello", "more"), conversation("ab " * 20)],
        "label": ["yes ab", "no", "perhaps"],
    }
    if rejected:
        table["rejected"] = ["zzzzzz", "no no no", "?"]
    return pa.table(table)


class Setting:
    """A model, a tokenizer and targets, settled as a trial settles them."""

    def __init__(self, template: str | None = CHATML, seed: int = 0, **options: Any) -> None:
        self.table = rows()
        self.targets = CHAT.targets(self.table, options={"max_target_length": 12, **options})
        self.tokenizer = CHAT.prepare_tokenizer(make_chat_tokenizer(template), self.targets)
        self.model = CHAT.prepare_model(make_tiny_llama(len(self.tokenizer), seed), self.tokenizer, self.targets)

    def features(self, table: pa.Table | None = None, targets: Targets | None = None) -> FeatureTable:
        return FeatureTable(CHAT.encode(self.table if table is None else table, self.tokenizer, SETTINGS, targets))

    def answers(self, table: pa.Table | None = None, **asked: Any) -> Any:
        table = self.table if table is None else table
        features = self.features(table)
        outputs = predict_outputs(
            self.model, CHAT, features, 0, targets=self.targets, tokenizer=self.tokenizer, **asked
        )
        return CHAT.answers(outputs, features, table, self.targets)

    def outcomes(self, table: pa.Table | None = None) -> pa.Table:
        table = self.table if table is None else table
        return CHAT.outcomes(table, self.answers(table), self.targets)


def losses(setting: Setting, messages: str, answer: str) -> list[float]:
    """Log-loss of each token of the assistant's turns, by the plain model over one text."""
    tokenizer, found = setting.tokenizer, []
    told = [*json.loads(messages), {"role": "assistant", "content": answer}]
    ids = tokenizer.apply_chat_template(told)["input_ids"]
    with torch.no_grad():
        logs = torch.log_softmax(setting.model(torch.tensor([ids])).logits[0].double(), dim=-1)
    for number, message in enumerate(told):
        if message["role"] == "assistant":
            start = len(tokenizer.apply_chat_template(told[:number], add_generation_prompt=True)["input_ids"])
            end = len(tokenizer.apply_chat_template(told[: number + 1])["input_ids"]) - 1  # without the line end
            found += [-float(logs[place - 1, ids[place]]) for place in range(start, end)]
    return found


def test_perplexity_is_that_of_the_plain_model_text_by_text() -> None:
    setting = Setting(generate=False)
    each = [
        losses(setting, text, label)
        for text, label in zip(*(setting.table[n].to_pylist() for n in ("text", "label")), strict=True)
    ]
    outcomes = setting.outcomes()
    np.testing.assert_allclose(outcomes["loss"].to_numpy(), [sum(one) for one in each], rtol=1e-4)
    assert outcomes["tokens"].to_pylist() == [len(one) for one in each]
    # "ab" is one token; every token of letters but end marks counts its bytes.
    assert outcomes["bytes"].to_pylist() == [6, 7, 7]
    scores = CHAT.score(outcomes, setting.targets)
    total = sum(sum(one) for one in each)
    assert scores["perplexity"] == pytest.approx(math.exp(total / sum(map(len, each))), rel=1e-5)
    assert scores["bits_per_byte"] == pytest.approx(total / 20 / math.log(2), rel=1e-5)
    assert set(scores) == {"perplexity", "bits_per_byte"}
    assert outcomes["prediction"].null_count == 3


def test_the_last_turn_alone_where_that_is_asked_for() -> None:
    setting = Setting(generate=False, turns="last")
    wanted = [len("yes ") + 1 + 1, len("no") + 1, len("perhaps") + 1]
    assert setting.outcomes()["tokens"].to_pylist() == wanted
    learned = setting.features(targets=setting.targets).take(range(3))
    assert [int((one["whose"] > 0).sum()) for one in learned] == wanted
    everything = Setting(generate=False).features(targets=Setting().targets).take([1])[0]
    assert int((everything["whose"] > 0).sum()) == wanted[1] + 1 + 1  # 'hello' is one token, and its end mark


def test_the_training_loss_is_the_mean_over_all_learned_tokens() -> None:
    setting = Setting()
    batch = CHAT.collate(setting.features(targets=setting.targets).take(range(3)), 0)
    found = CHAT.loss(CHAT.forward(setting.model, batch), batch["labels"], setting.targets, None)
    pairs = zip(*(setting.table[name].to_pylist() for name in ("text", "label")), strict=True)
    each = [loss for text, label in pairs for loss in losses(setting, text, label)]
    assert found.item() == pytest.approx(np.mean(each), rel=1e-5)


def test_answers_are_what_generate_writes_one_by_one() -> None:
    setting = Setting()
    found = setting.answers()
    for text, answer in zip(setting.table["text"].to_pylist(), found, strict=True):
        prompt = setting.tokenizer.apply_chat_template(
            json.loads(text), add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        width = prompt["input_ids"].shape[1]
        with torch.no_grad():
            wanted = setting.model.generate(**prompt, max_new_tokens=12, do_sample=False)[0]
            logs = torch.log_softmax(setting.model(wanted[None]).logits[0].double(), dim=-1)
        mean = np.mean([float(logs[place - 1, wanted[place]]) for place in range(width, len(wanted))])
        assert answer.text == setting.tokenizer.decode(wanted[width:], skip_special_tokens=True)
        assert answer.score == pytest.approx(math.exp(mean), rel=1e-3)
        assert answer.stopped is (int(wanted[-1]) != setting.tokenizer.eos_token_id)
    told = CHAT.predictions(found, setting.targets)
    assert told[0] == {"text": found[0].text, "score": found[0].score}


def test_written_answers_are_judged_by_the_references_tools() -> None:
    rouge_score = pytest.importorskip("rouge_score.rouge_scorer")
    sacrebleu = pytest.importorskip("sacrebleu")
    setting = Setting(language="en")
    said, wanted = ["yes a dog", "no", "maybe so"], ["yes ab dog", "no", "perhaps"]
    outcomes = setting.outcomes()
    outcomes = outcomes.set_column(2, "prediction", pa.array(said)).set_column(1, "label", pa.array(wanted))
    scores = CHAT.score(outcomes, setting.targets)
    scorer = rouge_score.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    each = [scorer.score(right, mine) for right, mine in zip(wanted, said, strict=True)]
    for name in ("rouge1", "rouge2", "rougeL"):
        assert scores[name] == pytest.approx(np.mean([one[name].fmeasure for one in each]))
    assert scores["chrf"] == pytest.approx(sacrebleu.corpus_chrf(said, [wanted]).score)


def test_rows_to_answer_are_answered_whatever_is_judged() -> None:
    setting = Setting(generate=False)
    assert all(answer.text is not None for answer in setting.answers(rows().select(["text"])))
    assert all(answer.text is None for answer in setting.answers())
    assert CHAT.while_training(Setting().targets).options["generate"] is False


def test_preferred_is_the_answer_that_is_likelier_token_by_token() -> None:
    setting, table = Setting(generate=False), rows(rejected=True)
    setting.targets = CHAT.targets(table, options={"generate": False})
    assert setting.targets.kind == "preference"
    outcomes = setting.outcomes(table)
    wanted = []
    for text, good, bad in zip(*(table[name].to_pylist() for name in ("text", "label", "rejected")), strict=True):
        better, worse = losses(setting, text, good), losses(setting, text, bad)
        ends = len(losses(setting, text, "?")) - 2  # tokens of the earlier answers
        wanted.append(bool(np.mean(better[ends:]) < np.mean(worse[ends:])))
    assert outcomes["preferred"].to_pylist() == wanted
    assert CHAT.score(outcomes, setting.targets)["preference_accuracy"] == pytest.approx(np.mean(wanted))


def test_sampling_draws_the_same_alone_and_together_and_by_its_seed() -> None:
    setting = Setting(decoding="sample", temperature=1.5)
    together = [answer.text for answer in setting.answers()]
    alone = [setting.answers(rows().slice(k, 1))[0].text for k in range(3)]
    assert together == alone
    other = Setting(decoding="sample", temperature=1.5, sampling_seed=1)
    assert [answer.text for answer in other.answers()] != together


@pytest.mark.parametrize("options", [{}, {"decoding": "sample"}, {"decoding": "beam"}])
def test_the_pieces_of_a_stream_are_the_answer(options: dict[str, Any]) -> None:
    setting = Setting(**options)
    table = rows().select(["text"]).slice(1, 1)
    (answer,) = setting.answers(table)
    batch = CHAT.collate(setting.features(table).take([0]), 0)
    pieces = list(CHAT.stream(setting.model, batch, setting.targets, setting.tokenizer))
    assert "".join(pieces) == answer.text
    assert len(pieces) > 1 or options.get("decoding") == "beam" or len(answer.text) < 2


def test_a_stream_that_is_closed_stops_writing() -> None:
    setting = Setting(max_target_length=200, min_target_length=200)
    written: list[int] = []
    setting.model.register_forward_hook(lambda *_: written.append(1))
    batch = CHAT.collate(setting.features(rows().select(["text"])).take([0]), 0)
    stream = CHAT.stream(setting.model, batch, setting.targets, setting.tokenizer)
    next(stream)
    stream.close()
    count = len(written)
    assert count < 200
    assert len(written) == count


def test_half_characters_wait_for_their_other_half() -> None:
    class Halves:
        def decode(self, ids: list[int], **_: Any) -> str:
            return bytes(ids).decode("utf-8", errors="replace")

    text = "a包裹!"
    assert list(_pieces(iter(text.encode()), Halves())) == ["a", "包", "裹", "!"]
    assert list(_pieces(iter(text.encode()[:-2]), Halves())) == ["a", "包", "\ufffd"]


def test_options_become_part_of_tokenizer_and_model() -> None:
    setting = Setting(system="Be kind.", max_target_length=7)
    prompt = setting.tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)
    assert prompt.startswith("<|start|>system\nBe kind.<|end|>\n")
    assert setting.tokenizer.padding_side == "left"
    config = setting.model.generation_config
    assert (config.max_new_tokens, config.do_sample, config.eos_token_id, config.pad_token_id) == (7, False, [2], 0)


def test_system_lines_go_before_the_question_where_templates_have_no_place_for_them() -> None:
    setting = Setting(template=PLAIN)
    table = pa.table({"text": [conversation("hi", system="Be kind.")]})
    feature = setting.features(table).take([0])[0]
    assert setting.tokenizer.decode(feature["input_ids"]) == "user: Be kind.\n\nhi\nassistant: "
    with pytest.raises(UsageError, match=r"no place for a system line \(options\.system\)"):
        Setting(template=PLAIN, system="Be kind.")


def test_models_without_turns_complete_texts() -> None:
    for options in ({}, {"format": "completion"}):
        setting = Setting(template=None if not options else CHATML, **options)
        table = pa.table({"text": ["two and "], "label": ["two"]})
        feature = setting.features(table).take([0])[0]
        assert setting.tokenizer.decode(feature["input_ids"]) == "two and two<|end|>"
    with pytest.raises(UsageError, match=r"no chat template.*options\.format: completion"):
        Setting(template=None, format="chat")


def test_long_conversations_are_cut_and_counted() -> None:
    setting = Setting(generate=False)
    short = EncodeSettings(max_length=45, long_texts="head_tail")
    table = CHAT.encode(setting.table, setting.tokenizer, short, setting.targets)
    assert max(map(len, table["input_ids"].to_pylist())) <= 45
    assert [lost > 0 for lost in table["cut"].to_pylist()] == [False, True, True]
    counts = CHAT.count_tokens(setting.table, setting.tokenizer, 45)
    assert [count > 45 for count in counts.tolist()] == [False, True, True]
    with pytest.raises(UsageError, match="long_texts must be head or head_tail"):
        CHAT.encode(setting.table, setting.tokenizer, EncodeSettings(60, "windows"), setting.targets)


def test_prompts_that_leave_no_room_lose_their_beginning() -> None:
    setting = Setting(max_target_length=400)
    assert setting.model.config.max_position_embeddings == 512
    table = pa.table({"text": [conversation("ab" * 600), conversation("hi")]})
    long, short = setting.answers(table)
    assert long.cut == 619 - 300
    assert len(setting.tokenizer(long.text)["input_ids"]) <= 512 - 300
    assert short.cut == 0


def test_a_row_that_the_template_refuses_is_named() -> None:
    refusing = CHATML.replace(
        "{% for", "{% if 'bad' in messages[-1]['content'] %}{{ raise_exception('no') }}{% endif %}{% for", 1
    )
    setting = Setting(template=refusing)
    table = pa.table({"text": [conversation("hi"), conversation("bad")], "_file": ["a.jsonl"] * 2, "_row": [4, 9]})
    with pytest.raises(DataError, match=r"a\.jsonl, row 9: .*refuses the conversation \(no\)"):
        setting.features(table)


def test_a_template_that_lets_no_answer_be_learned_is_refused_and_single_turns_are_counted() -> None:
    setting = Setting(template=COUNTING)
    with pytest.raises(UsageError, match="no answer can be learned"):
        setting.features(targets=setting.targets)
    assert [answer.unlearned for answer in setting.answers()] == [1, 2, 1]
    rows_of = dict(row[:2] for row in CHAT.tables(setting.outcomes(), setting.targets)[0].rows)
    assert rows_of["conversations with turns that the chat template lets nobody learn"] == 3


def test_a_batch_with_nothing_to_learn_teaches_nothing() -> None:
    setting = Setting()
    batch = CHAT.collate(setting.features(rows().select(["text"])).take([0]), 0)
    loss = CHAT.loss(CHAT.forward(setting.model, batch), batch["labels"], setting.targets, None)
    loss.backward()
    assert loss.item() == 0


def test_nothing_to_learn_is_refused() -> None:
    with pytest.raises(DataError, match="no rows with an answer"):
        CHAT.targets(pa.table({"text": ["a"], "label": pa.array([None], pa.string())}))


def test_tables_tell_what_was_cut_and_how_scores_were_made() -> None:
    setting = Setting()
    tables = {table.name: table for table in CHAT.tables(setting.outcomes(), setting.targets)}
    assert set(tables) == {"cut", "perplexity_by_length", "signatures"}
    assert tables["cut"].rows[0] == ("conversations longer than the model was given", 0, "0.0%")
    assert [row[:2] for row in tables["perplexity_by_length"].rows] == [("1 to 16", 3)]
    silent = Setting(generate=False)
    assert "signatures" not in {table.name for table in CHAT.tables(silent.outcomes(), silent.targets)}


def test_it_goes_into_a_pipeline(tmp_path: Path) -> None:
    from transformers import pipeline

    setting = Setting(system="Be kind.")
    setting.model.save_pretrained(tmp_path)
    setting.tokenizer.save_pretrained(tmp_path)
    (answer,) = setting.answers(pa.table({"text": ["hi"]}))
    found = pipeline("text-generation", model=str(tmp_path))(
        [{"role": "user", "content": "hi"}], return_full_text=False
    )
    assert found[0]["generated_text"] == answer.text
