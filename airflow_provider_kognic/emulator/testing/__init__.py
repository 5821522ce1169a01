"""The emulator for tests: on a real socket, in a thread or a process of its own."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.api.auth import TOKEN_PATH
from airflow_provider_kognic.emulator.faults.settings import Settings
from airflow_provider_kognic.emulator.serving.server import Options
from airflow_provider_kognic.emulator.testing.running import InProcess, InThread


class Emulator:
    """A running emulator and its switches; made by ``running_emulator``.

    Every method that talks to it raises ``httpx.HTTPStatusError`` when the emulator refuses.

    Attributes:
        client_id: Credentials that the emulator knows.
        client_secret: Their secret.
        dataset_uuid: The demo dataset, when it was seeded.
        database: The file that everything is kept in.
    """

    client_id = demo.CLIENT_ID
    client_secret = demo.CLIENT_SECRET
    dataset_uuid = demo.DATASET_UUID

    def __init__(self, options: Options, *, process: bool, settings: dict[str, Any]) -> None:
        self._options = options
        self._process = process
        self._settings = settings
        self._running: InThread | InProcess | None = None
        self._http: httpx.Client | None = None
        self.database = cast("Path", options.database)
        self.port = options.port
        self.start()

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end; the same for API, auth server and page."""
        return f"http://{self._options.host}:{self.port}"

    def start(self) -> None:
        """Start it again after ``stop`` or ``kill``: same port and database, faults as at the first start."""
        if self._running is not None:
            return
        options = self._options
        options = Options(**{**vars(options), "port": self.port})
        if self._process:
            self._running = InProcess(options, msgspec.json.encode(self._settings).decode())
        else:
            self._running = InThread(options)
        self.port = self._running.port
        self._http = httpx.Client(base_url=self.url, timeout=60.0, trust_env=False)
        if self._process and not options.seed_demo:
            self.add_client(self.client_id, self.client_secret)

    def stop(self) -> None:
        """Stop it as SIGTERM does; nothing happens when it is stopped."""
        if self._running is not None:
            self._close()
            running, self._running = self._running, None
            running.stop()

    def kill(self) -> None:
        """End it with SIGKILL.

        Raises:
            RuntimeError: It runs in a thread.
        """
        if self._running is not None:
            self._running.kill()
            self._running = None
            self._close()

    def restart(self) -> None:
        """Stop it and start it again on the same port with the same database."""
        self.stop()
        self.start()

    def _close(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        data: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request, as to ``/__admin``; it carries a token only where ``headers`` do.

        Raises:
            RuntimeError: The emulator is stopped.
            httpx.HTTPStatusError: It refused.
        """
        if self._http is None:
            raise RuntimeError("The emulator is stopped")
        response = self._http.request(method, path, json=json, data=data, params=params, headers=headers)
        response.raise_for_status()
        return response

    # --- faults and stats ---

    def set_faults(self, settings: Mapping[str, Any] | None = None, /, **more: Any) -> dict[str, Any]:
        """Replace all settings, given as one JSON object, as keywords, or both; returns those in force."""
        given = {**(settings or {}), **more}
        return self._json("PUT", "/__admin/faults", json=given)

    def change_faults(self, **settings: Any) -> dict[str, Any]:
        """Replace only these settings; returns those in force."""
        return self._json("PATCH", "/__admin/faults", json=settings)

    def faults(self) -> dict[str, Any]:
        """The settings in force, and ``script_left``: how many requests the script still waits for."""
        return self._json("GET", "/__admin/faults")

    def clear_faults(self) -> None:
        """No faults any more."""
        self.request("DELETE", "/__admin/faults")

    def stats(self) -> dict[str, Any]:
        """The counters."""
        return self._json("GET", "/__admin/stats")

    def reset_stats(self) -> None:
        """Set the counters back to nothing."""
        self.request("DELETE", "/__admin/stats")

    # --- what it holds ---

    def predictions(self, group: str | None = None, scene: str | None = None) -> list[dict[str, Any]]:
        """All predictions (of a group, of a scene), oldest first.

        Returns:
            Rows with ``uuid``, ``predictions_group_uuid``, ``scene_uuid``, ``size`` (bytes), ``created_at``
            (seconds since the epoch) and ``seq``.
        """
        rows: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = self._json("GET", "/__admin/predictions", params=_given(group, scene) | {"after": after})
            rows += page["data"]
            after = page["next"]
        return rows

    def count_predictions(self, group: str | None = None, scene: str | None = None) -> int:
        """How many predictions there are (of a group, of a scene)."""
        params = _given(group, scene) | {"count_only": True}
        return int(self._json("GET", "/__admin/predictions", params=params)["count"])

    def add_prediction(self, group: str, scene: str | None = None) -> str:
        """Add a prediction with nothing in it, as a person does in the app; returns its uuid.

        It needs no token and counts nowhere in ``stats``.

        Args:
            group: The group.
            scene: The scene; the first annotated one of the dataset when None.
        """
        return str(self._json("POST", "/__admin/predictions", json=_given(group, scene))["uuid"])

    def remove_predictions(self, group: str, scene: str | None = None, *, uuid: str | None = None) -> int:
        """Remove predictions of a group, as a person does in the app.

        Args:
            group: The group.
            scene: Only those of this scene.
            uuid: Only this one.

        Returns:
            How many were removed.
        """
        params = _given(group, scene) | ({} if uuid is None else {"uuid": uuid})
        return int(self._json("DELETE", "/__admin/predictions", params=params)["removed"])

    def document(self, prediction_uuid: str) -> bytes:
        """The ``openlabelContent`` of a prediction, byte for byte as it arrived."""
        return self.request("GET", f"/__admin/predictions/{prediction_uuid}/document").content

    def create_dataset(
        self,
        name: str = "dataset",
        *,
        uuid: str | None = None,
        scenes: Iterable[str] | None = None,
        count: int = 0,
        annotated: bool | int | Iterable[str] = True,
        segmentation: bool = False,
    ) -> dict[str, Any]:
        """Make a dataset.

        Args:
            name: Its name.
            uuid: Its uuid; a new one when None.
            scenes: The uuids of its scenes.
            count: Or how many scenes to make.
            annotated: Which scenes have an annotation: all, none, the first so many, or those listed.
            segmentation: Whether it is a dataset with segmentation.

        Returns:
            ``uuid``, ``name`` and ``scenes``.
        """
        body = {
            "name": name,
            "uuid": uuid,
            "scenes": None if scenes is None else list(scenes),
            "count": count,
            "annotated": annotated if isinstance(annotated, int) else list(annotated),
            "segmentation": segmentation,
        }
        return self._json("POST", "/__admin/datasets", json=body)

    def seed(self, **wanted: Any) -> dict[str, list[str]]:
        """Make ``calibrations``, ``datasets``, ``scenes`` and ``clients``, all or nothing, as ``--seed`` does.

        Returns:
            The ids of the ``calibrations``, ``datasets`` and ``scenes``, each in the order given.
        """
        return self._json("POST", "/__admin/seed", json=wanted)

    def set_scene_status(self, scene: str, status: str) -> None:
        """Give a scene that is described another status, as whoever invalidates it does."""
        self.request("PATCH", f"/__admin/scenes/{scene}", json={"status": status})

    def annotate(self, dataset: str, scenes: Iterable[str]) -> None:
        """Give each scene one more annotation; a new scene joins the dataset."""
        self.request("POST", f"/__admin/datasets/{dataset}/annotations", json={"scenes": list(scenes)})

    def create_group(
        self,
        dataset: str | None = None,
        name: str = "group",
        *,
        class_mapping: list[dict[str, str]] | None = None,
    ) -> str:
        """Make a predictions group through the API (in the demo dataset by default); returns its uuid.

        It counts in ``stats`` as any request does.
        """
        body: dict[str, Any] = {"name": name, "description": ""}
        if class_mapping is not None:
            body["classMapping"] = class_mapping
        path = f"/v1/datasets/{dataset or self.dataset_uuid}/predictions-groups"
        headers = {"Authorization": f"Bearer {self.token()}"}
        return str(self.request("POST", path, json=body, headers=headers).json()["data"])

    def delete_group(self, group: str) -> None:
        """Remove a predictions group with its predictions."""
        self.request("DELETE", f"/__admin/predictions-groups/{group}")

    def delete_groups(self) -> None:
        """Remove all predictions groups, of all datasets, with their predictions."""
        self.request("DELETE", "/__admin/predictions-groups")

    # --- clients and tokens ---

    def token(self, scope: str | None = None) -> str:
        """A new access token for ``client_id``, with these scopes, or all, where there are any."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            **({} if scope is None else {"scope": scope}),
        }
        return str(self.request("POST", TOKEN_PATH, data=form).json()["access_token"])

    def add_client(self, client_id: str, client_secret: str) -> None:
        """Let a client in, or give a known one a new secret."""
        self.request(
            "POST", "/__admin/clients", json={"client_id": client_id, "client_secret": client_secret}
        )

    def revoke_tokens(self) -> None:
        """Revoke every token."""
        self.request("DELETE", "/__admin/tokens")

    def _json(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        return cast("dict[str, Any]", self.request(method, path, **kwargs).json())


def _given(group: str | None, scene: str | None) -> dict[str, Any]:
    return {name: value for name, value in (("group", group), ("scene", scene)) if value is not None}


@contextmanager
def running_emulator(
    *,
    database: Path | None = None,
    port: int = 0,
    seed_demo: bool = True,
    faults: Mapping[str, Any] | None = None,
    token_ttl: float = 3600.0,
    predictions_listing: bool = False,
    switches: Mapping[str, Any] | None = None,
    process: bool = False,
) -> Iterator[Emulator]:
    """Run an emulator for the time of a ``with`` block.

    Args:
        database: The SQLite file; None for a temporary one, which outlives a restart within the block.
        port: The TCP port on 127.0.0.1; 0 picks a free one.
        seed_demo: Make the demo datasets. Without them the client is made all the same.
        faults: Settings to begin with, as for ``set_faults``.
        token_ttl: Seconds that an access token is valid for.
        predictions_listing: Let predictions be listed.
        switches: Settings as for ``set_faults`` which stay when those are replaced or cleared.
        process: Run ``python -m airflow_provider_kognic.emulator`` instead of a thread: slower to start, but
            it can be killed and does not share this interpreter.

    Yields:
        The running emulator.

    Raises:
        pydantic.ValidationError: ``faults`` or ``switches`` are not as documented.
        RuntimeError: It does not start.
    """
    settings = dict(faults or {})
    with tempfile.TemporaryDirectory(prefix="kognic-emulator-") as folder:
        options = Options(
            port=port,
            database=database or Path(folder, "emulator.sqlite3"),
            seed_demo=seed_demo,
            token_ttl=token_ttl,
            base=Settings.model_validate({"predictions_listing": predictions_listing, **(switches or {})}),
            settings=Settings.model_validate(settings),
            clients=((demo.CLIENT_ID, demo.CLIENT_SECRET),),
        )
        emulator = Emulator(options, process=process, settings=settings)
        try:
            yield emulator
        finally:
            emulator.stop()
