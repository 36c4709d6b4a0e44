"""Object storage: what lies there, and what its errors say. S3 by itself, and whatever Arrow or fsspec reach.

A dataset there is a card and one generation of files, each save its own:

    s3://bucket/season/dataset.json                     names the generation that counts
    s3://bucket/season/save-1767225600-9f3c…/views/day=2026-03-01/part-0.parquet

A store has no renames, but puts one object whole or not at all. So the card is put last, and what it named before is
taken away after: whoever is killed in between leaves the old dataset readable, or the new one.
"""

from __future__ import annotations

import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
from pyarrow import fs

from spnb.errors import InvalidInput, TableError

__all__ = ["GENERATION", "ObjectFile", "Objects", "fetched", "new_generation", "object_named", "objects_at"]

ADDRESS = re.compile(r"^(s3|gs|gcs|abfss?)://", re.IGNORECASE)
OPTIONS = ("region", "endpoint_override", "scheme", "anonymous")
GENERATION = "save-"
"""What the folders of generations begin with."""
LEFT_FOR = timedelta(days=1)
"""What a save that was cut off has left lies as long, for it might be one that still runs."""
AT_ONCE = 8
PIECE = 1 << 23
CONNECT_SECONDS = 10.0
REASONS: tuple[tuple[str, str], ...] = (
    (
        r"OAuth2 access token|UNAUTHENTICATED|AuthenticationException|Failed to get token",
        "there are no keys for it that are accepted: Google's are found by GOOGLE_APPLICATION_CREDENTIALS, Azure's by "
        "AZURE_CLIENT_ID and what goes with it; or give filesystem=, pyarrow's or fsspec's",
    ),
    (r"NO_SUCH_BUCKET|NoSuchBucket|Bucket .* not found", "there is no such bucket"),
    (
        r"INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH|INVALID_CLIENT_TOKEN|EXPIRED_TOKEN|InvalidToken|"
        r"UNRECOGNIZED_CLIENT|MISSING_AUTHENTICATION|No response body.*40[13]",
        "its keys are not accepted: look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws",
    ),
    (
        r"ACCESS_DENIED|AccessDenied|Forbidden|HTTP status 403",
        "access is denied: its keys, or none, may not do this there",
    ),
    (r"PERMANENT_REDIRECT|HTTP status 301", "the bucket is in another region: name it, AWS_REGION=… or ?region=…"),
    (
        r"NETWORK_CONNECTION|curlCode|ENDPOINT_RESOLUTION|[Cc]onnection|[Tt]imed? ?out",
        "it cannot be reached: look at the network, AWS_ENDPOINT_URL and the region",
    ),
)


@dataclass(frozen=True, slots=True)
class ObjectFile:
    """One object, to be read."""

    place: Objects
    name: str

    def __str__(self) -> str:
        return f"{self.place}/{self.name}"

    def open(self) -> Any:
        """As Arrow reads files."""
        with self.place.told():
            return self.place.filesystem.open_input_file(f"{self.place.path}/{self.name}")


@dataclass(frozen=True, slots=True, repr=False)
class Objects:
    """A place on object storage, and what lies below it.

    Attributes:
        address: as it may be shown.
        path: bucket and key, as Arrow names them.
        filesystem: Arrow's.
    """

    address: str
    path: str
    filesystem: Any

    def __str__(self) -> str:
        return self.address

    __repr__ = __str__

    @contextmanager
    def told(self) -> Iterator[None]:
        """What a store says of an error, in words; none of it may hold a key, so nothing of it is repeated."""
        try:
            yield
        except FileNotFoundError:
            raise TableError(f"{self.address} was written anew or removed meanwhile: load it again") from None
        except (OSError, pa.ArrowException) as error:
            said = str(error)
            found = (reason for pattern, reason in REASONS if re.search(pattern, said))
            code = re.search(r"AWS Error ([A-Z_]+)", said)
            other = f"the store refuses it ({code[1] if code else type(error).__name__})"
            raise TableError(f"{self.address}: {next(found, other)}") from None

    def infos(self) -> Mapping[str, Any]:
        """All objects below, by name."""
        with self.told():
            below = fs.FileSelector(self.path, recursive=True, allow_not_found=True)
            found = self.filesystem.get_file_info(below)
        return {info.path[len(self.path) :].lstrip("/"): info for info in found if info.type == fs.FileType.File}

    def is_object(self) -> bool:
        """Whether the place is one object itself."""
        with self.told():
            return bool(self.filesystem.get_file_info(self.path).type == fs.FileType.File)

    def read(self, name: str) -> bytes | None:
        """A small object; None where there is none."""
        try:
            with self.filesystem.open_input_file(f"{self.path}/{name}") as file:
                made: bytes = file.readall()
                return made
        except FileNotFoundError:
            return None
        except (OSError, pa.ArrowException):
            with self.told():
                raise

    def put(self, name: str, content: bytes | Path) -> None:
        """Put one object, whole or not at all."""
        place = f"{self.path}/{name}" if name else self.path
        with self.told():
            if _has_folders(self.filesystem):
                self.filesystem.create_dir(place.rpartition("/")[0], recursive=True)
            if isinstance(content, bytes):
                with self.filesystem.open_output_stream(place) as out:
                    out.write(content)
                return
            with content.open("rb") as file, self.filesystem.open_output_stream(place) as out:
                while piece := file.read(PIECE):
                    out.write(piece)

    def fetch(self, name: str, file: Path) -> None:
        """Fetch one object to a file."""
        file.parent.mkdir(parents=True, exist_ok=True)
        path = f"{self.path}/{name}" if name else self.path
        with self.told(), self.filesystem.open_input_stream(path) as source, file.open("wb") as out:
            while piece := source.read(PIECE):
                out.write(piece)

    def remove(self, names: Iterable[str]) -> None:
        """Take objects away; one that is gone already is none the less gone."""

        def gone(name: str) -> None:
            try:
                self.filesystem.delete_file(f"{self.path}/{name}")
            except FileNotFoundError:
                return

        with self.told():
            _each(gone, names)

    def save(self, draft: Path, name: str, card: bytes, generation: str, before: str | None) -> None:
        """Put a generation of files, then the card that names it; then take away what counted before.

        Args:
            draft: the folder the files are in.
            name: what the card is called.
            card: its text.
            generation: the generation's name.
            before: the generation that counted.
        """
        files = {f"{generation}/{file.relative_to(draft).as_posix()}": file for file in draft.rglob("*.parquet")}
        _each(lambda name: self.put(name, files[name]), files)
        there = self.infos()
        if lost := [
            name for name, file in files.items() if name not in there or there[name].size != file.stat().st_size
        ]:
            raise TableError(f"{self.address}/{lost[0]} did not arrive whole: what was there before still counts")
        self.put(name, card)
        old = datetime.now(UTC) - LEFT_FOR

        def over(name: str, info: Any) -> bool:
            head = name.partition("/")[0]
            if head == generation or not head.startswith(GENERATION):
                return False
            return head == before or (info.mtime is not None and info.mtime < old)

        self.remove(name for name, info in there.items() if over(name, info))


def new_generation() -> str:
    """A name that no other save has."""
    return f"{GENERATION}{int(time.time())}-{secrets.token_hex(8)}"


def _each(work: Callable[[str], None], names: Iterable[str]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as workers:
        for _ in workers.map(work, names):
            pass


def objects_at(source: Any, filesystem: Any = None) -> Objects | None:
    """The place on object storage that a source names; None where it is a path of this machine.

    Args:
        source: `s3://bucket/season`; with `filesystem` its own path too. `region`, `endpoint_override`, `scheme` and
            `anonymous` may follow as a query.
        filesystem: pyarrow's or fsspec's; without it keys and endpoint are those of AWS's own variables and files.

    Raises:
        InvalidInput: the address holds keys, or is none.
    """
    if not isinstance(source, (str, Path)):
        return None
    text = str(source)
    if not ADDRESS.match(text):
        if filesystem is None:
            return None
        path = text.strip("/") if not isinstance(filesystem, fs.LocalFileSystem) else text.rstrip("/")
        return Objects(text, _path_in(filesystem, text, path), _arrow(filesystem))
    parts = urlsplit(text)
    kind = parts.scheme.lower()
    told = dict(parse_qsl(parts.query))
    if "@" in parts.netloc and (kind in ("s3", "gs", "gcs") or ":" in parts.netloc.partition("@")[0]):
        raise InvalidInput(
            "an address with keys in it would be kept in notebooks and logs: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or give filesystem=pyarrow.fs.S3FileSystem(…)"
        )
    if unknown := [name for name in told if name not in OPTIONS]:
        raise InvalidInput(f"an address takes {', '.join(OPTIONS)}, not {', '.join(unknown)}")
    path = f"{parts.netloc}{parts.path}".rstrip("/")
    made = Objects(f"{kind}://{path}", path, None)
    if not parts.netloc:
        raise InvalidInput(f"{made} names no bucket: s3://bucket/season")
    if filesystem is not None:
        return Objects(made.address, _path_in(filesystem, made.address, path), _arrow(filesystem))
    with made.told():
        if kind == "s3":
            return Objects(made.address, path, _s3(parts.netloc, told))
        if kind in ("gs", "gcs"):  # which by itself tries for a quarter of an hour
            text += f"{'&' if parts.query else '?'}retry_limit_seconds={CONNECT_SECONDS:g}"
        return Objects(made.address, path, fs.FileSystem.from_uri(text)[0])


def _s3(bucket: str, told: Mapping[str, str]) -> Any:
    endpoint = (
        told.get("endpoint_override") or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    )
    region = told.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if region is None and not endpoint:
        region = fs.resolve_s3_region(bucket)
    given: dict[str, Any] = {"region": region, "connect_timeout": CONNECT_SECONDS, "allow_delayed_open": True}
    if endpoint:
        scheme, _, host = endpoint.rpartition("://")
        given |= {"endpoint_override": host.rstrip("/"), "scheme": told.get("scheme") or scheme or "https"}
    if told.get("anonymous", "").lower() in ("1", "true", "yes"):
        given["anonymous"] = True
    return fs.S3FileSystem(**given)


def _path_in(filesystem: Any, address: str, path: str) -> str:
    """The path as the file system itself names it in what it lists: fsspec's differ in their first slash."""
    if not _is_fsspec(filesystem):
        return path
    kinds = filesystem.protocol if isinstance(filesystem.protocol, (tuple, list)) else (filesystem.protocol,)
    known = address.partition("://")[0] in kinds or "://" not in address
    return str(filesystem._strip_protocol(address if known else path)).rstrip("/")


def _has_folders(filesystem: Any) -> bool:
    """Whether folders must be made: a disk's, where a store's would be objects of no use."""
    handled = getattr(getattr(filesystem, "handler", None), "fs", None)
    return isinstance(filesystem, fs.LocalFileSystem) or "file" in getattr(handled, "protocol", ())


def _is_fsspec(filesystem: Any) -> bool:
    return hasattr(filesystem, "_strip_protocol") and hasattr(filesystem, "_open")


def _arrow(filesystem: Any) -> Any:
    if isinstance(filesystem, fs.FileSystem):
        return filesystem
    if _is_fsspec(filesystem):
        return fs.PyFileSystem(fs.FSSpecHandler(filesystem))
    raise InvalidInput(f"filesystem is pyarrow's or fsspec's, not {type(filesystem).__name__}")


@contextmanager
def fetched(place: Objects, names: Iterable[str]) -> Iterator[Path]:
    """Objects as files of this machine, while the block lasts: a folder, or the one file that the place is."""
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / (place.path.rpartition("/")[2] or "objects")
        wanted = list(names)
        if wanted == [""]:
            place.fetch("", local)
        else:
            _each(lambda name: place.fetch(name, local / name), wanted)
        yield local


@contextmanager
def object_named(source: str | Path, filesystem: Any = None) -> Iterator[Path]:
    """A file to write that goes where the address says when the block ends well; a path of this machine is itself."""
    place = objects_at(source, filesystem)
    if place is None:
        yield Path(source)
        return
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / place.path.rpartition("/")[2]
        yield local
        place.put("", local)
