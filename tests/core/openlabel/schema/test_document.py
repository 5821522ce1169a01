"""The schema's types, beside those of kognic-openlabel."""

from typing import Any

import msgspec

from airflow_provider_kognic.core.openlabel.schema import (
    attributes,
    base,
    document,
    elements,
    geometry,
    sensors,
)

MODULES = (attributes, base, document, elements, geometry, sensors)


def types() -> dict[str, Any]:
    """Every type that one of the modules defines, by its name."""
    return {
        name: found
        for module in MODULES
        for name, found in vars(module).items()
        if isinstance(found, type) and found.__module__ == module.__name__
    }


def test_the_schema_keeps_every_key_that_kognic_openlabel_knows() -> None:
    """Each of its models that the schema follows has the same fields, and as many required ones or more."""
    from kognic.openlabel import models

    pairs = {
        "Text": "Text", "Num": "Num", "Boolean": "Boolean", "Vec": "Vec", "Attributes": "Attributes",
        "Bbox": "Bbox", "Cuboid": "Cuboid", "Image": "Image", "FrameData": "ObjectData", "RootData": "ObjectData",
        "DataPointer": "ElementDataPointer", "RootObject": "Object", "Action": "Action", "Context": "Context",
        "Event": "Event", "Agent": "RdfAgent", "Relation": "Relation", "Ontology": "OntologyItem", "Tag": "Tag",
        "TagData": "TagDatum", "Metadata": "Metadata", "Stream": "Stream", "Sensor": "Stream",
        "Transform": "Transform", "CoordinateSystem": "CoordinateSystem", "FrameProperties": "FrameProperties",
        "FrameObject": "Objects", "FrameAction": "Actions", "FrameContext": "Contexts", "FrameEvent": "Events",
        "Frame": "Frame", "OpenLabel": "Openlabel", "Document": "OpenLabelAnnotation",
        "FrameInterval": "FrameInterval",
    }  # fmt: skip
    schema = types()
    for ours, theirs in pairs.items():
        own = {field.name: field for field in msgspec.structs.fields(schema[ours])}
        other = getattr(models, theirs).model_fields
        assert set(own) - {"classifications"} == set(other), ours
        for name, field in other.items():
            assert not field.is_required() or own[name].required, f"{ours}.{name}"
