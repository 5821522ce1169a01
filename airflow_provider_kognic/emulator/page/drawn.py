"""One frame of a prediction's document, drawn for the page."""

from dataclasses import dataclass

from airflow_provider_kognic.drawing.colours import Colours
from airflow_provider_kognic.drawing.document import Document
from airflow_provider_kognic.drawing.frames import draw_frame, legend


@dataclass(frozen=True)
class Drawn:
    """A frame as the page shows it; the HTML is escaped already.

    Attributes:
        number: Which frame, from 1 on.
        frames: How many there are, 1 at least.
        said: The frame's key and its time.
        problem: Why nothing can be drawn, or None.
        legend: The classes.
        figures: The drawings.
    """

    number: int
    frames: int
    said: str
    problem: str | None = None
    legend: str = ""
    figures: str = ""


def draw(content: bytes, number: int) -> Drawn:
    """Draw a frame of a document; the nearest one if there is none of that number."""
    document = Document(content)
    frames = len(document)
    if not frames:
        return Drawn(1, 1, "no frame", document.problem or "it has no frames")
    number = max(1, min(frames, number))
    frame = document.frame(number - 1)
    colours = Colours(document.classes)
    time = "" if frame.timestamp is None else f", {frame.timestamp:g} ms"
    said = f"frame {frame.identifier[:40]} ({number:,} of {frames:,}){time}"
    return Drawn(
        number,
        frames,
        said,
        None,
        legend(document, frame, colours),
        draw_frame(document, frame, colours),
    )
