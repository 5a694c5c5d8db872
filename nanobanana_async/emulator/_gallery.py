"""Turns a picture that the core asks for into an answer, in whatever thread it is called."""

from nanobanana_async.emulator._envelope import plain
from nanobanana_async.emulator._wire import Answer, Picture


def render(picture: Picture) -> Answer:
    """Draw the picture; without Pillow, answer 501 and say so."""
    try:
        # Late, since Pillow is an extra of the project and only downloads need it.
        from nanobanana_async.emulator._pictures import draw  # noqa: PLC0415
    except ModuleNotFoundError:
        text = "The emulator needs Pillow to draw pictures: pip install pillow"
        return plain(501, text, date=picture.date)
    headers = {"content-type": f"image/{picture.format}", "date": picture.date}
    return Answer(200, draw(picture), headers)
