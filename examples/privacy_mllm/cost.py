"""What a run will take, before anything is asked: calls, HTTP attempts, tokens, money and hours."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field, fields

from privacy_mllm.waiting import Latency, Retries, Waiting


@dataclass(frozen=True)
class Work:
    """The calls that a run makes, in rounds that wait for each other.

    Args:
        steps: Steps of the training.
        probes: Probes a step.
        batch: Clips that each probe is judged on, a call each.
        evaluation_clips: Clips that each method is judged on afterwards.
        questions: Questions about each of these.
        methods: Methods that are judged; each is a round of its own.
        step_seconds: Local seconds a step, in which nothing is asked.
        call_seconds: Local seconds that each training call adds to them, such as for the pictures that it shows.

    Raises:
        ValueError: If a value is negative.
    """

    steps: int
    probes: int = 2
    batch: int = 16
    _: KW_ONLY
    evaluation_clips: int = 0
    questions: int = 1
    methods: int = 1
    step_seconds: float = 0.0
    call_seconds: float = 0.0

    def __post_init__(self) -> None:
        """Check the values."""
        _check_not_negative(self)

    @property
    def calls_per_step(self) -> int:
        """Calls of one step."""
        return self.probes * self.batch

    @property
    def training_calls(self) -> int:
        """Calls of all steps."""
        return self.steps * self.calls_per_step

    @property
    def evaluation_calls(self) -> int:
        """Calls of the judgement."""
        return self.evaluation_clips * self.questions * self.methods

    @property
    def local_seconds(self) -> float:
        """Local seconds of one step."""
        return self.step_seconds + self.call_seconds * self.calls_per_step


@dataclass(frozen=True)
class Call:
    """Tokens of one call.

    Args:
        frames: Pictures shown.
        tokens_per_picture: What the service counts for one; 85 for OpenAI's ``detail="low"``.
        prompt_tokens: Of the question and its answers to choose from.
        reply_tokens: Of the reply.

    Raises:
        ValueError: If a value is negative.
    """

    frames: int = 1
    tokens_per_picture: float = 85
    prompt_tokens: float = 150
    reply_tokens: float = 10

    def __post_init__(self) -> None:
        """Check the values."""
        _check_not_negative(self)

    @property
    def tokens_in(self) -> float:
        """Tokens sent."""
        return self.frames * self.tokens_per_picture + self.prompt_tokens


@dataclass(frozen=True)
class Terms:
    """What the service gives, and what it wants for it.

    Args:
        latency: How long an attempt takes.
        concurrency: Calls at the same time, positive.
        requests_per_minute: Attempts that may start in a minute, at even steps; 0 for no limit.
        price_in: Price of a million tokens sent, in the user's currency.
        price_out: Price of a million tokens received.
        retries: Failures and repetitions. Attempts that fail are taken to last as long as others and to be free.
        client_seconds: Seconds of this machine's processor that an attempt takes (pictures, TLS, JSON), divided by the
            number of processes that ask: no more attempts can start than it has time for.

    Raises:
        ValueError: If a value is out of range.
    """

    latency: Latency
    concurrency: int = 8
    requests_per_minute: float = 0.0
    price_in: float = 0.0
    price_out: float = 0.0
    retries: Retries = field(default_factory=Retries)
    client_seconds: float = 0.0

    def __post_init__(self) -> None:
        """Check the values."""
        _check_not_negative(self)
        if self.concurrency < 1:
            raise ValueError(f"`concurrency` must be at least 1, got {self.concurrency}.")

    @property
    def waiting(self) -> Waiting:
        """How calls wait under these terms."""
        paced = 60 / self.requests_per_minute if self.requests_per_minute else 0.0
        return Waiting(self.latency, self.concurrency, max(paced, self.client_seconds), self.retries)


@dataclass(frozen=True)
class Estimate:
    """The bill of a plan, in expectation.

    Args:
        calls: Calls, a question about a clip each.
        attempts: HTTP requests, repetitions included.
        failed: Calls that fail after all repetitions.
        tokens_in: Tokens sent and paid for.
        tokens_out: Tokens received.
        price: In the user's currency.
        training_hours: Hours of the training.
        evaluation_hours: Hours of the judgement, as far as it waits for answers.
        limit: What most of the time goes to.
    """

    calls: int
    attempts: float
    failed: float
    tokens_in: float
    tokens_out: float
    price: float
    training_hours: float
    evaluation_hours: float
    limit: str

    @property
    def hours(self) -> float:
        """Hours in all."""
        return self.training_hours + self.evaluation_hours

    def lines(self) -> list[str]:
        """The bill in words, a line each."""
        lost = f", of which about {self.failed:,.0f} fail for good" if self.failed >= 0.5 else ""
        parts = f"training {_in_words(self.training_hours)}, judgement {_in_words(self.evaluation_hours)}"
        return [
            f"calls: {self.calls:,} ({self.attempts:,.0f} HTTP requests{lost})",
            f"tokens: {self.tokens_in:,.0f} in, {self.tokens_out:,.0f} out",
            f"price: {self.price:,.2f}",
            f"time: {_in_words(self.hours)} ({parts})",
            f"limited by: {self.limit}",
        ]

    def __str__(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines())


def estimate(work: Work, call: Call, terms: Terms) -> Estimate:
    """The expected bill. Asks nothing, draws nothing at random; takes some milliseconds.

    Each step waits for its slowest call, and steps follow each other; each method's judgement is one more round. Calls
    that fail for good are not asked again, as in :class:`zoopt_mo.BlackBox`. Not counted: the local seconds of the
    judgement, calls that probe a service, and replies that are billed but cannot be used, which are calls as others.

    Args:
        work: What is asked.
        call: How much each call says.
        terms: Of the service.

    Example:
        >>> terms = Terms(Latency({0.5: 1.0, 0.95: 3.0}), concurrency=16, price_in=0.15, price_out=0.60)
        >>> print(estimate(Work(steps=120, probes=2, batch=16), Call(frames=4), terms))
        calls: 3,840 (3,840 HTTP requests)
        tokens: 1,881,600 in, 38,400 out
        price: 0.31
        time: 10 min (training 10 min, judgement 0 s)
        limited by: calls at the same time
    """
    calls = work.training_calls + work.evaluation_calls
    failed = calls * terms.retries.lost
    tokens_in, tokens_out = ((calls - failed) * tokens for tokens in (call.tokens_in, call.reply_tokens))
    waiting = terms.waiting
    step = waiting.seconds(work.calls_per_step) if work.training_calls else 0.0
    judged = work.evaluation_clips * work.questions
    judging = work.methods * waiting.seconds(judged) if work.evaluation_calls else 0.0
    training = work.steps * (step + work.local_seconds)
    per_round = work.calls_per_step if training >= judging else judged
    is_local = work.steps * work.local_seconds > (training + judging) / 2
    return Estimate(
        calls=calls,
        attempts=calls * terms.retries.attempts,
        failed=failed,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        price=(tokens_in * terms.price_in + tokens_out * terms.price_out) / 1e6,
        training_hours=training / 3600,
        evaluation_hours=judging / 3600,
        limit="this machine's own work between calls" if is_local else _limit(terms, waiting, per_round),
    )


def _limit(terms: Terms, waiting: Waiting, num_calls: int) -> str:
    """What a round of calls mostly waits for."""
    half = waiting.seconds(num_calls) / 2 if num_calls else 0.0
    turns = num_calls * waiting.interval * terms.retries.attempts
    places = num_calls * waiting.mean / terms.concurrency if num_calls > terms.concurrency else 0.0
    if turns >= max(half, places):
        paced = 60 / terms.requests_per_minute if terms.requests_per_minute else 0.0
        return "requests a minute" if paced >= terms.client_seconds else "this machine's own work for each call"
    return "calls at the same time" if places >= half else "the slowest call of each round"


def _check_not_negative(settings: Work | Call | Terms) -> None:
    for entry in fields(settings):
        value = getattr(settings, entry.name)
        if isinstance(value, (int, float)) and value < 0:
            raise ValueError(f"`{entry.name}` must not be negative, got {value}.")


def _in_words(hours: float) -> str:
    seconds = 3600 * hours
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"
