"""What Airflow learns of this provider without importing it."""

from __future__ import annotations

from typing import Any

_NAME = "Kognic"
_LINKS = "airflow_provider_kognic.links.kognic"
_ASSETS = "airflow_provider_kognic.assets.kognic"

HIDDEN_FIELDS = ["schema"]
RELABELING = {
    "host": "Dataset API",
    "login": "Client id",
    "password": "Client secret",
}
PLACEHOLDERS = {
    "host": "https://dataset.app.kognic.com",
    "login": "empty if the password is a credentials JSON",
    "password": "or a credentials JSON; empty for kognic-auth's own search (environment, keyring)",
    "port": "443",
}

# The form's own fields; every one is a key of the connection's extra. Airflow >= 3.2 reads them from here, 3.0
# and 3.1 from the hook, which makes them from these too.
CONN_FIELDS: dict[str, dict[str, Any]] = {
    "environment": {
        "label": "Environment",
        "description": "Name of one of the environments of kognic-auth (~/.config/kognic/environments.json on the"
        " workers): its host, auth server, credentials and scopes count wherever the field here is empty.",
        "schema": {"type": ["string", "null"]},
    },
    "auth_host": {
        "label": "Auth server",
        "description": "Base URL of the auth server; https://auth.app.kognic.com if empty.",
        "schema": {"type": ["string", "null"]},
    },
    "credentials": {
        "label": "Credentials file",
        "description": "Path of a credentials JSON file on the workers, or keyring://profile, in place of client"
        " id and secret. Never the JSON itself: this field is shown.",
        "schema": {"type": ["string", "null"]},
    },
    "scopes": {
        "label": "Scopes",
        "description": "OAuth scopes to ask for, separated by spaces; those of the credentials if empty.",
        "schema": {"type": ["string", "null"]},
    },
    "max_connections": {
        "label": "Most connections",
        "description": "Requests in flight of one task, 1 to 10; Kognic advises against more than 10.",
        "schema": {"type": ["integer", "null"], "default": 10, "minimum": 1, "maximum": 10},
    },
    "timeout": {
        "label": "Time-out (s)",
        "description": "Seconds without any progress after which a request counts as unanswered.",
        "schema": {"type": ["number", "null"], "default": 60},
    },
    "verify": {
        "label": "Verify certificates",
        "description": "true, false, or the path of a file of trusted certificates (PEM) on the workers.",
        "schema": {"type": ["string", "null"], "default": "true"},
    },
    "proxy": {
        "label": "Proxy",
        "description": "URL of a proxy for API and auth server; the environment's (HTTPS_PROXY) if empty.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "app_url": {
        "label": "Web app",
        "description": "Base URL of Kognic's web app, or a template of a group's page with {dataset_uuid} and"
        " {predictions_group_uuid}; https://app.kognic.com if empty.",
        "schema": {"type": ["string", "null"]},
    },
    "input_host": {
        "label": "Input API",
        "description": "Base URL of the input API, such as https://input.app.kognic.com: documents can be checked"
        " against their scenes then, and scenes be named by their external ids; not asked if empty.",
        "schema": {"type": ["string", "null"]},
    },
    "allow_http": {
        "label": "Allow http",
        "description": "Let credentials and tokens travel in clear text to other machines: for tests in a"
        " trusted network.",
        "schema": {"type": ["boolean", "null"], "default": False},
    },
    "contract": {
        "label": "Contract",
        "description": "Path of what `airflow-provider-kognic contract --save` wrote: a file that every worker"
        " sees, or one in an object store. What it confirms of the API's options is made use of.",
        "schema": {"type": ["string", "null"]},
    },
    "assumptions": {
        "label": "Assumptions",
        "description": "By name, as in predictions_listing=off, compression=on, body_limit=50000000; auto, which is"
        " what the contract says, if empty.",
        # Not "auto": of text as short as that in an extra, Airflow's masker warns in every task's log.
        "schema": {"type": ["string", "null"]},
    },
}

# `[kognic] journal`. It is not sensitive: Airflow would mask the folder's name in every log then, so that no
# message could say where a journal is. A value with a password in it is refused instead.
CONFIG: dict[str, Any] = {
    "kognic": {
        "description": "Uploads of predictions to Kognic.",
        "options": {
            "journal": {
                "description": "Where tasks that upload predictions remember what they sent, unless their argument"
                " ``journal`` says otherwise: a folder that every worker sees, on a disk or in an object store, for"
                " all tasks and runs; or ``task`` for Airflow's task state store, which knows one task of one Dag"
                " run. Without it, that is where they remember it, too. It names an Airflow connection, and holds"
                " no password.",
                "version_added": None,
                "type": "string",
                "example": "s3://my_connection@my-bucket/kognic-journals",
                "default": None,
            }
        },
    }
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, as Airflow's `provider_info.schema.json` describes it."""
    from airflow_provider_kognic import __version__

    def modules(*names: str) -> list[dict[str, Any]]:
        return [
            {
                "integration-name": _NAME,
                "python-modules": [f"airflow_provider_kognic.{name}" for name in names],
            }
        ]

    return {
        "package-name": "airflow-provider-kognic",
        "name": _NAME,
        "description": "Kognic, the annotation platform for autonomous driving: upload of predictions.",
        "versions": [__version__],
        "integrations": [
            {"integration-name": _NAME, "external-doc-url": "https://docs.kognic.com", "tags": ["service"]}
        ],
        "hooks": modules("hooks.kognic"),
        "operators": modules("operators.predictions", "operators.classes", "operators.sharding"),
        "sensors": modules("sensors.predictions"),
        "triggers": modules("triggers.predictions"),
        "connection-types": [
            {
                "connection-type": "kognic",
                "hook-class-name": "airflow_provider_kognic.hooks.kognic.KognicHook",
                "hook-name": _NAME,
                "conn-fields": CONN_FIELDS,
                "ui-field-behaviour": {
                    "hidden-fields": HIDDEN_FIELDS,
                    "relabeling": RELABELING,
                    "placeholders": PLACEHOLDERS,
                },
            }
        ],
        "extra-links": [
            f"{_LINKS}.KognicPredictionsGroupLink",
            f"{_LINKS}.KognicDatasetLink",
            f"{_LINKS}.KognicUploadsLink",
        ],
        "task-decorators": [
            {
                "class-name": "airflow_provider_kognic.decorators.upload.kognic_upload_task",
                "name": "kognic_upload",
            }
        ],
        "asset-uris": [
            {
                "schemes": ["kognic"],
                "handler": f"{_ASSETS}.sanitize_uri",
                "factory": f"{_ASSETS}.create_asset",
                "to_openlineage_converter": f"{_ASSETS}.convert_asset_to_openlineage",
            }
        ],
        "config": CONFIG,
        # Read from Airflow 3.2 on.
        "cli": ["airflow_provider_kognic.airflow_cli.get_kognic_cli_commands"],
    }
