"""The button on a card that leads to the page that says why; `emoviz.ui.why` hears it."""


def why_button(number: int, title: str) -> str:
    """As HTML.

    Args:
        number: Of the image in the session.
        title: Of the image, escaped.
    """
    return (
        f'<button type="button" class="ev-more" data-ev-why="{number}" '
        f'aria-label="Why? {title}">Why? Regions, style, textures</button>'
    )
