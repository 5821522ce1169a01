"""What the core offers, what it stands on, and where it runs."""

import ast
import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_kognic.core
from airflow_provider_kognic.emulator.testing import Emulator

CORE = Path(str(airflow_provider_kognic.core.__file__)).parent
REPOSITORY = CORE.parent.parent
FILES = sorted(CORE.rglob("*.py"))
MODULES = [
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__") for path in FILES
]


def run_python(code: str, **environment: str) -> str:
    """Run code in an interpreter that has imported nothing yet, warnings as errors; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_core_imports_no_airflow() -> None:
    """Nor does it happen by way of something else; and the HTTP libraries wait until they are needed."""
    imports = "; ".join(f"import {module}" for module in MODULES)
    loaded = run_python(f"{imports}; import sys; print(*sys.modules)").split()
    heavy = {"airflow", "h11", "httpx", "httpx2", "requests", "kognic", "authlib", "numpy", "pandas"}
    assert heavy.isdisjoint(name.partition(".")[0] for name in loaded)


def test_the_core_speaks_python_3_10() -> None:
    """Every module parses as Python 3.10."""
    for file in FILES:
        ast.parse(file.read_text(), feature_version=(3, 10))


# Every module that offers something, and what: names in the alphabet's order.
PUBLIC: dict[str, str] = {
    "api.access.environments": "Environment environment path_of_environments",
    "api.token_requests": "bounded_adapter",
    "api.tokens": "TokenProvider",
    "api.answers": "Answer Sunsets clean_message created_uuid",
    "api.async_client": "AsyncKognicClient",
    "api.client": "KognicClient",
    "api.contents": "Contents shown",
    "api.dataset_api.endpoints": (
        "annotations_url datasets_url groups_url prediction_body predictions_url user_agent"
    ),
    "api.exchange.background": "Background Stopped T in_daemon_thread",
    "api.exchange.bodies": "Collected UnreadableBody most_bytes read_all succeeded unpacked",
    "api.exchange.calls": "Calls",
    "api.exchange.compressing": "Compressed body_of compressed",
    "api.exchange.connecting": "connect",
    "api.exchange.direct": "Direct",
    "api.exchange.heads": "Heads NoRequestError fields",
    "api.exchange.leaving": "Leaving",
    "api.exchange.limits": "TimeLimit longest_answer",
    "api.exchange.repeats": "Repeats",
    "api.exchange.tls": "Tls",
    "api.exchange.unread": "may_hold_more",
    "api.http_errors": "as_httpx_error as_requests_error as_socket_error raise_clean",
    "api.input_api.annotations": "SceneDocuments",
    "api.input_api.async_client": "AsyncInputClient",
    "api.input_api.client": "InputClient input_host_of",
    "api.input_api.endpoints": (
        "calibrations_url external_ids_body query_url scene_annotations_url scene_query scene_url "
        "scene_uuids_body"
    ),
    "api.input_api.records": "Calibration FoundScene SceneSummary annotation_addresses found_scenes",
    "api.input_api.waiting": "T WaitingClient",
    "api.network": "proxy_for readable_certificates ssl_context trusted_certificates",
    "api.reading": "BrokenAnswerError Reader Received",
    "api.dataset_api.records": "Annotation Dataset ListedPrediction PredictionsGroup",
    "api.settings": "Settings check_proxy normalize_url",
    "api.switches": "Switches",
    "api.transports": "Exchange Proxied Way",
    "cancellation": "CancelledBeforeSending",
    "classes.agreement": "agreed_rows check_still_holds inexact",
    "classes.annotations": "AnnotatedClasses AnnotationReader Known annotated_classes sampled",
    "classes.arguments": "Agreed is_proposal parse_max_scenes",
    "classes.counts": "ClassCount ClassCounts",
    "classes.documents": "DocumentClasses classes_in",
    "classes.names": "alike normal_form quoted",
    "classes.predictions": "PredictedClasses predicted_classes",
    "classes.proposal": "Proposal digest_of propose rows_of without_row",
    "classes.proposal_file": "as_bytes as_json as_xcom from_json read",
    "classes.proposal_store": "ProposalFile read_proposal",
    "classes.proposal_text": "text_of",
    "classes.survey": "Annotations survey",
    "contract.asking": "ask_for_contract",
    "contract.assumed.assumption": "Asked Assumption Switch",
    "contract.contract": "Contract Judgement Verdict",
    "contract.description.document": "described is_description",
    "contract.description.operations": (
        "Answer Described Operation Parameter Scheme extensions_of is_json joined"
    ),
    "contract.description.page": "Leads leads_of named_in",
    "contract.description.searching": "Found search",
    "contract.description.shapes": "Document Shape node nodes",
    "contract.judging.access": "bearer_token refused_tokens token_endpoint token_scopes",
    "contract.judging.answers": (
        "annotation_rows annotations_paging created_at_once created_uuid dataset_rows envelope "
        "error_message group_mapping group_rows not_found_404 prediction_rows predictions_paging "
        "rate_limit_429 retry_after sunset_header whole_listings"
    ),
    "contract.judging.by_description": "announced_in judge_description judge_input_api",
    "contract.judging.documents": "geometries schema_version stream_types",
    "contract.judging.endpoints": (
        "annotations_listing class_mapping_rows datasets_listing group_body group_creation "
        "groups_listing lasting_endpoints path_uuids prediction_body prediction_creation "
        "predictions_listing"
    ),
    "contract.judging.scenes": "calibrations scene_annotations scene_query scene_status scene_summary",
    "contract.judging.sending": "body_limit compression idempotency_key json_bodies repeated_scene",
    "contract.judging.verdicts": (
        "confirmed contradicted covers enveloped is_key lacking listed named rows_of there together unknown without"
    ),
    "contract.questions": "Questions",
    "contract.replies": "Asker Reply shown",
    "contract.report": "counted date_of page switched table",
    "contract.switching": "check_contract disagreements named switches",
    "errors": (
        "KognicAmbiguousError KognicAnswerError KognicAuthError KognicConnectionError "
        "KognicCredentialsError KognicError KognicInputError "
        "KognicJournalAccessError KognicJournalError KognicJournalFormatError "
        "KognicJournalRemovedError KognicNoAnswerError "
        "KognicNotFoundError "
        "KognicOutageError KognicPermissionError KognicRateLimitError KognicRedirectError "
        "KognicRequestError KognicRowError KognicServerError KognicStoppedError "
        "KognicStoreCredentialsError KognicStoreError KognicTLSError KognicUnauthorizedError "
        "KognicUnavailableError KognicUnclearRedirectError"
    ),
    "files": (
        "NotAFileError StoredPath check_writable create details exists is_local listed make_folder make_whole "
        "names open_to_read read read_small read_up_to remove replace sync_folder told_size write write_all"
    ),
    "geometry.boxes": (
        "box_from_coco box_from_corners box_from_kitti box_from_mot box_from_yolo box_to_coco box_to_corners "
        "box_to_kitti box_to_mot box_to_yolo"
    ),
    "geometry.checks": "WrongNumberError number numbers positive",
    "geometry.conventions": (
        "cuboid_from_av2 cuboid_from_nuscenes cuboid_from_openpcdet cuboid_from_waymo cuboid_to_av2 "
        "cuboid_to_nuscenes cuboid_to_openpcdet cuboid_to_waymo val_from_av2 val_from_nuscenes"
    ),
    "geometry.cuboids": "Cuboid check_upright quick_val",
    "geometry.kitti": "Calibration cuboid_from_kitti cuboid_to_kitti",
    "geometry.masks.bitmaps": "Bitmap Canvas Instance checked_level classifications_of levels_of paint",
    "geometry.masks.cityscapes": "LabelIds",
    "geometry.masks.id_images": "IdImage class_of_instance read_binary read_ids read_panoptic",
    "geometry.masks.png": "BrokenPng Header checked grey_png",
    "geometry.masks.polygons": "from_polygons from_segmentation",
    "geometry.masks.rle": (
        "Rle check_size compressed decompressed from_coco from_rows from_spans listed shown spans_of union"
    ),
    "geometry.mmdet3d": "cuboid_from_mmdet3d cuboid_to_mmdet3d val_from_mmdet3d",
    "geometry.transforms": (
        "Rigid half_turn matrix_of multiplied quaternion_of rotation_in scalar_last unit_quaternion"
    ),
    "groups.ensure": "ensure_predictions_group",
    "groups.if_exists": "IfExists",
    "groups.intent": "Forgets GroupMemory Intent",
    "groups.lookup": "ListsGroups find_group of_name of_uuid uuids_of",
    "groups.waiting": "DatasetScenesQuestion Look PredictionsGroupQuestion Question in_vain scenes_to_wait_for",
    "groups.watching": "Appears Exact News Seen look",
    "hosts": "is_address is_loopback is_same_host normal_host normal_url",
    "identity.asset_uris": "Place normal place_of uri_of",
    "identity.run_manifest": "check_run_manifest common described differing head head_of is_head",
    "journal.facade": "Journal record_of",
    "journal.folder": "FolderLog folder_name",
    "journal.format": (
        "AttemptBegins Baseline BaselineTaken BegunAnew Created Header InDoubt Intent NotARecordError "
        "Refused Unsent decode digest_kept encode scene_of_intent to_bytes to_text"
    ),
    "journal.holder": (
        "describe encode introduce is_ancient is_dead is_free is_held_by is_same source_of this_process"
    ),
    "journal.lease": "Lease key_of not_held stopped",
    "journal.leases": "Leases range_of row_of",
    "journal.ledger": "Entry Ledger State",
    "journal.log": "Log LogThread ReadOnlyLog Readable Rhythm",
    "journal.memory": "JournalMemory Kept Remembered RememberedLog",
    "journal.parts": "LocalPart PartFile Parts StoredParts begin find read",
    "journal.retention.cleaning": "Ages Cleaned Cleaner What",
    "journal.retention.compaction": "Compaction",
    "journal.retention.folders": "clean_all",
    "journal.retention.lease_files": "content_of discard is_held",
    "journal.retention.marks": "Compacted Removed compacted_header compacted_in removed_header removed_in",
    "journal.retention.new_parts": "contents_of_parts stem_after write_part",
    "journal.retention.removed": "Removals day_of marks_of",
    "journal.retention.survey": "Contents Listing Place journals_in list_files read",
    "journal.store": "Store T journal_error",
    "journal.writer": "Demand OpenIntents Writer answered not_open",
    "masking": "Quoted is_masked masked masked_as presentable secrets_of spellings_of",
    "models": "NotRead Outcome Prediction Refused Result Span Summary is_uuid parse_uuid unknown_size",
    "openlabel": "check",
    "openlabel.accept": "accept",
    "openlabel.against_scene": "has_errors hold_against",
    "openlabel.checked": "Checked",
    "openlabel.content": "check_content",
    "openlabel.decoding.bitmaps": "BrokenBitmap areas grey_levels",
    "openlabel.decoding.limits": "Unreadable check_fragment",
    "openlabel.decoding.splitting": "SplitDocument split",
    "openlabel.decoding.strict_json": "NotFinite Repeating parse",
    "openlabel.explain": "explain",
    "openlabel.issues": "Issue Issues TooManyIssuesError plain show show_path text",
    "openlabel.plausibility": "Facts is_vehicle is_very_wide plausibility_warnings",
    "openlabel.rule": "Rule Severity error warning",
    "openlabel.schema.attributes": "Attributes Boolean Num Text Vec",
    "openlabel.schema.base": "Closed FrameInterval Open",
    "openlabel.schema.document": "Document Frame FrameProperties Metadata OpenLabel Root",
    "openlabel.schema.elements": (
        "Action Agent Context DataPointer Event FrameAction FrameContext FrameData "
        "FrameEvent FrameObject Ontology Relation RootData RootObject Tag TagData"
    ),
    "openlabel.schema.geometry": "Bbox Cuboid Image",
    "openlabel.schema.sensors": "CoordinateSystem Sensor Stream Transform TransformData",
    "openlabel.schema.violations": "add_violations",
    "openlabel.table": "TableRow rows_of",
    "options": "MaxFailures OnAmbiguous OnChanged SceneCheck UploadOptions Validation",
    "packed.names": "GatheredNames PackedNames PackedSizes",
    "packed.sketches": "BadSketchError Difference Sketch",
    "packed.tables": "HashSet PackedGroups PackedSet PackedTable",
    "paging": "NoWayOnError Page Walk",
    "preview.beside": "Beside dots_of picture_of",
    "preview.beside_report": "PlanPreview",
    "preview.keys": "TableKeys keys_of",
    "preview.page": "Look page_of",
    "preview.sampled": "SampledSource",
    "preview.statistics": "ClassStatistics Median",
    "preview.survey": "Candidate Survey",
    "reasons": "Reason reason_of",
    "reporting.conversions": "Conversions",
    "reporting.events": "Answered Halted Held Intended Observer Planned Retried Sent Settled Throttled",
    "reporting.judgement": "Failure judge",
    "reporting.observers": "Observers Together",
    "reporting.plan": "Decision Plan Planned named",
    "reporting.plan_report": "PlanReport",
    "reporting.progress": "Progress",
    "reporting.receipts": "Receipts join",
    "reporting.report": "Report failure_table",
    "reporting.rows_file": "RowsFile beside check_place put refused_writes",
    "reporting.source_digest": "SourceDigest",
    "reporting.tally": "Alike Tally",
    "retries": "Backoff Rule Verdict may_repeat parse_retry_after verdict",
    "scenes.asking": "Asker AsksScenes ClosedError Found NotAskedError Sizes Summary T",
    "scenes.cache": "SceneCache",
    "scenes.facts": "Scene is_invalidated is_wrong_status sizes_of",
    "scenes.known": "KnownScenes",
    "scenes.names": "ExternalIds",
    "scenes.once": "Once T",
    "scenes.parts": "Parts numbered parsed",
    "sources.base": (
        "Format Found Given Named NamingSource PathLike Source as_scenes cannot_read_on folded is_at_hand "
        "is_unicode names_of nothing_in prediction_of refusal scenes_of stop_making unique written"
    ),
    "sources.bounded": (
        "DocumentFile Reads check_size compression_of in_steps is_json_lines lines_of not_readable read_document"
    ),
    "sources.converting.classes": (
        "Classes ClassesFile Resolved UnknownClass is_text name_categories name_listed whole_id"
    ),
    "sources.converting.index": "DetectionIndex KeyedValues Stored Tracks pack_mask track_twice",
    "sources.converting.ingest": "Ingest check_box check_inside",
    "sources.converting.inputs": (
        "BrokenFileError InputFile InputFiles Reading UnendedLine check_no_pickle input_files unpacked_name watched"
    ),
    "sources.converting.json_stream": "BrokenJSONError JSONStream Reads Repeated RepeatedKeyError once",
    "sources.converting.rows": (
        "Argument BadRow Canvas Detection EmptyKey Frame Kind Labels Layer ModelFormat Skipped WrongDetectionError"
        " id_of"
    ),
    "sources.converting.scenes": "Place Scenes",
    "sources.converting.source": "ModelSource Store check_table finder",
    "sources.converting.summary": "Conversion",
    "sources.converting.tables": "TableRow WrongRow needed rows_of scene_row unknown_columns",
    "sources.converting.writer": "Writing mover write_document",
    "sources.feather": "names_all",
    "sources.filtering.documents": "FilteredDocument FilteredSource filter_document",
    "sources.filtering.filters": "Filters",
    "sources.folder": "FilesSource files_in open_glob scene_in",
    "sources.formats.mot": "sequence_of",
    "sources.formats.opening": "open_model_source recognise",
    "sources.formats.options": "Confidence EmptyScenes FormatOptions",
    "sources.formats.registry": "BY_NAME",
    "sources.json_lines": "JSONLinesSource",
    "sources.listing": (
        "Kind Listing Names container forget has_keys is_of_keys is_pattern is_stored may_be_empty scheme_of "
        "wrong_with"
    ),
    "sources.manifest": "Expected ManifestSource open_manifest",
    "sources.naming.external": "ExternalSource ScenesByName by_external_ids",
    "sources.opening": "open_source",
    "sources.painting.canvases": "MaskSizes finished refusing unfit",
    "sources.painting.pictures": "Picture paint_pictures",
    "sources.pinned": "Pinned T changed",
    "sources.ranges.cutting": "Limits Piece cut",
    "sources.ranges.listed": "listed stretches",
    "sources.ranges.narrowed": "RangeSource name_of name_of_file narrowed",
    "sources.ranges.shard": "Shard",
    "sources.room": "Room RoomClosedError",
    "sources.rows": "RowsSource",
    "sources.scene_tables.kitti": "table_of_kitti",
    "sources.scene_tables.nuscenes": "Milliseconds table_of_nuscenes",
    "sources.scene_tables.table": "MadeRow MadeTable read_scene_names write_table",
    "sources.texts.columns": "Owners bad_row check_plain check_whole lines_of track_name whole_number",
    "sources.texts.matrices": "transform_of",
    "sources.walk": "T walk",
    "sources.yielded.source": "YieldedSource",
    "sources.yielded.spool": "Spool",
    "stores.ahead": "T ahead",
    "stores.asking": "Asking T",
    "stores.entries": "Found entries",
    "stores.limited": "T awaited heard in_time seconds_for within",
    "stores.mounts": "is_of_this_machine",
    "stores.pages": "Contents files_below lists_by_pages",
    "stores.patience": "Patience T",
    "stores.troubles": (
        "Facts Row Trouble advice_of error_of has_no_bucket has_no_words is_empty is_of_another_version is_outage "
        "trouble_of"
    ),
    "texts": "about_one brief counted many printable sentence shortened",
    "upload": "upload",
    "upload.collector": "quiet_collector",
    "upload.dry_run": "make_plan",
    "upload.ending": "CutOff Ending",
    "upload.keys": "Keys",
    "upload.packing": "Packing",
    "upload.reading.decide": "Document decide",
    "upload.reading.entries": "Entries",
    "upload.reading.here": "Here",
    "upload.reading.intake": "Intake",
    "upload.reading.looking": "Looking",
    "upload.reading.memory": "MemoryLimit",
    "upload.reading.width": "Width wide_enough",
    "upload.reconciliation.doubts": "Judged judge",
    "upload.reconciliation.listing": "ListedRow Listing ListingClient Look",
    "upload.reconciliation.rounds": "Reconciler Round",
    "upload.records": (
        "Doubt Prepared ToSend changed check_whose lost_before replaced_in_place skipped unsent unsettled"
    ),
    "upload.run": "PredictionsClient Run",
    "upload.sending.group_circuit": "GroupCircuit",
    "upload.sending.same_refusal": "SameRefusal",
    "upload.sending.sender": "Sender",
    "upload.sending.slots": "Slots",
    "upload.sending.throttle": "Closed Throttle",
    "upload.stop": "Stop",
    "validation.class_coverage": "ClassCoverage Classes ListedGroup class_coverage",
    "validation.class_mapping": "class_mapping_rows identity_mapping shown_rows",
    "validation.class_survey": "classes_of",
    "validation.converting": "Written write_documents",
    "validation.dataset": "DatasetCheck",
    "validation.documents": "BodyLimit Checks check_document",
    "validation.offline": "check_sources open_paths total_of",
    "validation.offline_report": "CheckedEntry Totals json_report text_report",
    "validation.scene_check": "SceneChecks",
    "validation.scenes": "AnnotatedScenes ListedAnnotation",
    "validation.tabling": "Tabled write_table",
    "values": (
        "check_bytes check_choice check_confidence check_connections check_count check_flag check_metres "
        "check_seconds flag_of is_number whole_number"
    ),
}


def offered(module: str) -> dict[str, Any]:
    """What a module defines for others, by name."""
    loaded = importlib.import_module(module)
    return {
        name: thing
        for name, thing in vars(loaded).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == loaded.__name__
    }


def test_every_module_that_offers_something_is_in_the_table() -> None:
    prefix = f"{airflow_provider_kognic.core.__name__}."
    assert {module.removeprefix(prefix) for module in MODULES if offered(module)} == set(PUBLIC)


@pytest.mark.parametrize("module", sorted(PUBLIC))
def test_the_public_surface(module: str) -> None:
    """What others may build on changes only on purpose, and all of it is documented."""
    own = offered(f"airflow_provider_kognic.core.{module}")
    assert sorted(own) == PUBLIC[module].split()
    assert not [name for name, thing in own.items() if not thing.__doc__]


UPLOAD = """
import asyncio, json, os, sys
from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.client import KognicClient
from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.sources.rows import RowsSource
from airflow_provider_kognic.core.upload import upload
{before}
given = json.loads(os.environ["GIVEN"])
settings = Settings(
    base_url=given["url"], auth_host=given["auth"], credentials=tuple(given["credentials"]), timeout=2,
    proxy=given["proxy"], allow_http=True
)

async def main():
    async with AsyncKognicClient(settings) as client:
        way = client._exchange._idle[0]
        if given["proxy"]:
            transport = type(way._transport)
            assert transport.__module__.partition(".")[0] == "httpx", transport
        source = RowsSource(given["rows"])
        return await upload(source, client, predictions_group_uuid=given["group"])

with KognicClient(settings) as client:
    assert client.list_datasets()
report = asyncio.run(main())
print(json.dumps([report.summary.to_dict(), sorted({{name.partition(".")[0] for name in sys.modules}})]))
"""


@pytest.mark.parametrize("by_proxy", [True, False])
@pytest.mark.parametrize("imported_first", [True, False])
def test_it_works_beside_httpx2(
    emulator: Emulator, group: str, *, imported_first: bool, by_proxy: bool
) -> None:
    """With httpx2 installed, or even imported, an upload still goes its way, and what goes wrong is understood.

    It runs wherever httpx2 is importable, as it is beside the oldest Airflow in the project's CI, which sets
    TESTS_NEED_HTTPX2=1 so that this test cannot be skipped there unnoticed.
    """
    import json

    from airflow_provider_kognic.emulator import demo

    if importlib.util.find_spec("httpx2") is None:
        assert os.environ.get("TESTS_NEED_HTTPX2", "0") == "0", "httpx2 is not installed"
        pytest.skip("httpx2 is not installed")
    lost = demo.scene_uuid(1)
    refused = demo.scene_uuid(2)
    emulator.set_faults(
        rules=[
            {"kind": "hang", "seconds": 30, "match": {"scene": lost}},
            {"kind": "drop_after", "match": {"scene": refused}},
        ]
    )
    document = {
        "openlabel": {
            "metadata": {"schema_version": "1.0.0"},
            "frames": {"0": {"frame_properties": {"timestamp": 0}}},
        }
    }
    given = {
        "url": "http://kognic.localhost" if by_proxy else emulator.url,
        "proxy": emulator.url if by_proxy else None,
        "auth": emulator.url,
        "credentials": [emulator.client_id, emulator.client_secret],
        "group": group,
        "rows": [{"sceneUuid": demo.scene_uuid(i), "openlabelContent": document} for i in range(12)],
    }
    code = UPLOAD.format(before="import httpx2, httpcore2" if imported_first else "")
    summary, modules = json.loads(run_python(code, GIVEN=json.dumps(given)))
    assert (summary["uploaded"], summary["in_doubt"], summary["total"]) == (10, 2, 12)
    assert ("httpx2" in modules) == imported_first
