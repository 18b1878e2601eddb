"""The Hugging Face hub through its own client: reaching it, and what its refusals mean.

A model there is a model folder, file by file: nothing is packed, and nothing is read by `pickle`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from seqwise.data.hub import hub_endpoint
from seqwise.errors import ConfigurationError, FileError, SeqwiseError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
LOGIN = "set HF_TOKEN to a token of https://huggingface.co/settings/tokens, or run: hf auth login"
SECONDS = 20  # for the first answer: the client itself repeats for half a minute when there is no network


def check_name(repository: str) -> None:
    """Refuse what is no name of a repository.

    Raises:
        ConfigurationError: it is not of the form USER/NAME.
    """
    if NAME.fullmatch(repository) is None or ".." in repository or "--" in repository:
        raise ConfigurationError(
            f"a model of the hub is named USER/NAME, of letters, digits, dots, _ and -, unlike {repository[:80]!r}"
        )


def open_client(repository: str, *, writing: bool) -> Any:
    """The client, once the hub has answered.

    Args:
        repository: of which something is wanted.
        writing: whether a login is needed.

    Raises:
        ConfigurationError: there is no token, or the hub does not know it.
        FileError: the hub does not answer.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.utils import build_hf_headers, get_session

    if writing and not get_token():
        raise ConfigurationError(f"the hub wants to know who pushes: {LOGIN}")
    path = "whoami-v2" if writing else f"models/{repository}"
    with named_errors(repository, writing=writing):
        answer = get_session().get(f"{hub_endpoint()}/api/{path}", headers=build_hf_headers(), timeout=SECONDS)
        if writing:
            answer.raise_for_status()
    return HfApi(endpoint=hub_endpoint(), library_name="seqwise")


@contextmanager
def named_errors(repository: str, *, writing: bool, revision: str | None = None) -> Iterator[None]:
    """Turn what the client raises into one sentence.

    Args:
        repository: that is read or written.
        writing: which of the two.
        revision: that was asked for.

    Raises:
        ConfigurationError: the token or its rights are not enough, or the name or revision is wrong.
        FileError: the hub cannot be reached, or answers with an error of its own.
    """
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        yield
    except SeqwiseError:
        raise
    except RevisionNotFoundError:
        raise ConfigurationError(f"{repository} has no revision {revision!r}") from None
    except GatedRepoError:
        raise ConfigurationError(
            f"{repository} is given only to those whom its owner lets in: ask on {hub_endpoint()}/{repository}, then {LOGIN}"
        ) from None
    except RepositoryNotFoundError as error:
        if _status(error) == 401 and writing:
            raise ConfigurationError(_unknown_token()) from None
        raise ConfigurationError(
            f"there is no model {repository} on {hub_endpoint()}, or it is private and this login may not see it ({LOGIN})"
        ) from None
    except Exception as error:  # the transport's errors have no base in common with the client's, and change with it
        status = _status(error)
        if status == 401:
            raise ConfigurationError(_unknown_token()) from None
        if status == 403:
            what = "write to" if writing else "read"
            raise ConfigurationError(
                f"this login may not {what} {repository}: the token needs that right, and {repository.split('/')[0]} must "
                "be you or an organisation that you belong to"
            ) from None
        if status == 429:
            raise FileError(
                f"{hub_endpoint()} has had too many requests from here: try again in some minutes"
            ) from None
        reason = (str(error).strip().splitlines() or [""])[0] or type(error).__name__
        done = "pushed" if writing else "pulled"
        raise FileError(f"{repository} cannot be {done}: {hub_endpoint()}: {reason}") from error


def _status(error: BaseException) -> int | None:
    """The status that the server answered with, if that is what went wrong, here or in what caused it."""
    while True:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status is not None:
            return int(status)
        if error.__cause__ is None:
            return None
        error = error.__cause__


def _unknown_token() -> str:
    return f"{hub_endpoint()} does not accept the token: {LOGIN}"
