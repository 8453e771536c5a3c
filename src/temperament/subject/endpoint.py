"""Subjects behind an OpenAI-compatible server."""

import contextlib
import hashlib
import json
import os
import ssl
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TypeVar

import httpx
import msgspec
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from temperament.errors import EndpointError, RequestError
from temperament.record import Generation
from temperament.subject.base import Conversation, Progress, Reply, Subject
from temperament.subject.pace import Pace

KEY_VARIABLES = ("TEMPERAMENT_API_KEY", "OPENAI_API_KEY")
ATTEMPTS = 5
AT_ONCE = 4
LONGEST_WAIT_S = 120.0
SHORTEST_KEY = 8  # shorter ones stand for none, such as the EMPTY of local servers
Answer = TypeVar("Answer", bound=msgspec.Struct)


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


class _BusyError(Exception):
    """Worth another attempt: the server is busy, or failed, or was silent."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class _UnreachableError(_BusyError):
    """Nobody listens at the address."""


class _RejectedError(Exception):
    """The server understood and says no; another attempt would hear the same."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class EndpointSubject(Subject):
    """A model that is asked over HTTP, by the chat completions protocol.

    The key is read from ``TEMPERAMENT_API_KEY`` or ``OPENAI_API_KEY`` at every call and kept nowhere.

    Attributes:
        base: the address without the model's name, as in ``http://localhost:8000/v1``.
        model: the name of the model on the server.

    Args:
        address: ``URL#MODEL``, or ``URL`` where the server has one model only.
        first_wait_s: before the second attempt, in seconds; it doubles with every other. A server's Retry-After
            goes before it.
        timeout_s: for one answer, in seconds.
        per_minute: calls that the server allows, attempts that failed among them; None sets no limit.

    Raises:
        RequestError: the address is not one, names no model where the server has several, or the limit is no limit.
        EndpointError: the server was asked for its models and did not answer as it should.
    """

    def __init__(
        self, address: str, *, first_wait_s: float = 0.5, timeout_s: float = 120.0, per_minute: float | None = None
    ) -> None:
        super().__init__()
        base, _, model = address.partition("#")
        self.name = address
        self.precision = "remote"
        self.base = _checked(base)
        self._first_wait_s = first_wait_s
        self._timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0))
        self._has_answered = False
        self._pace = Pace(per_minute)
        self.model = model or self._only_model()
        self.fingerprint = hashlib.sha256(f"endpoint\x1f{self.base}\x1f{self.model}".encode()).hexdigest()

    def _reply(
        self,
        conversations: Sequence[Conversation],
        seeds: Sequence[int],
        generation: Generation,
        progress: Progress,
    ) -> list[Reply]:
        if generation.repetition_penalty != 1.0:
            message = (
                f"a repetition penalty of {generation.repetition_penalty:g} was asked of {self.base}: the protocol of "
                f"endpoints has none. Leave it at 1, or use a model with its weights at hand."
            )
            raise RequestError(message)
        bodies = [self._body(turns, seed, generation) for turns, seed in zip(conversations, seeds, strict=True)]
        replies: dict[int, Reply] = {}
        with self._client() as client:
            # One row goes ahead alone, so that a wrong key or name is one request and one error.
            ahead = 0 if self._has_answered else min(1, len(bodies))
            for row in range(ahead):
                replies[row] = self._ask(client, bodies[row])
                progress(len(replies), len(bodies))
            with _pool() as pool:
                rows = {pool.submit(self._ask, client, bodies[row]): row for row in range(ahead, len(bodies))}
                for future in as_completed(rows):
                    replies[rows[future]] = future.result()
                    progress(len(replies), len(bodies))
        return [replies[row] for row in range(len(bodies))]

    def _body(self, conversation: Conversation, seed: int, generation: Generation) -> dict[str, object]:
        return {
            "model": self.model,
            "messages": list(conversation),
            "temperature": generation.temperature,
            "top_p": generation.top_p,
            "max_tokens": generation.max_new_tokens,
            "seed": seed % 2**31,
        }

    def _ask(self, client: httpx.Client, body: dict[str, object]) -> Reply:
        prompt = json.dumps(body["messages"], ensure_ascii=False)
        try:
            answer = self._call(client, "POST", "chat/completions", body)
            completion = _decoded(answer, _Completion)
        except _UnreachableError as error:
            raise EndpointError(self._dead(error)) from None
        except _RejectedError as error:
            # Before anything was answered it is the request; later, without these codes, it is this one row.
            if not self._has_answered or error.code in {401, 403, 404}:
                raise EndpointError(self._refusal(error)) from None
            return Reply(None, prompt, error=str(error))
        except _BusyError as error:
            return Reply(None, prompt, error=f"{error}, at each of {ATTEMPTS} attempts", is_unavailable=True)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Reply(None, prompt, error=_without_key(f"the server's answer is malformed: {error}"))
        return self._read(completion, prompt)

    def _read(self, completion: _Completion, prompt: str) -> Reply:
        usage = completion.usage or _Usage()
        tokens, prompt_tokens = usage.completion_tokens, usage.prompt_tokens
        if not completion.choices:
            return Reply(None, prompt, tokens, error="the server's answer has no choices", prompt_tokens=prompt_tokens)
        choice = completion.choices[0]
        if choice.message.content is None:
            reason = f"the server's answer has no text (it ended by '{choice.finish_reason}')"
            return Reply(None, prompt, tokens, error=reason, prompt_tokens=prompt_tokens)
        self._has_answered = True
        is_finished = None if choice.finish_reason is None else choice.finish_reason == "stop"
        return Reply(choice.message.content, prompt, tokens, is_finished, prompt_tokens=prompt_tokens)

    def _only_model(self) -> str:
        try:
            with self._client() as client:
                names = [model.id for model in _decoded(self._call(client, "GET", "models"), _Models).data]
        except _UnreachableError as error:
            raise EndpointError(self._dead(error)) from None
        except _RejectedError as error:
            raise EndpointError(self._refusal(error)) from None
        except (_BusyError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            message = _without_key(
                f"{self.base} was asked for its models and did not give a list: {error}. Name the model yourself: "
                f"{self.base}#MODEL."
            )
            raise EndpointError(message) from None
        if len(names) != 1:
            listed = f"{len(names)} models: {', '.join(names)}" if names else "no model"
            message = f"{self.base} has {listed}. Name one after '#': {self.base}#{names[0] if names else 'MODEL'}."
            raise RequestError(message)
        return names[0]

    def _client(self) -> httpx.Client:
        return httpx.Client(headers=_headers(), timeout=self._timeout, verify=_certificates())

    def _call(
        self, client: httpx.Client, verb: str, path: str, body: dict[str, object] | None = None
    ) -> httpx.Response:
        def send() -> httpx.Response:
            self._pace.wait()
            try:
                return _sent(client, verb, f"{self.base}/{path}", body)
            except _BusyError as error:
                # The server asks this of everybody, not of one row.
                self._pace.hold(min(error.wait_s or 0.0, LONGEST_WAIT_S))
                raise

        attempts = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=self._wait_s,
            retry=retry_if_exception(self._is_worth_another),
            sleep=time.sleep,
            reraise=True,
        )
        return attempts(send)

    def _is_worth_another(self, error: BaseException) -> bool:
        # Nobody at the address before the first answer is a wrong address: say so at once.
        return isinstance(error, _BusyError) and (self._has_answered or not isinstance(error, _UnreachableError))

    def _wait_s(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait_s if isinstance(error, _BusyError) else None
        wait = self._first_wait_s * 2 ** (state.attempt_number - 1) if asked is None else asked
        return min(wait, LONGEST_WAIT_S)

    def _dead(self, error: Exception) -> str:
        return _without_key(
            f"{self.base} was asked and cannot be reached: {error}. Check the address and that the server runs."
        )

    def _refusal(self, error: _RejectedError) -> str:
        advice = {
            401: f"Put the right key into the environment variable {KEY_VARIABLES[0]}.",
            403: f"Put a key that may use this model into the environment variable {KEY_VARIABLES[0]}.",
            404: "Check the model's name after '#', and that the address ends as the server's do (most end in /v1).",
        }.get(error.code, "Check the model's name and the settings of the generation.")
        model = f"the model '{self.model}'" if hasattr(self, "model") else "the list of models"
        return f"{self.base} was asked for {model}: {error}. {advice}"


@contextlib.contextmanager
def _pool() -> Generator[ThreadPoolExecutor]:
    """Threads that start no waiting row after the block has failed."""
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust, read once: it takes a tenth of a second or more, and a client may be made for every request."""
    return httpx.create_ssl_context()


def _checked(base: str) -> str:
    try:
        url = httpx.URL(base)
    except httpx.InvalidURL as error:
        message = f"'{base}' is not an address: {error}. Give one such as http://localhost:8000/v1#MODEL."
        raise RequestError(message) from None
    if url.userinfo or url.query:
        # Not quoted: what stands there may be a key, and the address goes into every record.
        message = (
            f"the address of {url.host} holds a name, a key or a part after '?': addresses are written into records. "
            f"Give URL#MODEL, and the key in the environment variable {KEY_VARIABLES[0]}."
        )
        raise RequestError(message)
    if url.scheme not in {"http", "https"} or not url.host:
        message = f"'{base}' is not an address: give one such as http://localhost:8000/v1#MODEL."
        raise RequestError(message)
    return base.rstrip("/")


def _sent(client: httpx.Client, verb: str, url: str, body: dict[str, object] | None) -> httpx.Response:
    try:
        response = client.request(verb, url, json=body)
    except httpx.ConnectError as error:
        raise _UnreachableError(_without_key(str(error))) from None
    except httpx.TimeoutException:
        reason = "the server did not answer in time"
        raise _BusyError(reason) from None
    except httpx.TransportError as error:
        raise _BusyError(_without_key(f"the connection failed ({error})")) from None
    if response.status_code in {408, 429} or response.status_code >= 500:
        reason = _without_key(f"the server answered {response.status_code}: {_excerpt(response)}")
        raise _BusyError(reason, _retry_after_s(response))
    if not response.is_success:
        reason = _without_key(f"the server answered {response.status_code}: {_excerpt(response)}")
        raise _RejectedError(response.status_code, reason)
    return response


def _decoded(response: httpx.Response, kind: type[Answer]) -> Answer:
    return msgspec.json.decode(response.content, type=kind)


def _excerpt(response: httpx.Response) -> str:
    text = " ".join(response.text.split())
    return text[:300] or "(no text)"


def _retry_after_s(response: httpx.Response) -> float | None:
    """The wait that the server asks for, in seconds or as a date; None where it asks for none."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (date.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _key() -> str:
    return next((value for name in KEY_VARIABLES if (value := os.environ.get(name, "").strip())), "")


def _headers() -> dict[str, str]:
    key = _key()
    if not (key.isascii() and key.isprintable()):
        message = "the key holds characters that no header may: put the right key into TEMPERAMENT_API_KEY."
        raise RequestError(message)
    return {"Authorization": f"Bearer {key}"} if key else {}


def _without_key(text: str) -> str:
    # Some servers quote the key that they refuse, and errors are written into records.
    key = _key()
    return text.replace(key, "[key]") if len(key) >= SHORTEST_KEY else text
