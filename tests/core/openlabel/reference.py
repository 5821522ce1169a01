"""What kognic-openlabel says of a document: the library by which Kognic's own tools read one."""


def kognic_openlabel_takes(document: bytes) -> None:
    """Raise pydantic's ValidationError if kognic-openlabel does not take a document."""
    from kognic.openlabel.models import OpenLabelAnnotation

    OpenLabelAnnotation.model_validate_json(document)
