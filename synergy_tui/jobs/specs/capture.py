"""A capture: which subject answers which prompts, and how."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct

from synergy_tui import terms
from synergy_tui.errors import UsageError
from synergy_tui.jobs.specs.base import Count, Request, Seed, Spec
from synergy_tui.jobs.specs.fields import Option
from synergy_tui.subject.source import Source

TASKS = "cognitive"
"""The task set of all subjects, except for those of the zoo, which have prompts of their own."""

DTYPES = ("float32", "bfloat16", "float16")

SUBJECT = "smollm2, zoo:NAME, a model folder, a folder of checkpoints, a .gguf file, or a hub id (owner/name)."

Adapter = Annotated[
    str | None, Option("LoRA adapter that is merged into the weights: its folder.", told="none", metavar="FOLDER")
]
AllowCode = Annotated[bool, Option("Run the Python code in the model's files.")]
AllowPickle = Annotated[bool, Option("Load weights kept as pickle, a format that can run code.")]
Batch = Annotated[Count | None, Option("Prompts at a time.", told="what memory holds")]
Chat = Annotated[bool, Option("In the model's chat template.", off="--no-chat")]
Dtype = Annotated[
    str | None,
    Option(
        "Number type of the model; answers in bfloat16 differ from float32's.",
        choices=DTYPES,
        what="number type",
        told="float32, on a GPU bfloat16",
    ),
]
MinSteps = Annotated[Count, Option("Shorter responses are left out.", name="min-steps")]
RandomWeights = Annotated[bool, Option("Only its architecture, with weights drawn by the seed.")]
Revision = Annotated[str | None, Option("Revision of a hub model.")]
Subject = Annotated[str, Option(SUBJECT, argument=True, main=True)]
System = Annotated[str | None, Option("System prompt.")]
TensorParallel = Annotated[
    Count,
    Option("Processes that hold the model together, each on a GPU of its own.", name="tensor-parallel"),
]


def check_divided(tensor_parallel: int, device: str | None) -> None:
    """Raises UsageError for several processes on one GPU."""
    if tensor_parallel > 1 and device is not None and device.removeprefix("cuda:").isdecimal():
        raise UsageError(
            f"device {device} is one GPU, and tensor-parallel {tensor_parallel} needs one for each process",
            "give cuda, or cpu",
        )


class Item(Struct, frozen=True):
    """A prompt. category: '' when its set has no categories. response: the text to replay; None if the subject answers.
    messages: (role, content) of each, if the prompt is a conversation; text has them written out."""

    id: str
    category: str
    text: str
    response: str | None = None
    messages: tuple[tuple[str, str], ...] = ()

    @property
    def asked(self) -> str | tuple[tuple[str, str], ...]:
        """The prompt as the subject gets it."""
        return self.messages or self.text


class Control(Struct, frozen=True):
    """The capture that this one controls, how (terms.CONTROLS), and the seed of its weights."""

    capture: str
    how: str
    seed: int


class CaptureRequest(Request, frozen=True, kw_only=True):
    """The options of `run` and `capture`."""

    COMMAND: ClassVar[str] = "capture"

    subject: Subject
    tasks: Annotated[str, Option("Task set, or a .jsonl, .csv, .txt file.", main=True)] = TASKS
    prompts: Annotated[Count | None, Option("How many, evenly from the categories.", told="all", main=True)] = None
    steps: Annotated[Count, Option("Most tokens generated.", main=True)] = 100
    min_steps: MinSteps = 20
    kinds: Annotated[
        tuple[str, ...],
        Option(f"Of {', '.join(terms.UNIT_KINDS)}.", name="kind", choices=terms.UNIT_KINDS, what="unit kind"),
    ] = terms.HEADS
    batch: Batch = None
    dtype: Dtype = None
    tensor_parallel: TensorParallel = 1
    chat: Chat = True
    system: System = None
    temperature: Annotated[float, Meta(ge=0), Option("Temperature of sampling; 0 is greedy.")] = 0.0
    top_p: Annotated[float, Meta(gt=0, le=1), Option("Share of probability drawn from.")] = 1.0
    replay: Annotated[
        str | None, Option("Replay the tokens of a run, or of a .jsonl of text and response.", metavar="RUN|FILE")
    ] = None
    revision: Revision = None
    revisions: Annotated[tuple[str, ...], Option("Several revisions of one training, with commas.")] = ()
    adapter: Adapter = None
    random_weights: RandomWeights = False
    weights_seed: Annotated[Seed | None, Option("Seed of random weights.", told="the seed")] = None
    allow_pickle: AllowPickle = False
    allow_remote_code: AllowCode = False

    def agree(self) -> None:
        """Raises UsageError."""
        if self.steps < self.min_steps:
            raise UsageError(
                f"steps {self.steps} is below min-steps {self.min_steps}: no response would be analysed",
                "raise steps or lower min-steps",
            )
        if not self.kinds:
            raise UsageError("no unit kind ''", f"known: {', '.join(terms.UNIT_KINDS)}")
        if self.weights_seed is not None and not self.random_weights:
            raise UsageError("weights-seed draws random weights", "add --random-weights")
        check_divided(self.tensor_parallel, self.device)
        if self.replay and (self.prompts is not None or self.system is not None or self.temperature):
            raise UsageError("a replay has its prompts and tokens", "leave out prompts, system and temperature")
        if self.revision and self.revisions:
            raise UsageError("revision and revisions do not go together", "give one of them")


class CaptureSpec(CaptureRequest, Spec, frozen=True, kw_only=True):
    """source: where the subject is. weights: what tells its weights from others in the same place; None if the source
    itself does. data: folder of the built-in subjects. items: its prompts, `prompts` of them. replayed: the capture
    whose tokens it replays, or the name of the file with responses. trajectory, training_step: of one of several
    checkpoints. ladder: the command that makes the whole ladder, if the prompts belong to one."""

    KIND: ClassVar[str] = "capture"
    REQUEST: ClassVar[type[Request]] = CaptureRequest
    LETTER: ClassVar[str] = "c"
    NOT_WHAT: ClassVar[frozenset[str]] = frozenset(
        {
            "subject",
            "adapter",
            "tasks",
            "task_set",
            "tasks_hash",
            "prompts",
            "batch",
            "tensor_parallel",
            "replay",
            "revision",
            "revisions",
            "data",
        }
        | {"random_weights", "weights_seed", "allow_pickle", "allow_remote_code", "control", "ladder"}
        | {"trajectory", "training_step"}
    )
    TABLES: ClassVar[tuple[str, ...]] = (
        "subjects",
        "captures",
        "prompts",
        "responses",
        "units",
        "controls",
        "recipes",
    )

    source: Source
    weights: str | None = None
    data: str
    task_set: str
    tasks_hash: str
    items: tuple[Item, ...]
    replayed: str | None = None
    control: Control | None = None
    trajectory: str | None = None
    training_step: int | None = None
    ladder: str | None = None

    @property
    def processes(self) -> int:
        """The number of processes that hold the subject together."""
        return self.tensor_parallel

    @property
    def from_run(self) -> bool:
        """Whether it replays the tokens of another capture."""
        return self.replayed is not None and all(one.response is None for one in self.items)

    def identity(self) -> dict[str, Any]:
        """As for other specs, but a subject counts neither by its name nor by its shape, and prompts that are texts
        keep the form that they had before there were conversations."""
        one = self.source
        found = super().identity() | {"source": [one.kind, one.place, one.revision, one.weights_seed]}
        for item in found["items"]:
            if not item["messages"]:
                del item["messages"]
        return found

    @property
    def parents(self) -> tuple[str, ...]:
        """The capture whose tokens it replays."""
        return (self.replayed,) if self.replayed is not None and self.from_run else ()

    def remake(self) -> str:
        """The command of the ladder, if it is a part of one."""
        return self.ladder or self.command()
