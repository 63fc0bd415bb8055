"""Where subjects come from, what is refused and with what words, and what a capture can be told."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import byte_tokenizer, make_tiny

from synergy_tui.bench.families import MIXER
from synergy_tui.capture.generate import Sampling, encode, generate
from synergy_tui.errors import MeasureError, SubjectError, TaskError, UsageError
from synergy_tui.jobs import parts, plan
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.parts import Answer
from synergy_tui.jobs.specs import CaptureRequest, CaptureSpec
from synergy_tui.jobs.worker import capture as worker
from synergy_tui.jobs.worker.executors.crew import Crew
from synergy_tui.jobs.worker.executors.making import Given, Wanted
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.store.cache import Cache
from synergy_tui.store.load import rows
from synergy_tui.subject.facts import facts
from synergy_tui.subject.loading import load
from synergy_tui.subject.source import Source
from synergy_tui.subject.sources import resolve

PROMPTS = [[1, 2, 3, 4, 5, 6, 7], [9, 8, 7], [20, 21, 22, 23]]


@pytest.fixture(autouse=True, scope="module")
def _alone(one_thread):
    """As in test_families."""


@pytest.fixture(scope="module")
def subject(tiny, tmp_path_factory):
    return load(resolve(str(tiny)), tmp_path_factory.mktemp("data"), "cpu", "float32")


@pytest.fixture
def copy(tiny, tmp_path):
    """A model folder with changes to its configuration."""

    def made(name: str = "copy", without: str = "", **changes: object) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file in tiny.iterdir():
            if file.name != without:
                (folder / file.name).write_bytes(file.read_bytes())
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | changes))
        return folder

    return made


HUB = {
    "owner/gated": (403, {"X-Error-Code": "GatedRepo"}, {}),
    "owner/missing": (404, {"X-Error-Code": "RepoNotFound"}, {}),
    "owner/revised": (404, {"X-Error-Code": "RevisionNotFound"}, {}),
    "owner/pickled": (200, {}, {"siblings": [{"rfilename": "pytorch_model.bin"}]}),
    "owner/bare": (200, {}, {"siblings": [{"rfilename": "config.json"}]}),
}


@pytest.fixture(scope="module")
def hub(tiny):
    """A hub of our own that answers as the real one does."""

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self):
            name = "/".join(self.path.removeprefix("/api/models").lstrip("/").split("/")[:2])
            status, headers, body = HUB[name]
            content = json.dumps({"id": name, "sha": "0" * 40} | body).encode()
            if self.path.endswith("config.json"):
                content = (tiny / "config.json").read_bytes()
                headers = headers | {"ETag": '"1"', "X-Repo-Commit": "0" * 40}
            self.send_response(status)
            for key, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("owner/gated", "asks you to accept its terms first · accept them, then: hf auth login"),
        ("owner/missing", "the hub has no model owner/missing"),
        ("owner/revised", "has no revision 'main'"),
        ("owner/pickled", "as pickle, which can run code · .*--allow-pickle"),
        ("owner/bare", r"has no weights \(\*.safetensors\)"),
    ],
)
def test_what_the_hub_refuses_or_lacks_is_told(name, message, hub, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", hub)
    template = "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub + template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(SubjectError, match=message):
        resolve(name, "main")


def test_without_a_network_the_cache_that_was_looked_in_is_named():
    with pytest.raises(SubjectError, match=r"does not answer for owner/model, and it is not on this disk \(/.*hub\)"):
        resolve("owner/model")


def test_folders_that_are_not_whole_are_told(copy):
    bare = copy("bare", without="model.safetensors")
    with pytest.raises(SubjectError, match=r"no weights .* --random-weights"):
        resolve(str(bare))
    assert resolve(str(bare), weights_seed=1).name == "bare, random weights 1"
    (bare / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(SubjectError, match=r"as pickle .* --allow-pickle"):
        resolve(str(bare))
    assert resolve(str(bare), pickle=True).pickle
    brings = copy("brings", model_type="martian", auto_map={"AutoModelForCausalLM": "modeling.Martian"})
    with pytest.raises(SubjectError, match=r"brings Python code .* --allow-remote-code"):
        resolve(str(brings))
    with pytest.raises(SubjectError, match=r"no test holds the architecture 'martian'.*\[families.martian\]"):
        resolve(str(copy("martian", model_type="martian")))


def test_pickle_weights_are_loaded_where_they_are_allowed(tiny, copy, subject):
    folder = copy("pickled", without="model.safetensors")
    torch.save(subject.model.state_dict(), folder / "pytorch_model.bin")
    loaded = load(resolve(str(folder), pickle=True), folder, "cpu", "float32")
    ids = torch.tensor([PROMPTS[0]])
    torch.testing.assert_close(loaded.model(ids).logits, subject.model(ids).logits)


def test_a_gguf_of_an_unknown_type_or_in_parts_is_told(tmp_path):
    def text(value: str) -> bytes:
        return len(value).to_bytes(8, "little") + value.encode()

    def whole(number: int, size: int = 4) -> bytes:
        return number.to_bytes(size, "little")

    head = b"GGUF" + whole(3) + whole(1, 8) + whole(1, 8)
    named = text("general.architecture") + whole(8) + text("llama")
    tensor = text("w") + whole(1) + whole(32, 8) + whole(41) + whole(0, 8)
    (tmp_path / "x-00001-of-00002.gguf").write_bytes(head + named + tensor + bytes(64))
    with pytest.raises(SubjectError, match=r"lacks x-00002-of-00002.gguf"):
        resolve(str(tmp_path / "x-00001-of-00002.gguf"))
    (tmp_path / "x-00002-of-00002.gguf").write_bytes(head + named + tensor + bytes(64))
    with pytest.raises(SubjectError, match=r"a tensor of the unknown type 41 · give another quantisation"):
        resolve(str(tmp_path / "x-00002-of-00002.gguf"))


def test_what_a_subject_is_and_needs_is_known_before_it_is_loaded(tiny, copy):
    (folder := copy("licensed")).joinpath("README.md").write_text("---\nlicense: apache-2.0\n---\n")
    found = facts(resolve(str(folder)), folder)
    assert (found["layers"], found["heads"], found["licence"], found["chat_template"]) == (4, 4, "apache-2.0", False)
    parameters = sum(one.numel() for one in load(resolve(str(folder)), folder, "cpu", "float32").model.parameters())
    assert found["parameters"] == parameters
    assert found["memory"]["float32"] - found["memory"]["bfloat16"] == 2 * parameters


def test_too_little_memory_is_said_before_loading(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["synergy_tui.jobs.plan.captures"], "free_memory", lambda: 500_000_000)
    with pytest.raises(
        SubjectError, match=r"needs about 0.8 GB in float32, and 0.5 GB are free · use --dtype bfloat16"
    ):
        plan.capture(tmp_path, CaptureRequest(subject=str(tiny)))
    monkeypatch.setattr(sys.modules["synergy_tui.jobs.plan.captures"], "free_memory", lambda: 803_000_000)
    assert plan.capture(tmp_path, CaptureRequest(subject=str(tiny))).spec.batch < 20


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"kinds": ["neuron"]}, "no unit kind 'neuron' · known: head, ssm-head, expert"),
        ({"temperature": -1.0}, "temperature -1.0 is not a number from 0"),
        ({"top_p": 0.0}, "top-p 0.0 is not a number above 0 up to 1"),
        ({"device": "tpu"}, "no device 'tpu'"),
        ({"replay": "c123"}, "no file 'c123' with responses"),
        ({"replay": "x.jsonl", "temperature": 1.0}, "a replay has its prompts and tokens"),
        ({"replay": "x.jsonl"}, "no task set 'x.jsonl'"),
    ],
)
def test_options_that_mean_nothing_are_told(chosen, message, tiny, tmp_path):
    with pytest.raises(UsageError, match=message):
        plan.capture(tmp_path, CaptureRequest(subject=str(tiny), **chosen))


def test_checkpoints_in_a_folder_are_a_trajectory(copy, tmp_path):
    for step in (1000, 200, 30):
        copy(f"checkpoint-{step}")
    plans = plan.captures(tmp_path, CaptureRequest(subject=str(tmp_path), steps=30))
    assert [one.spec.training_step for one in plans] == [30, 200, 1000]
    assert len({one.spec.trajectory for one in plans}) == 1
    assert plans[2].spec.source.name == "checkpoint-1000"
    (one,) = plan.captures(tmp_path, CaptureRequest(subject=str(tmp_path / "checkpoint-30"), steps=30))
    assert one.spec.trajectory is None
    with pytest.raises(UsageError, match="do not go together"):
        CaptureRequest(subject="owner/model", revisions=("a", "b"), revision="c")


def test_random_weights_are_the_architecture_drawn_by_their_seed(tiny, tmp_path, subject):
    one, again, other = (load(resolve(str(tiny), weights_seed=seed), tmp_path, "cpu", "float32") for seed in (1, 1, 2))
    assert one.record["subject"] == again.record["subject"]
    assert len({subject.record["subject"], one.record["subject"], other.record["subject"]}) == 3
    assert (one.record["weights_seed"], subject.record["weights_seed"]) == (1, None)
    assert one.record["config_hash"] == subject.record["config_hash"]
    for mine, same, another in zip(*(x.model.parameters() for x in (one, again, other)), strict=True):
        assert torch.equal(mine, same)
        assert mine.dim() < 2 or not torch.equal(mine, another)


def test_what_is_sampled_depends_on_seed_and_prompt_and_not_on_the_batch(subject):
    sampling = Sampling(1.5, 0.9, 7)
    whole = generate(subject, PROMPTS, 20, sampling=sampling)
    for number, prompt in enumerate(PROMPTS):
        (alone,) = generate(subject, [prompt], 20, sampling=sampling, numbers=[number])
        assert alone.tokens == whole[number].tokens
    assert [one.tokens for one in generate(subject, PROMPTS, 20, sampling=replace(sampling, seed=8))] != [
        one.tokens for one in whole
    ]
    greedy = [one.tokens for one in generate(subject, PROMPTS, 20)]
    for cold in (Sampling(1e-4, 1.0, 0), Sampling(1.0, 1e-9, 0)):
        assert [one.tokens for one in generate(subject, PROMPTS, 20, sampling=cold)] == greedy


def test_samples_are_as_frequent_as_their_probabilities():
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()[None].expand(20_000, -1)
    chance = torch.from_numpy(np.random.default_rng(0).random(20_000)).float()
    for top_p, expected in ((1.0, [0.5, 0.3, 0.15, 0.05]), (0.75, [0.625, 0.375, 0, 0])):
        counts = torch.bincount(Sampling(1.0, top_p, 0).draw(logits, chance)[:, 0], minlength=4) / 20_000
        torch.testing.assert_close(counts, torch.tensor(expected), atol=0.02, rtol=0)
    halved = torch.bincount(Sampling(0.5, 1.0, 0).draw(logits, chance)[:, 0], minlength=4) / 20_000
    squares = torch.tensor([0.25, 0.09, 0.0225, 0.0025])
    torch.testing.assert_close(halved, squares / squares.sum(), atol=0.02, rtol=0)


def test_a_system_prompt_needs_a_template_and_stands_before_the_prompt(subject, tiny, copy):
    with pytest.raises(TaskError, match="has no chat template: a system prompt has no place"):
        encode(subject, ["x"], chat=True, system="Be brief.")
    folder = copy("templated")
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}")
    templated = load(resolve(str(folder)), folder, "cpu", "float32")
    (asked,) = encode(templated, ["x"], chat=True, system="Be brief.")
    assert templated.tokenizer.decode(asked) == "system:Be brief.;user:x;"
    with pytest.raises(TaskError, match="is asked without its chat template"):
        encode(templated, ["x"], chat=False, system="Be brief.")


def test_logits_that_are_not_finite_are_told(tiny, tmp_path):
    broken = load(resolve(str(tiny)), tmp_path, "cpu", "float16")
    broken.model.model.norm.weight.data[:] = 60_000
    with pytest.raises(SubjectError, match=r"not finite · in float16 or bfloat16 try --dtype float32"):
        generate(broken, PROMPTS, 3)


def _spec(**chosen: Any) -> CaptureSpec:
    nothing = {"data": "", "task_set": "", "tasks_hash": "", "items": ()}
    source = Source("tiny", "folder", "/tiny")
    return CaptureSpec(subject="/tiny", steps=24, kinds=("head",), source=source, **nothing, **chosen)


def test_batches_are_halved_where_memory_ends_and_the_numbers_stay(subject, tmp_path, monkeypatch, capsys):
    prompts = encode(subject, ["one", "two words", "a third one", "x", "and five"], chat=True)
    spec = _spec(batch=5)
    (tmp_path / "jobs" / "c1" / "shards").mkdir(parents=True)
    job = JobFolder(tmp_path / "jobs" / "c1")

    def measured(most: int) -> list[tuple[Answer, np.ndarray]]:
        def limited(*given, **how):
            if len(given[1]) > most:
                raise torch.OutOfMemoryError("it is full")
            return generate(*given, **how)

        monkeypatch.setattr(worker, "generate", limited)
        monkeypatch.setattr(worker, "load", lambda *_: subject)
        maker = worker.Maker(spec, Given(), lambda *_: None)
        maker.asked = worker.Asked(prompts)
        wanted = [
            Wanted(f"batch-{number:04d}", 24 * len(batch), {"prompts": batch})
            for number, batch in enumerate(worker.batches(maker.asked.lengths(), 5))
        ]
        with Progress(job, {"id": "c1", "state": "running"}) as progress:
            crew = Crew(job, progress)
            crew.begin(worker, spec, Given())
            crew._maker = maker
            crew.make(wanted, name="capture", total=5 * 24)
            answers = sorted(
                (row for one in wanted for row in parts.read_answers(job, one.name) or []), key=lambda row: row.prompt
            )
            found = [(one, parts.activity(job, one, 16)) for one in answers]
            stage = progress._status["stages"][-1]
            assert stage["done"] == stage["total"] == 5 * 24
        for shard in job.shards.iterdir():
            shard.unlink()
        return found

    whole, halved = measured(5), measured(2)
    assert "2 prompts at a time from here on" in capsys.readouterr().out
    assert [row.at_once for row, _ in whole + halved] == [5] * 5 + [2] * 5
    for one, other in zip(whole, halved, strict=True):
        assert one[0].tokens == other[0].tokens
        np.testing.assert_allclose(other[1], one[1], rtol=1e-4)
    with pytest.raises(MeasureError, match=r"one prompt of \d+ tokens with its response does not fit"):
        measured(0)


@pytest.mark.worker
def test_a_hybrid_is_one_map_of_heads_of_both_kinds_and_replays_on_another(tmp_path, command):
    """One layer of four has attention, with fewer heads: places that no unit has are no units anywhere."""
    changes = MIXER | {"layer_types": ["mamba", "attention", "mamba", "mamba"], "num_local_experts": 0}
    folder = make_tiny(tmp_path / "hybrid", "granitemoehybrid", initializer_range=0.1, **changes)
    found = command.json("run", str(folder), "--prompts", "4", "--steps", "30")
    assert (found["layers"], found["units"], found["kind"]) == (4, 28, "ssm-head,head")
    assert found["pairs"] == 28 * 27 // 2
    assert found["reasons"]["not finite"] == 0
    cache = Cache.open(command.cache)
    kinds = rows(cache, "SELECT kind, layer, count(*) AS n FROM units GROUP BY ALL ORDER BY layer")
    assert [(row["kind"], row["n"]) for row in kinds] == [
        *(("ssm-head", 8), ("head", 4)),
        *(("ssm-head", 8), ("ssm-head", 8)),
    ]
    assert rows(cache, "SELECT count(*) AS n, count(sts) AS s FROM heads") == [{"n": 28, "s": 28}]
    assert np.isfinite(found["profile"]).all()
    again = command.json("capture", str(folder), "--random-weights", "--seed", "5", "--replay", found["capture"])
    assert (again["decoding"], again["replayed"]) == ("replay", found["capture"])
    query = "SELECT tokens FROM responses WHERE capture = $1 ORDER BY prompt"
    same = [rows(cache, query, one["capture"]) for one in (found, again)]
    assert same[0] == same[1]


@pytest.mark.worker
def test_a_replay_whose_tokens_are_other_text_is_told(subject, command, tiny):
    capture = command.json("capture", str(tiny), "--prompts", "2", "--steps", "24")["capture"]
    cache = Cache.open(command.cache)
    spec = _spec(replayed=capture)
    given = worker.gather(cache, spec)
    asked = worker._asked(spec, given, subject)
    assert [len(one) for one in asked.answers] == [24, 24]
    other = byte_tokenizer()
    other.backend_tokenizer.decoder = None
    with pytest.raises(MeasureError, match=r"is other text in the tokens of .* · replay captures of subjects"):
        worker._asked(spec, given, replace(subject, tokenizer=other))


@pytest.mark.worker
def test_checkpoints_are_captured_one_after_the_other_and_tied(copy, tmp_path, command):
    """And a subject can be looked at before."""
    from safetensors.torch import load_file, save_file

    for step in (20, 100):
        file = copy(f"step{step}") / "model.safetensors"
        save_file({name: value * step for name, value in load_file(file).items()}, file, metadata={"format": "pt"})
    shown = command.json("subjects", "show", str(tmp_path / "step20"))
    assert (shown["name"], shown["heads"], shown["architecture"]) == ("step20", 4, "llama")
    assert command.json("subjects", "pull", str(tmp_path / "step20"))["folder"] == str(tmp_path / "step20")
    made = command.json("capture", str(tmp_path), "--prompts", "2", "--steps", "20")
    assert [one["training_step"] for one in made] == [20, 100]
    assert made[0]["trajectory"] == made[1]["trajectory"] is not None
    query = "SELECT name FROM captures JOIN subjects USING (subject) ORDER BY training_step"
    names = rows(Cache.open(command.cache), query)
    assert [row["name"] for row in names] == ["step20", "step100"]
