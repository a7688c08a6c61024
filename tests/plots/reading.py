"""What is written in a figure."""

import io


def drawn(figure, whole=False):
    """Saves a figure; all that is written in it, as one text or as the set of its `whole` labels."""
    image = io.BytesIO()
    figure.savefig(image, format="png")
    assert image.getvalue().startswith(b"\x89PNG")
    words = [figure._supxlabel.get_text()]
    for axis in figure.axes:
        words += [axis.get_title(loc="left"), axis.get_title(), axis.get_xlabel(), axis.get_ylabel()]
    return set(words) if whole else " ".join(" ".join(words).split())
