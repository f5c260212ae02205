from __future__ import annotations

import pytest

from stratvisor.http.negotiate import HTML, JSON, PLAIN, best

CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("*/*", JSON),  # curl
        ("", JSON),
        (CHROME, HTML),
        ("text/html", HTML),
        ("TEXT/HTML", HTML),
        ("text/*", HTML),
        ("application/json", JSON),
        ("application/json, text/html", JSON),
        ("application/json;q=0.5, text/html", HTML),
        ("application/json, text/html;q=0.9", JSON),
        ("text/html;q=0", JSON),
        ("text/html;q=0, */*", JSON),
        ("*/*, application/json;q=0.1", HTML),
        ("text/html;level=1;q=0.3, application/json;q=0.2", HTML),
        ("text/html;q=high, application/json;q=0.1", JSON),
        ("text/html;q=2", JSON),
        ("text/event-stream", JSON),
        (",;,;;q=,", JSON),
        ("image/png", JSON),
    ],
)
def test_the_form_that_is_asked_for(accept: str, form: str) -> None:
    assert best(accept, JSON, HTML) == form


def test_more_forms_than_two() -> None:
    assert best("text/plain", JSON, HTML, PLAIN) == PLAIN
    assert best("text/*;q=0.5, text/plain;q=0.4", JSON, PLAIN, HTML) == HTML
