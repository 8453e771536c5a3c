"""What asking a server has cost, and what it will."""

from dataclasses import dataclass

CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True)
class Cost:
    """What replies have cost.

    Attributes:
        calls: requests that had an outcome.
        prompt_tokens: read by the model.
        completion_tokens: written by it.
        estimated_calls: of which the server reported no tokens; four characters were taken for one.
        cached_calls: requests that were answered from what is kept, and cost nothing; not among ``calls``.
    """

    calls: int
    prompt_tokens: int
    completion_tokens: int
    estimated_calls: int
    cached_calls: int = 0

    @property
    def tokens(self) -> int:
        """Read and written."""
        return self.prompt_tokens + self.completion_tokens

    def price(self, prompt: float, completion: float) -> float:
        """What it costs in the currency of two prices for a million tokens, of the prompt and of the completion."""
        return (self.prompt_tokens * prompt + self.completion_tokens * completion) / 1e6

    def __str__(self) -> str:
        text = f"{self.calls} calls, {self.prompt_tokens} tokens read, {self.completion_tokens} written"
        if self.cached_calls:
            text = f"{self.cached_calls} answers kept from before, {text}"
        if not self.estimated_calls:
            return f"{text}, as reported"
        which = "all" if self.estimated_calls == self.calls else f"{self.estimated_calls} calls"
        return f"{text} (in part estimated, for {which}: their tokens were not reported)"


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has."""
    return -(-len(text) // CHARACTERS_A_TOKEN)
