"""Uploads: images for thumbnails and avatars, and their addresses."""

from __future__ import annotations

from pathlib import Path

import anyio.to_thread
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from spnb.sandbox.clock import new_id
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rooms.ports import Json

__all__ = ["routes"]


class AltText(BaseModel):
    altText: str = Field(max_length=1000)


IMAGES = {"png": "image/png", "jpeg": "image/jpeg", "jpg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
SIGNATURES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}


def routes(services: Services) -> list[BaseRoute]:
    """File routes. A file's own address is open to who knows it: its id is random and it holds no secret."""

    async def content(request: Request) -> Response:
        file_id = request.path_params["fileId"]
        document = services.store.files.get(file_id)
        if document is None:
            return Response(status_code=404)
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=86400"}
        return FileResponse(_folder(services) / file_id, media_type=document["attributes"]["mimeType"], headers=headers)

    return [
        serve(services, "POST", "/api/v4/images", upload_image),
        serve(services, "POST", "/api/v4/files", upload_file),
        serve(services, "POST", "/api/v4/videos", upload_video),
        serve(services, "POST", "/api/v4/clips", upload_clip),
        serve(services, "POST", "/api/v4/audios", upload_audio),
        serve(services, "GET", "/api/v3/files/{fileId}", one),
        serve(services, "PUT", "/api/v3/files/{fileId}", update),
        serve(services, "DELETE", "/api/v3/files/{fileId}", delete),
        serve(services, "GET", "/api/v3/files/{fileId}/download", download),
        Route("/files/{fileId}", content, methods=["GET"]),
    ]


def _folder(services: Services) -> Path:
    return services.settings.data_dir / "files"


async def upload_image(call: Call) -> list[Json]:
    """Keep an image; a bare array is answered, as the service does."""
    return [await _keep(call, images_only=True)]


async def upload_file(call: Call) -> list[Json]:
    """Keep any file."""
    return [await _keep(call, images_only=False)]


async def upload_video(call: Call) -> list[Json]:
    """Keep a video (SDK: `FileRepository.uploadVideo`); what it is, is not looked at."""
    return [await _keep(call, images_only=False, kept_as="video")]


async def upload_clip(call: Call) -> list[Json]:
    """Keep a clip (SDK: `FileRepository.uploadClip`)."""
    return [await _keep(call, images_only=False, kept_as="clip")]


async def upload_audio(call: Call) -> list[Json]:
    """Keep a piece of sound (SDK: `FileRepository.uploadAudio`)."""
    return [await _keep(call, images_only=False, kept_as="audio")]


async def _keep(call: Call, *, images_only: bool, kept_as: str | None = None) -> Json:
    try:
        form = await call.request.form(max_files=1, max_fields=10)
    except MultiPartException as error:
        raise Refused.bad_request(f"The upload is no multipart form: {error.message}") from None
    upload = form.get("file") or form.get("files")
    if not isinstance(upload, UploadFile):
        raise Refused.invalid(["file is required"])
    limit = call.services.settings.upload_limit_bytes
    content = await upload.read(limit + 1)
    if len(content) > limit:
        raise Refused(413, 500000, f"The file is over {limit} bytes")
    kind = next((kind for mark, kind in SIGNATURES.items() if content.startswith(mark)), None)
    if images_only and kind is None:
        raise Refused.bad_request("The file is no PNG, JPEG, GIF or WebP image")
    file_id, at = new_id(), call.store.now()
    folder = _folder(call.services)
    await anyio.to_thread.run_sync(_write, folder / file_id, content)
    # Content decides the type, never the sender's word: nothing uploaded is ever served as a page.
    mime = IMAGES[kind] if kind else "application/octet-stream"
    name = Path(str(form.get("preferredFilename") or upload.filename or "file")).name[:1024]
    attributes = {
        "name": name,
        "extension": kind or Path(name).suffix.lstrip("."),
        "size": len(content),
        "mimeType": mime,
        "metadata": {},
    }
    document = {
        "fileId": file_id,
        "fileUrl": f"{call.base_url}/files/{file_id}",
        "type": kept_as or ("image" if kind else "file"),
        "userId": call.user_id,
        "accessType": "network",
        "altText": str(form.get("altText") or ""),
        "attributes": attributes,
        "createdAt": at,
        "updatedAt": at,
    }
    return call.store.files.insert(document)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _file(call: Call) -> Json:
    file_id = call.path("fileId")
    document = call.store.files.get(file_id)
    if document is None:
        raise Refused.not_found(f"File {file_id!r}")
    return {**document, "fileUrl": f"{call.base_url}/files/{file_id}"}


async def one(call: Call) -> Json:
    """What is known of a file, bare: the specification wraps it, SDK 7.20 reads it as it is."""
    return _file(call)


async def update(call: Call) -> Json:
    """Change the alternative text of the caller's file (SDK: `FileRepository.updateAltText`)."""
    document = _file(call)
    if document["userId"] != call.user_id:
        raise Refused.forbidden("Only who uploaded a file may change it")
    changed = {**document, "altText": call.read(AltText).altText, "updatedAt": call.store.now()}
    return call.store.files.save(changed)


async def delete(call: Call) -> Json:
    """Remove the caller's file."""
    document = _file(call)
    if document["userId"] != call.user_id:
        raise Refused.forbidden("Only who uploaded a file may delete it")
    call.store.files.delete(document["fileId"])
    await anyio.to_thread.run_sync(lambda: (_folder(call.services) / document["fileId"]).unlink(missing_ok=True))
    return {"success": True}


async def download(call: Call) -> Response:
    """Redirect to the content."""
    return RedirectResponse(_file(call)["fileUrl"], status_code=302)
